import type { ImageFinding } from '../../executor/images/image.js';
import type { GuestName } from '../../executor/model.js';

/** A program of the image, as its file tells without running it. */
export interface Program {
  /** Absolute, in the image. */
  path: string;
  /** `app`: the application brought it. `runtime`: an interpreter, or a part of one. */
  from: 'app' | 'runtime';
  /** A process starts with it. */
  isStarted: boolean;
  positionIndependent: boolean;
  /** Names of the functions it calls, as far as its tables tell. */
  calls: readonly string[];
}

/** All that the suitability check looks at. Plain data, so that every rule is a pure function. */
export interface Subject {
  guest: GuestName;
  /** Command lines as the user, or the toolchain, wrote them; by process type. */
  commands: Readonly<Record<string, string>>;
  /** What they came to. */
  processes: Readonly<Record<string, { argv: readonly string[] }>>;
  programs: readonly Program[];
  /** Files of the application with the setuid or setgid bit, absolute in the image. */
  setuid: readonly string[];
  /** Names in the `dependencies` of package.json. */
  packages: readonly string[];
  hasShell: boolean;
  /** Cloud Foundry starts an application by its process `web`. */
  needsWeb: boolean;
}

export type Rule = (subject: Subject) => ImageFinding[];
