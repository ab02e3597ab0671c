import { UnikError } from '../../../core/errors.js';
import type { InstanceConfig } from '../../model.js';

/** What a template may ask for beside variables of the environment, which its words hold as `$NAME`. */
const FACTS = {
  ADDRESS: ({ net }: InstanceConfig) => net.address ?? '',
  GATEWAY: ({ net }: InstanceConfig) => net.gateway ?? '',
  DNS: ({ net }: InstanceConfig) => net.dns.join(','),
  HOSTNAME: ({ hostname }: InstanceConfig) => hostname,
} as const;

/**
 * The arguments of a MirageOS program: the words of the process, where `@ADDRESS@` (with prefix), `@GATEWAY@`, `@DNS@`
 * and `@HOSTNAME@` stand for what the machine has. A word with a fact that there is none of is left out.
 * There is no environment: a program sees what its words name. Throws bad_request.
 */
export function fillTemplate(config: InstanceConfig): string[] {
  return config.argv.slice(1).flatMap((word) => {
    const names = [...word.matchAll(FACT)].map(([, name = '']) => name).filter(isFact);
    if (names.some((name) => FACTS[name](config) === '')) return [];
    const filled = word.replace(FACT, (whole, name: string) => (isFact(name) ? FACTS[name](config) : whole));
    if (/[\s\0]/.test(filled))
      throw new UnikError('bad_request', `the argument ${JSON.stringify(filled)} holds a blank`);
    return [filled];
  });
}

const FACT = /@([A-Z]+)@/g;

function isFact(name: string): name is keyof typeof FACTS {
  return Object.hasOwn(FACTS, name);
}
