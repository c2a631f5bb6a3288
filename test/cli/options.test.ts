import path from 'node:path';
import type {Interfaces} from '@oclif/core';
import {describe, expect, it} from 'vitest';
import type {TraceOptions} from '../../src/cli/base.js';
import {TraceCommand} from '../../src/cli/base.js';
import {explain} from '../../src/cli/failure.js';

/** A command that does nothing but tell what it was told. */
class Probe extends TraceCommand {
  async run(): Promise<TraceOptions> {
    return this.traceOptions();
  }
}

const pjson = {name: 'pinscope', version: '0.0.0', oclif: {bin: 'pinscope'}} as Interfaces.PJSON;
const options = (...argv: string[]): Promise<TraceOptions> =>
  // oclif's type wraps the promise twice
  Probe.run(argv, {root: path.resolve('.'), pjson, ignoreManifest: true}) as Promise<unknown> as Promise<TraceOptions>;

/** The line that a wrong command line gives. */
async function complaint(...argv: string[]): Promise<string> {
  const error: unknown = await options(...argv).then(
    () => undefined,
    (e: unknown) => e,
  );
  expect(error).toBeDefined();
  const {line, status} = explain(error);
  expect(status).toBe(2);
  expect(line).not.toContain('\n');
  return line;
}

describe('options', () => {
  it('have the defaults of the contract', async () => {
    expect(await options()).toMatchObject({
      traces: [],
      from: undefined,
      to: 'table',
      output: undefined,
      severity: 'note',
      limit: undefined,
      failOn: {severity: 'warning', sure: false},
      longPin_ns: 1e9,
      strict: false,
      quiet: false,
      color: false,
      selection: {pfn: [], time: undefined, pid: [], comm: [], cpu: [], device: [], inode: []},
    });
  });

  it('take traces anywhere, and - for standard input', async () => {
    expect((await options('a', '--pfn', '3', 'b', '-', '--cpu', '0-1')).traces).toEqual(['a', 'b', '-']);
  });

  it('take lists, and flags given again', async () => {
    const {selection, rules} = await options('--pfn', '1,2', '--pfn', '0x3', '--comm', 'fio', '--rule', 'a,b');
    expect(selection.pfn.map((range) => range.first)).toEqual([1, 2, 3]);
    expect(selection.comm).toEqual(['fio']);
    expect(rules).toEqual(['a', 'b']);
  });

  it('know the flags of the contract', async () => {
    const given = await options(
      ...'--from ftrace --json -o out.json --time 1,2 --pid 7 --device 0000:00:03.0 --inode 8:1/12'.split(' '),
      ...'--severity error --limit 0 --fail-on error:sure --long-pin 2s --suppress known --kernel 6.12'.split(' '),
      ...'--page-shift 16 --vmemmap 0xffffea0000000000 --clock mono --color always --quiet --strict'.split(' '),
    );
    expect(given).toMatchObject({
      from: 'ftrace',
      to: 'json',
      output: 'out.json',
      severity: 'error',
      limit: 0,
      failOn: {severity: 'error', sure: true},
      longPin_ns: 2e9,
      suppress: 'known',
      kernel: {major: 6, minor: 12},
      pageShift: 16,
      vmemmap: 0xffffea0000000000n,
      clock: 'mono',
      color: true,
      quiet: true,
      strict: true,
    });
  });

  it.each([
    [['--longpin', '3s'], 'unknown flag --longpin; did you mean --long-pin?'],
    [['--zzz'], 'unknown flag --zzz; see --help'],
    [['--pfn'], 'Flag --pfn expects a value; see --help'],
    [['--limit', '1', '--limit', '2'], 'Flag --limit can only be specified once; see --help'],
    [['--limit', '-1'], '--limit "-1": not a whole number from 0 to 1000000000; write it like 1'],
    [['--page-shift', '99'], '--page-shift "99": not a whole number from 12 to 18; write it like 12'],
    [
      ['--fail-on', 'error:maybe'],
      '--fail-on "error:maybe": only :sure may follow the severity; write it like warning or error:sure',
    ],
    [['--json', '--to', 'html'], '--json and --to html contradict each other; give one of them'],
    [['-o', ''], '-o needs the name of a file'],
  ])('in one line say what is wrong: %j', async (argv, line) => {
    expect(await complaint(...argv)).toBe(line);
  });

  it('keep control characters of the command line from the terminal', async () => {
    expect(await complaint('--comm', 'a\u001b[31m,')).not.toContain('\u001b');
    expect(await complaint('--\u001b[31m')).not.toContain('\u001b');
  });
});
