/**
 * What stands for bpm in a VM of the tests: reads a job's `bpm.yml`, runs its process as an ordinary user without any
 * capability, with pid file and logs where bpm has them, ends it by TERM and then QUIT. Of its namespaces it makes none.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';

const schema = z.strictObject({
  processes: z.array(
    z.strictObject({
      name: z.string(),
      executable: z.string().startsWith('/var/vcap/packages/'),
      args: z.array(z.string()),
      limits: z.strictObject({ open_files: z.number() }),
    }),
  ),
});

const VCAP_UID = 61_001;

/** The text of `bin/bpm` for one job whose templates are rendered into `folder`. `gid`: of the group `vcap`. */
export function bpmFor(folder: string, gid: number): string {
  const { processes } = schema.parse(parse(readFileSync(join(folder, 'config/bpm.yml'), 'utf8')));
  const [process, ...more] = processes;
  if (!process || more.length > 0) throw new Error(`${folder}: not one process in bpm.yml`);
  const words = [process.executable, ...process.args].map((word) => `'${word}'`).join(' ');
  return `#!/bin/bash
set -eu
job=$2
run=/var/vcap/sys/run/bpm/$job log=/var/vcap/sys/log/$job data=/var/vcap/data/$job
pidfile=$run/${process.name}.pid
case $1 in
  start)
    mkdir -p "$run" "$log" "$data/tmp"
    chown ${VCAP_UID}:${gid} "$log" "$data" "$data/tmp"
    (
      ulimit -n ${process.limits.open_files}
      exec setpriv --reuid=${VCAP_UID} --regid=${gid} --clear-groups --bounding-set=-all --no-new-privs \\
        env -i PATH=/usr/bin:/bin HOME="$data" TMPDIR="$data/tmp" \\
        ${words} </dev/null >>"$log/${process.name}.stdout.log" 2>>"$log/${process.name}.stderr.log"
    ) &
    echo $! >"$pidfile"
    ;;
  stop)
    pid=$(cat "$pidfile")
    kill -TERM "$pid" || true
    for _ in $(seq 1 200); do
      [ -d "/proc/$pid" ] || break
      sleep 0.1
    done
    if [ -d "/proc/$pid" ]; then kill -QUIT "$pid"; echo "asked twice" >&2; exit 1; fi
    rm "$pidfile"
    ;;
esac
`;
}
