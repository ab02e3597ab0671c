import { UnikError } from '../../core/errors.js';
import type { Download } from '../cell/model.js';

export interface Rootfs {
  stack: string;
  /** Of a `preloaded+layer:` one. */
  droplet?: Omit<Download, 'log_source'>;
}

/**
 * `preloaded:STACK`, or `preloaded+layer:STACK?layer=URL&layer_path=PATH&layer_digest=HEX` (rep
 * `conversion_helpers.go`, layering mode `two-layer`). Throws definition_unsupported for any other.
 */
export function parseRootfs(root_fs: string): Rootfs {
  const [, scheme = '', rest = ''] = /^([a-z+]+):(.*)$/s.exec(root_fs) ?? [];
  if (scheme === 'preloaded' && rest !== '') return { stack: rest };
  if (scheme === 'preloaded+layer') {
    const [stack = '', query = ''] = rest.split(/\?(.*)/s);
    const given = new URLSearchParams(query);
    const layer = given.get('layer');
    const digest = given.get('layer_digest') ?? '';
    if (stack !== '' && layer !== null) {
      return {
        stack,
        droplet: {
          artifact: 'droplet',
          from: layer,
          to: given.get('layer_path') ?? '/home/vcap',
          cache_key: digest === '' ? layer : `sha256:${digest}`,
          ...(digest === '' ? {} : { checksum: { algorithm: 'sha256', value: digest } }),
        },
      };
    }
  }
  if (scheme === 'docker') {
    throw new UnikError('definition_unsupported', 'a docker image cannot run here: this cell runs staged unikernels');
  }
  // Not told in full: a rootfs may hold a password.
  throw new UnikError('definition_unsupported', `the rootfs (${scheme || 'without a scheme'}) is not preloaded:STACK`);
}
