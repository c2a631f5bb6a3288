/** CPU time, wall time and peak memory of a command, by GNU time. */
import {spawnSync} from 'node:child_process';
import {closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';

const TIME = '/usr/bin/time';

export function requireTime() {
  if (!existsSync(TIME)) {
    console.error(`bench: ${TIME} is missing: install GNU time (Debian: apt install time)`);
    process.exit(2);
  }
}

/** Whether a program is on this machine. */
export function has(program) {
  return spawnSync('sh', ['-c', `command -v ${program}`], {stdio: 'ignore'}).status === 0;
}

/**
 * Runs `command` (its output goes to a file) `runs` times and answers the middle one by CPU seconds: on a machine that is
 * shared one run in five is much quicker than the others, of one contestant or of the other. `accept` lists the exit
 * statuses that are no failure.
 */
export function measure(command, {runs = 1, accept = [0], env = {}} = {}) {
  return measureInTurn([{command, accept, env}], runs)[0];
}

/** The same of several commands, one after another in each of the `runs`: what slows the machine for a while slows them all. */
export function measureInTurn(commands, runs) {
  const dir = mkdtempSync(path.join(tmpdir(), 'pinscope-time-'));
  try {
    const all = commands.map(() => []);
    for (let i = 0; i < runs; i++) commands.forEach((one, at) => all[at].push(once(one, dir)));
    return all.map((of) => of.toSorted((a, b) => a.cpu - b.cpu)[Math.floor((of.length - 1) / 2)]);
  } finally {
    rmSync(dir, {recursive: true});
  }
}

function once({command, accept = [0], env = {}}, dir) {
  const report = path.join(dir, 'time');
  // a file, not /dev/null: grep looks no further than the first match when nobody reads its count
  const output = openSync(path.join(dir, 'output'), 'w');
  const {status, stderr} = spawnSync(TIME, ['-q', '-f', '%e %U %S %M', '-o', report, ...command], {
    stdio: ['ignore', output, 'pipe'],
    env: {...process.env, ...env},
    maxBuffer: 1 << 24,
  });
  closeSync(output);
  if (!accept.includes(status)) throw new Error(`${command.join(' ')} ended with ${status}: ${String(stderr)}`);
  const [wall, user, system, rss_kib] = readFileSync(report, 'utf8').trim().split(' ').map(Number);
  return {cpu: user + system, wall, rss: rss_kib * 1024};
}
