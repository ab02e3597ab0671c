/** Specs of `[apps]` that need what this platform has not, by what they are called, and what that is. */
export const ABSENT: readonly { spec: RegExp; reason: string }[] = [
  {
    spec: /loggregator firehose data/,
    reason: 'the websocket firehose of Loggregator 1 (a traffic controller, with doppler behind it): none here',
  },
  {
    spec: /loggregator reverse log proxy/,
    reason:
      'a token that outlives `cf logout`: tokens are revocable here (UAA has it as an option). The stream itself is there',
  },
  {
    spec: /Encoding Does not corrupt/,
    reason: 'JSP pages in an unpacked WAR: the Java buildpack downloads a Tomcat for them, ours takes runnable jars',
  },
];
