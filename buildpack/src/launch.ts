import type { Image } from '../../executor/images/image.js';
import { commandText } from '../../executor/images/command-text.js';

/** Each process as the command that Cloud Foundry shows, and gives back at start: as the application wrote it. */
export function processCommands({ processes, labels }: Pick<Image, 'processes' | 'labels'>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(processes).map(([type, process]) => [type, labels[`command.${type}`] ?? commandText(process)]),
  );
}

/** `launch.yml` of a deps folder, which the lifecycle reads. JSON strings are YAML strings. */
export function launchYaml(commands: Readonly<Record<string, string>>): string {
  const lines = Object.entries(commands).flatMap(([type, command]) => [
    `- type: ${JSON.stringify(type)}`,
    `  command: ${JSON.stringify(command)}`,
  ]);
  return ['---', 'processes:', ...lines, ''].join('\n');
}

/** What `bin/release` prints. */
export function releaseYaml(commands: Readonly<Record<string, string>>): string {
  const lines = Object.entries(commands).map(
    ([type, command]) => `  ${JSON.stringify(type)}: ${JSON.stringify(command)}`,
  );
  return ['---', `default_process_types:${lines.length === 0 ? ' {}' : ''}`, ...lines, ''].join('\n');
}

/** `config.yml` of a deps folder: name and version of its buildpack, as the result of staging names them. */
export function configYaml(version: string): string {
  return `---\nname: unik\nconfig: {}\nversion: ${JSON.stringify(version)}\n`;
}

/**
 * The buildpack's version, with what it made as its build: `0.1.0+GUEST.DIGEST.BYTES`. A version is the one thing of a
 * buildpack that every lifecycle hands on and every Cloud Controller shows, so `cf unik-apps` reads the image from it.
 */
export function versionWith(version: string, image: Pick<Image, 'guest' | 'digest' | 'root'>): string {
  return `${version}+${image.guest}.${image.digest.replace('sha256:', '').slice(0, 12)}.${image.root.bytes}`;
}
