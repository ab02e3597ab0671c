const MARK = '(truncated)';

/** Reasons are cut to the width of the BBS's column, and say so. */
export const cut = (text: string, longest: number): string =>
  text.length < longest ? text : text.slice(0, longest - MARK.length) + MARK;
