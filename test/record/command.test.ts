import {spawn} from 'node:child_process';
import {existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {afterAll, describe, expect, test} from 'vitest';
import {type Ended, pinscope} from '../commands/pinscope.js';
import {runScript} from '../../src/record/run.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const dir = mkdtempSync(join(tmpdir(), 'pinscope-test.'));
afterAll(() => rmSync(dir, {recursive: true, force: true}));

const record = (...args: string[]): Ended => pinscope(['record', ...args]);

describe('pinscope record', () => {
  test('prints a script for sh and nothing else', () => {
    const {status, stdout, stderr} = record(
      '--print',
      '--with',
      'trace-cmd',
      '--rules',
      'long-pin',
      '--duration',
      '5s',
    );
    expect(stderr).toBe('');
    expect(status).toBe(0);
    expect(stdout).toMatch(/^#!\/bin\/sh\n/);
    expect(stdout).toMatch(/^seconds=5$/m);
  });

  test('prints the bare program for bpftrace and a named kernel', () => {
    const {status, stdout} = record('--print', '--with', 'bpftrace', '--kernel', '6.1');
    expect(status).toBe(0);
    expect(stdout).toMatch(/^\/\/ Recording program of pinscope/);
    expect(stdout).toContain('BEGIN { @vm');
  });

  test.each([
    [[], /-o FILE/],
    [['--print', '--', 'true'], /takes no command/],
    [['--print', '-o', 'x'], /standard output/],
    [['--print', '--rules', 'nonsense'], /nonsense/],
  ])('%j is a usage error', (args, message) => {
    const {status, stderr} = record(...args);
    expect(status).toBe(2);
    expect(stderr).toMatch(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });
});

describe('running a script', () => {
  test('hands the output and the command over, and answers its status', async () => {
    const trace = join(dir, 'trace');
    const status = await runScript('printf "%s|" "$@" >"$2"; exit 7', trace, ['fio', '-x', 'a b']);
    expect(status).toBe(7);
    expect(readFileSync(trace, 'utf8')).toBe(`-o|${trace}|--|fio|-x|a b|`);
  });

  test('ends the script when the process that runs it is killed', async () => {
    const file = join(dir, 'runner.mts');
    const said = join(dir, 'said');
    writeFileSync(
      file,
      `import {type Ended, pinscope} from '../commands/pinscope.js';
import {runScript} from ${JSON.stringify(join(root, 'src/record/run.ts'))};
      await runScript(\`trap 'echo ended >"$2"; exit 0' TERM; echo $$ >"$2"; while :; do sleep 0.1; done\`, ${JSON.stringify(said)}, []);`,
    );
    const runner = spawn(process.execPath, ['--import', 'tsx', file], {cwd: root, stdio: 'ignore'});
    const says = async (words: RegExp) => {
      for (let i = 0; i < 300; i++) {
        if (existsSync(said) && words.test(readFileSync(said, 'utf8'))) return true;
        // eslint-disable-next-line no-await-in-loop -- polling
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      return false;
    };
    expect(await says(/\d/)).toBe(true);
    runner.kill('SIGKILL');
    expect(await says(/ended/)).toBe(true);
  });
});
