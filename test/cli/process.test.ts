/** pinscope as a shell sees it: what it prints, where, and how it ends. */
import {spawnSync} from 'node:child_process';
import {cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {gzipSync} from 'node:zlib';
import {afterAll, beforeAll, describe, expect, inject, it} from 'vitest';

const run = path.resolve('bin/run.js');

/** Pages taken and dropped: no bug in it, and enough for rules to run. */
function trace(pages = 8): string {
  const lines = ['# tracer: nop', '#'];
  const event = (at: number, what: string): void => {
    lines.push(`             fio-309     [001] ...1.    12.${String(at).padStart(6, '0')}: ${what}`);
  };
  for (let i = 0; i < pages; i++) {
    const page = `pfn=0x${(0x2f00 + i).toString(16)} flags=uptodate count`;
    event(i * 10, `page_ref_mod: ${page}=1025 mapcount=0 mapping=0000000000000000 mt=1 val=1024`);
    event(i * 10 + 5, `page_ref_mod_and_test: ${page}=1 mapcount=0 mapping=0000000000000000 mt=1 val=-1024 ret=0`);
  }
  return `${lines.join('\n')}\n`;
}

let dir = '';
const at = (name: string): string => path.join(dir, name);

beforeAll(() => {
  expect(inject('buildFailure')).toBe('');
  dir = mkdtempSync(path.join(tmpdir(), 'pinscope-process-'));
  writeFileSync(at('trace.txt'), trace());
  writeFileSync(at('long.txt'), trace(12_000));
});
afterAll(() => rmSync(dir, {recursive: true}));

/** Runs a line of shell in which `pinscope` is ours; standard input is empty unless given. */
function shell(line: string, input: string | Buffer = ''): {status: number | null; stdout: string; stderr: string} {
  const script = `pinscope() { '${process.execPath}' '${run}' "$@"; }; cd '${dir}'; ${line}`;
  const {status, stdout, stderr} = spawnSync('bash', ['-c', script], {input, timeout: 30_000});
  return {status, stdout: stdout.toString(), stderr: stderr.toString()};
}

describe('pinscope', () => {
  it('tells its version and its commands', () => {
    const {version} = JSON.parse(readFileSync('package.json', 'utf8')) as {version: string};
    expect(shell('pinscope --version').stdout).toMatch(new RegExp(`^pinscope/${version.replaceAll('.', '\\.')} `));
    expect(shell('pinscope').stdout).toMatch(/^ {2}analyze +\S/m);
    expect(shell('pinscope help analyze').stdout).toContain('--fail-on=SEVERITY[:sure]');
  });

  // only root can be somebody else, who may not be let into this checkout
  it.skipIf(process.getuid?.() !== 0)(
    'runs for a user who is not in /etc/passwd, without HOME and SHELL',
    (context) => {
      const nobody = {uid: 54_321, gid: 54_321, env: {}, encoding: 'utf8'} as const;
      if (spawnSync(process.execPath, ['-e', '0'], nobody).status !== 0) context.skip();
      const copy = mkdtempSync(path.join(tmpdir(), 'pinscope-copy-'));
      for (const part of ['bin', 'dist', 'package.json']) cpSync(part, path.join(copy, part), {recursive: true});
      spawnSync('chmod', ['-R', 'a+rX', copy]);
      const {status, stdout, stderr} = spawnSync(process.execPath, [path.join(copy, 'bin/run.js'), 'rules'], nobody);
      rmSync(copy, {recursive: true});
      expect([status, stderr]).toEqual([0, '']);
      expect(stdout).toContain('unpin-while-dma');
    },
  );

  it.each([
    ['analyse x', 'unknown command analyse; did you mean pinscope analyze?'],
    ['trace.txt', 'trace.txt is a file, not a command; to read it: pinscope analyze trace.txt'],
    ['analyze --jsn trace.txt', 'unknown flag --jsn; did you mean --json?'],
    ['analyze nowhere', 'nowhere: no such file; check the path'],
    ['analyze .', '.: is a directory; name the trace files in it'],
    ['analyze trace.txt ./trace.txt', './trace.txt: is the same file as trace.txt; give each trace once'],
    ['analyze', 'standard input: is empty; check that the command before the pipe printed a trace'],
    [
      'analyze -o no/report trace.txt',
      'no/report: cannot write: the directory does not exist; make the directory first',
    ],
  ])('answers %j with one line and status 2', (line, answer) => {
    expect(shell(`pinscope ${line}`)).toEqual({status: 2, stdout: '', stderr: `pinscope: ${answer}\n`});
  });

  it('reads a trace from a file, from standard input, and compressed', () => {
    const {status, stdout} = shell('pinscope analyze trace.txt --json');
    expect(status).toBe(0);
    const report = JSON.parse(stdout) as {inputs: {events: number; bytes: number}[]};
    expect(report.inputs).toMatchObject([{events: 16, bytes: trace().length}]);
    expect(shell('pinscope analyze --json', trace()).stdout).toContain('"events":16');
    expect(shell('pinscope analyze - --json < trace.txt').stdout).toContain('"events":16');
    expect(shell('pinscope analyze --json', gzipSync(trace())).stdout).toContain('"compression":"gzip"');
  });

  it('says that a gzip file was cut, and what that means under --strict', () => {
    const packed = gzipSync(Buffer.from(trace().repeat(50)));
    writeFileSync(at('cut.gz'), packed.subarray(0, packed.length - 20));
    const {status, stdout} = shell('pinscope analyze cut.gz --json');
    expect(status).toBe(0);
    expect(stdout).toContain('the gzip data end in the middle');
    expect(shell('pinscope analyze --strict cut.gz').status).toBe(3);
  });

  it('says what room is wanting for a recording that comes through a pipe, not that it is damaged', () => {
    const recording = path.resolve('sample-traces/trace-dat/empty-instance.dat.xz');
    const {status, stderr} = shell(`ulimit -f 100; xz -dc '${recording}' | TMPDIR=. pinscope analyze -`);
    expect(status).toBe(2);
    expect(stderr).toMatch(/only the first 102400 bytes could be put aside in .*: a file may not be larger here/);
    expect(stderr).toMatch(/set TMPDIR/);
    expect(stderr).not.toMatch(/trace-cmd was killed/);
    expect(readdirSync(dir).filter((name) => name.startsWith('pinscope-'))).toEqual([]);
  });

  it('writes a file whole or not at all', () => {
    mkdirSync(at('out'));
    expect(shell('pinscope analyze trace.txt -o out/report.txt')).toEqual({status: 0, stdout: '', stderr: ''});
    expect(readFileSync(at('out/report.txt'), 'utf8')).toContain('trace.txt');
    expect(shell('pinscope analyze nowhere -o out/other.txt').status).toBe(2);
    expect(readdirSync(at('out'))).toEqual(['report.txt']);
  });

  it('ends quietly when its reader goes away, with the status it would have had', () => {
    const {stdout, stderr} = shell('pinscope analyze trace.txt | head -1; echo "status ${PIPESTATUS[0]}"');
    expect(stdout.split('\n').length).toBe(3);
    expect(stdout).toContain('status 0');
    expect(stderr).toBe('');
    expect(shell('pinscope --help | true').stderr).toBe('');
  });

  it.each(['analyze trace.txt', '--help'])('says that the disk is full: %s', (line) => {
    const {status, stderr} = shell(`pinscope ${line} > /dev/full`);
    expect(status).toBe(2);
    expect(stderr).toMatch(/^pinscope: standard output: cannot write: no space left on the device; [^\n]+\n$/);
  });

  it('prints no progress and no colour where there is no terminal', () => {
    const {stdout, stderr} = shell('pinscope analyze trace.txt');
    expect(stdout).not.toContain('\u001b');
    expect(stderr).toBe('');
  });
});

describe('a run that is stopped', () => {
  /**
   * Starts a run on a FIFO that gives a trace and then nothing, and sends it a signal. The trace is longer than what a
   * pipe holds and what is looked at beforehand, so when all of it is written, much of it has been read.
   */
  function interrupted(signal: string, command = 'analyze --json'): ReturnType<typeof shell> {
    return shell(`
      rm -rf pipe.${signal} out.${signal} written.${signal}
      mkfifo pipe.${signal}
      (cat long.txt; touch written.${signal}; exec sleep 60) > pipe.${signal} & writer=$!
      '${process.execPath}' '${run}' ${command} pipe.${signal} -o out.${signal} & reader=$!
      until [ -e written.${signal} ]; do sleep 0.1; done
      kill -${signal} $reader
      wait $reader; echo "status $?"
      kill $writer`);
  }

  it.each([
    ['INT', 130],
    ['TERM', 143],
    ['HUP', 129],
  ])('by SIG%s reports what it has read, and says so', (signal, status) => {
    const {stdout, stderr} = interrupted(signal);
    expect(stdout).toBe(`status ${status}\n`);
    expect(stderr).toMatch(new RegExp(`^pinscope: SIG${signal}: stopping; `));
    const report = JSON.parse(readFileSync(at(`out.${signal}`), 'utf8')) as {
      partial: string;
      inputs: {events: number; unrecognised: {count: number}}[];
    };
    expect(report.partial).toContain(`SIG${signal}`);
    // the line in which reading was stopped is none that was not understood
    expect(report.inputs[0]?.unrecognised.count).toBe(0);
    expect(report.inputs[0]?.events).toBeGreaterThan(100);
  });

  it.each(['export --to csv', 'export --to perfetto'])('ends %s with the status of the signal too', (command) => {
    expect(interrupted('INT', command).stdout).toBe('status 130\n');
  });

  it('by the end of the command before the pipe reports what it got', () => {
    const {status, stdout} = shell('(head -c 1000 trace.txt; kill -9 $BASHPID) | pinscope analyze --json');
    expect(status).toBe(0);
    expect(stdout).toContain('"lines":9');
  });
});
