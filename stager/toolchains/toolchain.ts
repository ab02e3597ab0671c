import type { ImageFinding } from '../../executor/images/image.js';
import type { RootTree } from '../../executor/images/tree.js';
import type { Arch } from '../../executor/model.js';
import type { SourceTree } from '../source.js';

export type ToolchainName = 'static' | 'java' | 'ruby' | 'node' | 'go' | 'python' | 'binary';

/** Makes what a kind of application needs to run. One constant each; none imports another. */
export interface Toolchain {
  readonly name: ToolchainName;
  /** Names of programs in a command that only this toolchain can mean. */
  readonly programs: readonly string[];
  /** What it takes from this host to run the application: there it is for this host's processor alone. */
  readonly runtime?: string;
  /** Debian's packages that bring it for another processor, where it can be taken from `BuildContext.root`. */
  readonly foreign?: readonly string[];
  /** What in the application speaks for this toolchain, such as `package.json`; undefined when nothing does. */
  detect(source: SourceTree): string | undefined;
  /** Throws toolchain_missing, toolchain_failed, command_missing. */
  build(context: BuildContext): Promise<Built>;
}

export interface BuildContext {
  source: SourceTree;
  /** The application on this host. Never written to. */
  dir: string;
  /** Commands by process type when a Procfile says them. */
  commands: Readonly<Record<string, string>> | undefined;
  arch: Arch;
  /** A folder that stands for `/` where the runtime is taken from: that of another processor. Empty: this host. */
  root: string;
  /** Kept between builds; whoever fills it does so by rename. */
  cache: string;
  /** Gone after the build. */
  scratch: string;
  /** A copy of the application that may be changed; the same one each time. */
  copy: () => Promise<string>;
  /** Programs must be loadable at any address: a runtime that is not is passed over for one that is. */
  positionIndependent: boolean;
  /** The machine may be one that has a single process. */
  oneProcess: boolean;
  /** The file of the Node.js that runs this process. */
  node: string;
  /** Where a file of this host lies in the image already, because a buildpack before supplied it. */
  placed: (path: string) => string | undefined;
  /** Absolute path of a program on this host's PATH; undefined when there is none. */
  which: (name: string) => string | undefined;
  /** All programs of that name on the PATH, first to last. */
  whichAll: (name: string) => string[];
  /** Runs a tool of this host to its end; its lines go to the progress. Throws toolchain_failed. */
  tool: (file: string, args: readonly string[], options?: ToolOptions) => Promise<string>;
  progress: (line: string) => void;
}

export interface ToolOptions {
  cwd?: string;
  env?: Readonly<Record<string, string>>;
  /** Do not show what the tool prints. */
  quiet?: boolean;
}

export interface Built {
  /** The folder that becomes the application; absent: the source as it is. */
  app?: string;
  /** Command lines by process type, where no Procfile says them. */
  commands: Record<string, string>;
  /** What stands in the image for a program that a command names: its path there, and arguments it always gets. */
  programs: Record<string, string[]>;
  /** Folders of the application in which programs are looked for by name. */
  path?: string[];
  /** Puts the files beside the application into the image. */
  add(tree: RootTree): Promise<void>;
  /** ELF files on this host whose libraries the image must have. */
  elf: string[];
  /** Like `elf`, but parts of a runtime that may lack a library, as on this host. */
  modules?: string[];
  /** Where the libraries of `elf` and `modules` are looked for first. */
  libraryPath?: string[];
  /** Folders on this host that go into the image as a whole at another path; libraries in them are not added again. */
  folders?: string[];
  env: Record<string, string>;
  /** Parts of the application that the image does not need, in the syntax of .gitignore. */
  ignore?: string[];
  findings?: ImageFinding[];
}
