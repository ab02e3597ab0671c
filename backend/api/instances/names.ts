const ADJECTIVES =
  'amber bold brave bright brisk calm clear clever cosmic crisp curious eager early fair fast fine fresh gentle glad golden grand happy honest humble jolly keen kind light lively lucky mellow merry mild neat nimble noble patient plain proud quick quiet rapid rare ready silver smart snowy solid steady sunny swift tidy tiny vivid warm wise witty young'.split(
    ' ',
  );
const NOUNS =
  'acorn apple aspen badger beacon birch breeze brook canyon cedar cloud comet coral crane creek delta dune eagle ember falcon fern finch fjord forest fox garden glacier grove harbor hawk heron hill island jay lake lark leaf lynx maple meadow moon moss oak ocean orchid otter owl pearl pebble pine planet pond quail raven reef ridge river robin sail shore sparrow spruce star stone summit swan thistle tiger trail tulip valley wave willow wren'.split(
    ' ',
  );

/** `adjective-noun`, one that is not `taken`. `random` gives numbers in [0, 1). */
export function inventName(taken: (name: string) => boolean, random: () => number): string {
  const pick = (words: readonly string[]): string => words[Math.floor(random() * words.length)] ?? 'unik';
  for (let attempt = 0; attempt < 20; attempt++) {
    const name = `${pick(ADJECTIVES)}-${pick(NOUNS)}`;
    if (!taken(name)) return name;
  }
  const base = `${pick(ADJECTIVES)}-${pick(NOUNS)}`;
  for (let n = 2; ; n++) if (!taken(`${base}-${n}`)) return `${base}-${n}`;
}
