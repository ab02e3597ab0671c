/** The newest lines of each console, and where they are shown. */
const KEPT = 1_000;
/** In a tile: the tail only. */
const TAIL = 40;

const consoles = new Map();
const dialog = document.querySelector('#console');
const screen = document.querySelector('#console-lines');
const title = document.querySelector('#console-title');
const note = document.querySelector('#console-note');
let shown;

function linesOf(id) {
  const lines = consoles.get(id) ?? [];
  consoles.set(id, lines);
  return lines;
}

/** A line belongs to its instance, else to its app. */
export function take(lines) {
  const touched = new Map();
  for (const line of lines) {
    const id = line.instance ?? line.app;
    const kept = linesOf(id);
    kept.push(line);
    if (kept.length > KEPT) kept.splice(0, kept.length - KEPT);
    touched.set(id, [...(touched.get(id) ?? []), line]);
  }
  for (const [id, fresh] of touched) {
    for (const place of document.querySelectorAll(`.screen[data-console="${CSS.escape(id)}"]`))
      append(place, fresh, TAIL);
    if (shown === id) append(screen, fresh, KEPT);
  }
}

/** Points a small screen at a console. */
export function bind(place, id) {
  if (place.dataset.console === (id ?? '')) return;
  place.dataset.console = id ?? '';
  place.replaceChildren();
  if (id) append(place, linesOf(id).slice(-TAIL), TAIL);
}

/** Forgets what is not among these. */
export function keepOnly(ids) {
  for (const id of consoles.keys()) if (!ids.has(id) && id !== shown) consoles.delete(id);
}

export function openConsole(id, heading, text) {
  shown = id;
  title.textContent = heading;
  note.textContent = text;
  screen.replaceChildren();
  dialog.showModal();
  append(screen, linesOf(id), KEPT);
  screen.scrollTop = screen.scrollHeight;
  screen.focus();
}

dialog.addEventListener('close', () => {
  shown = undefined;
  screen.replaceChildren();
});
// A click beside the box closes it.
dialog.addEventListener('click', (event) => {
  if (event.target === dialog) dialog.close();
});

function append(place, lines, most) {
  // Who scrolled back reads: the end follows only where it is in sight.
  const follows = place.scrollHeight - place.scrollTop - place.clientHeight < 24;
  place.append(...lines.map(lineElement));
  while (place.childElementCount > most) place.firstElementChild.remove();
  if (follows) place.scrollTop = place.scrollHeight;
}

function lineElement({ at, source, error, text }) {
  const row = document.createElement('div');
  row.className = `line from-${source.split('/')[0].toLowerCase()} ${error ? 'from-err' : ''}`;
  const time = document.createElement('time');
  time.dateTime = new Date(at).toISOString();
  time.textContent = new Date(at).toTimeString().slice(0, 8);
  const words = document.createElement('span');
  words.textContent = text;
  row.append(time, words);
  return row;
}
