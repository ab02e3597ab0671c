/** The monit files of the release's jobs: what they call is there, and what they watch is what the job writes. */
import { describe, expect, test } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { jobSpec, release } from '../../support/bosh/templates.js';

/** An errand, and a job that only brings files. */
const WITHOUT_PROCESS = ['smoke-tests', 'unik-buildpack'];
const text = (...path: string[]): string => readFileSync(join(release, 'jobs', ...path), 'utf8');

describe.each(readdirSync(join(release, 'jobs')))('%s', (job) => {
  const monit = text(job, 'monit');

  test('watches one process of its name, in the group that BOSH asks for, or none', () => {
    if (WITHOUT_PROCESS.includes(job)) expect(monit).toBe('');
    else {
      expect([...monit.matchAll(/^check process (\S+)$/gm)].map(([, name]) => name)).toEqual([job]);
      expect(monit).toMatch(/^ {2}group vcap$/m);
    }
  });

  if (!WITHOUT_PROCESS.includes(job))
    test('starts, stops and finds what the job has', () => {
      const [, pidfile = ''] = /^ {2}with pidfile (\S+)$/m.exec(monit) ?? [];
      const call = (verb: string): string[] =>
        new RegExp(`^ {2}${verb} program "([^"]+)"`, 'm').exec(monit)?.[1]?.split(' ') ?? [];
      const targets = Object.values(jobSpec(job).templates);
      const [program = '', ...words] = call('start');
      if (targets.includes('config/bpm.yml')) {
        expect([program, ...words]).toEqual(['/var/vcap/jobs/bpm/bin/bpm', 'start', job]);
        expect(call('stop')).toEqual(['/var/vcap/jobs/bpm/bin/bpm', 'stop', job]);
        const { processes } = parse(text(job, 'templates/config/bpm.yml.erb')) as { processes: { name: string }[] };
        expect(pidfile).toBe(`/var/vcap/sys/run/bpm/${job}/${processes[0]?.name}.pid`);
      } else {
        expect(targets).toContain(program.replace(`/var/vcap/jobs/${job}/`, ''));
        expect(words).toEqual(['start']);
        expect(call('stop')).toEqual([program, 'stop']);
        const env = text(job, 'templates/bin/env.erb');
        expect(env).toContain('RUN=/var/vcap/sys/run/$NAME\n');
        expect(env).toContain('PIDFILE=$RUN/$NAME.pid\n');
        expect(pidfile).toBe(`/var/vcap/sys/run/${job}/${job}.pid`);
      }
    });
});
