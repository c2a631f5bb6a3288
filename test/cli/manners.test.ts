/** What a user is told, and what is left alone. */
import {copyFileSync, linkSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {spawnSync} from 'node:child_process';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {afterAll, describe, expect, it} from 'vitest';
import {globMatches} from '../../src/base/glob.js';
import {type KnownFlags, standingWords} from '../../src/cli/standing.js';
import {nearest, parseTimeSpan} from '../../src/cli/values.js';
import type {Report} from '../../src/results/report.js';
import {json, pinscope, sample} from '../commands/pinscope.js';

const trace = sample('ftrace/misuse-6.12-page_ref');
const folder = mkdtempSync(path.join(tmpdir(), 'pinscope-manners-'));
afterAll(() => rmSync(folder, {recursive: true}));

describe('an output', () => {
  it('is never written onto what is read, by whatever name', () => {
    const one = path.join(folder, 'one.gz');
    const other = path.join(folder, 'other.gz');
    copyFileSync(trace, one);
    linkSync(one, other);
    const {size} = statSync(one);
    for (const words of [
      ['analyze', '-o', one, one],
      ['analyze', '-o', other, one],
      ['analyze', '-o', one, trace, other],
      ['history', '-o', one, one],
      ['info', '-o', one, one],
      ['export', '--to', 'perfetto', '-o', one, one],
      ['query', '-o', one, '--saved', 'who-pins', one],
    ]) {
      const {status, stderr} = pinscope(words);
      expect(status, words.join(' ')).toBe(2);
      expect(stderr).toContain('choose another name for -o');
      expect(statSync(one).size).toBe(size);
    }
    const known = path.join(folder, 'known');
    writeFileSync(known, '# nothing\n');
    expect(pinscope(['analyze', '-o', known, '--suppress', known, trace]).status).toBe(2);
    expect(readFileSync(known, 'utf8')).toBe('# nothing\n');
    writeFileSync(known, 'ffffffff81000000 T _text\n');
    expect(pinscope(['analyze', '-o', known, '--kallsyms', known, trace]).stderr).toContain(
      'choose another name for -o',
    );
    const ledger = path.join(folder, 'ledger');
    expect(pinscope(['export', '-q', '-o', ledger, trace]).status).toBe(0);
    const refs = path.join(ledger, 'refs.parquet');
    expect(pinscope(['query', '-o', refs, 'SELECT 1', ledger]).stderr).toContain(`${refs}: is a file of ${ledger}`);
    expect(readFileSync(refs).subarray(0, 4).toString()).toBe('PAR1');
  });
});

describe('a filter', () => {
  it.each([
    [['--comm', 'nosuch'], 'no task of this trace is named so'],
    [['--device', 'pinbug'], 'did you mean pinbug.0?'],
    [['--pfn', '0x9999999'], 'no event of this trace names such a page'],
    [['--pid', '999999'], 'no task of this trace has this number'],
    [['--cpu', '77'], 'no CPU of this trace has this number'],
    [['--inode', '424242'], 'no file of this trace has this number'],
    [['--time', '1,2'], '--time 1.000000,2.000000: all of this trace is after it; it runs from 17.012627 to 17.486522'],
    [['--time', '18,'], '--time 18.000000,: all of this trace is before it'],
    [['--finding', 'abcdef'], 'no finding has this key'],
    [['--finding', 'F3'], 'is a place in one report'],
  ])('of what the trace does not have is an error: %j', (words, told) => {
    const {status, stdout, stderr} = pinscope(['analyze', ...words, trace]);
    expect({status, stdout}).toEqual({status: 2, stdout: ''});
    expect(stderr).toContain(told);
  });

  it('of a file of another device is one as well', () => {
    const files = sample('ftrace/writeback-while-pinned');
    expect(pinscope(['analyze', '--inode', '1:1/14', files])).toMatchObject({
      status: 2,
      stderr: 'pinscope: --inode 1:1/14: this trace has no such file; the one of this number is 259:0/14\n',
    });
    expect(pinscope(['analyze', '--inode', '259:0/14', files]).status).toBe(1);
  });

  it('is told in the first line, with what it left out', () => {
    expect(pinscope(['analyze', '--rule', 'long-pin', trace]).stdout).toMatch(
      /^0 of 24 findings \(--rule long-pin\)\./,
    );
    const some = json<Report>('analyze', '--rule', 'pin-leak', '--comm', 'w*', trace);
    expect(some.selection).toEqual({
      filters: [
        {flag: '--comm', value: 'w*'},
        {flag: '--rule', value: 'pin-leak'},
      ],
      shown: 2,
      found: 24,
      left_out: 22,
    });
  });

  it('leaves the keys of findings as they are', () => {
    const all = json<Report>('analyze', trace);
    const some = json<Report>('analyze', '--rule', 'put-on-pin', trace);
    const keys = new Set(all.findings.map((finding) => finding.key));
    expect(keys.size).toBe(all.findings.length);
    expect(some.findings.length).toBeGreaterThan(1);
    for (const {key} of some.findings) expect(keys).toContain(key);
    const [{key} = {key: ''}] = some.findings;
    expect(json<Report>('analyze', '--finding', key.slice(0, 6), trace).findings.map((one) => one.key)).toEqual([key]);
  });
});

describe('what the user says of a trace', () => {
  it.each([
    ['ftrace/unpin-while-dma.txt.gz', ['--page-shift', '16'], 'page-shift-refuted'],
    ['ftrace/misuse-6.12-arm64-64k.txt.gz', ['--page-shift', '12'], 'page-shift-refuted'],
    ['trace-dat/call-stacks.dat.xz', ['--clock', 'mono'], 'clock-refuted'],
  ])('gives way to what the trace says: %s %j', (name, words, id) => {
    const file = path.join('sample-traces', name);
    const findings = (...more: string[]) => JSON.parse(pinscope(['analyze', '--json', ...more, file]).stdout) as Report;
    const [plain, told] = [findings(), findings(...words)];
    expect(told.findings).toEqual(plain.findings);
    expect(told.clock).toEqual(plain.clock);
    expect(told.quality.map((counter) => counter.id)).toContain(id);
  });

  it('of its form is blamed where nothing can be read so', () => {
    const {status, stderr} = pinscope(['analyze', '--from', 'perf-script', trace]);
    expect({status, stderr}).toEqual({
      status: 2,
      stderr: `pinscope: ${trace}: read as --from perf-script, none of it is an event; leave --from out\n`,
    });
  });
});

it('refuses traces of two boots', () => {
  const {status, stderr} = pinscope(['analyze', sample('ftrace/misuse-6.12-probes'), trace]);
  expect(status).toBe(2);
  expect(stderr).toContain('is of another boot than');
  expect(stderr).toContain('analyze them one by one:');
});

describe('a slip', () => {
  it.each([
    [['anlyze', trace], 'did you mean pinscope analyze?'],
    [['histroy', trace], 'did you mean pinscope history?'],
    [['analyze', '--pnf=0x1', trace], 'did you mean --pfn?'],
    [['analyze', '--format', 'json', trace], 'did you mean --to?'],
    [['analyze', '--no-color', trace], 'did you mean --color never?'],
    [['analyze', '--cause', 'pin-leak', trace], 'pinscope: --cause is of --bisect; give both'],
    [['completion', 'csh'], 'there is no completion for csh; did you mean zsh? (there are bash, zsh, fish)'],
    [['completion'], 'no shell named'],
  ])('is answered with what was meant: %j', (words, told) => {
    const {status, stderr} = pinscope(words);
    expect(status).toBe(2);
    expect(stderr).toContain(told);
  });

  it('of two letters swapped counts as one', () => {
    expect(nearest('pnf', ['pid', 'pfn', 'cpu'])).toBe('pfn');
  });
});

it('gives completions for three shells', () => {
  for (const shell of ['bash', 'zsh', 'fish'])
    expect(pinscope(['completion', shell]).stdout).toContain('--fail-on'.slice(2));
  expect(pinscope(['completion', 'fsh']).stderr).toContain('did you mean');
});

describe('flags that stand for every run', () => {
  const known = {suppress: {type: 'option'}, quiet: {type: 'boolean', char: 'q'}, kallsyms: {type: 'option'}};
  const anywhere = () => ({...known, limit: {type: 'option'}, 'long-pin': {type: 'option'}, bisect: {type: 'boolean'}});
  const standing = (flags: KnownFlags, env: NodeJS.ProcessEnv, typed: string[] = []): string[] =>
    standingWords(flags, env, typed, anywhere);

  it('come from a file and from PINSCOPE_OPTS, each for the commands that have it', () => {
    const config = path.join(folder, 'config');
    writeFileSync(config, '# known ones\n--suppress=/etc/known\n--long-pin 2s\n--bisect\n');
    const env = {PINSCOPE_CONFIG: config, PINSCOPE_OPTS: `-q --limit 3 --kallsyms '/a b/map'`};
    expect(standing(known, env)).toEqual(['--suppress=/etc/known', '-q', '--kallsyms', '/a b/map']);
    expect(standing({}, env)).toEqual([]);
    expect(standing(known, env, ['--suppress', 'mine'])).toEqual(['-q', '--kallsyms', '/a b/map']);
    expect(() => standing(known, {PINSCOPE_CONFIG: '', PINSCOPE_OPTS: 'trace.txt'})).toThrow('is no flag');
    writeFileSync(config, '--suppress /etc/my known\n');
    expect(standing(known, {PINSCOPE_CONFIG: config})).toEqual(['--suppress', '/etc/my known']);
    expect(() => standing(known, {PINSCOPE_CONFIG: '', PINSCOPE_OPTS: '--limt 3'})).toThrow('unknown flag --limt');
    expect(() => standing(known, {PINSCOPE_CONFIG: path.join(folder, 'none')})).toThrow('cannot be read');
  });

  it('give way to the command line', () => {
    const {stdout} = spawnSync(process.execPath, ['bin/run.js', 'analyze', '--to', 'json', trace], {
      encoding: 'utf8',
      maxBuffer: 1 << 27,
      env: {...process.env, PINSCOPE_CONFIG: '', PINSCOPE_OPTS: '--to mail --by page'},
    });
    expect((JSON.parse(stdout) as Report).groups?.by).toBe('page');
  });
});

it('takes the end of a span of time as a length', () => {
  const {from, to} = parseTimeSpan('time', '17.25,+5ms');
  expect([from?.ns, to?.ns]).toEqual([17_250_000_000n, 17_255_000_000n]);
  expect(() => parseTimeSpan('time', ',+5ms')).toThrow('needs a time before it');
});

describe('a share of the trace in --time', () => {
  it('is the time that it stands for, and told as that', () => {
    const {span} = json<Report>('analyze', trace);
    const seconds = (ns: bigint): string => `${ns / 1_000_000_000n}.${String(ns % 1_000_000_000n).padStart(9, '0')}`;
    const [start, end] = [BigInt(span.start_ns!), BigInt(span.end_ns!)];
    const middle = seconds(start + (end - start) / 2n);
    for (const [shares, times] of [
      ['0%,50%', `${seconds(start)},${middle}`],
      ['50.0%,', `${middle},`],
      ['50%,+5ms', `${middle},+5ms`],
    ] as const) {
      const some = json<Report>('analyze', '--time', shares, trace);
      expect(some.selection?.filters).toEqual([{flag: '--time', value: times}]);
      expect(some.findings.map(({key}) => key)).toEqual(
        json<Report>('analyze', '--time', times, trace).findings.map(({key}) => key),
      );
    }
    expect(json<Report>('analyze', '--time', '0%,100%', trace).selection?.left_out).toBe(0);
  });

  it.each([
    [['--time', '5%,101%', trace], '101% is behind the end of the trace'],
    [['--time', '5%', trace], 'two times with a comma between them are needed'],
    [['--time', '5%,6%', '-'], 'which a pipe does not tell; name the file'],
    [['--time', '60%,20%', trace], 'it ends before it begins'],
    [['--time', 'x%,20%', trace], 'x% is not a time'],
  ])('is refused where it means nothing: %j', (words, told) => {
    const {status, stderr} = pinscope(['analyze', ...words]);
    expect(stderr).toContain(told);
    expect(status).toBe(2);
  });
});

it.each([
  ['kworker*', 'kworker/0:1', true],
  ['k*:1', 'kworker/0:1', true],
  ['k*:2', 'kworker/0:1', false],
  ['w?', 'wl', true],
  ['w?', 'wlx', false],
  ['a.c', 'abc', false],
  ['***', '', true],
  [`${'a*'.repeat(30)}b`, 'a'.repeat(5000), false],
])('%s of %s: %s', (pattern, text, matches) => {
  expect(globMatches(pattern, text)).toBe(matches);
});
