/** What a perf.data does not have because nobody asked for it, or perf never writes it: nothing rests on its silence, and symbols are moved. */
import {execFileSync} from 'node:child_process';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {afterAll, describe, expect, it} from 'vitest';
import type {Report} from '../../src/results/report.js';
import {json} from '../commands/pinscope.js';
import {analyzeFiles} from '../rules/analyze-text.js';

const dir = mkdtempSync(path.join(tmpdir(), 'pinscope-scope-'));
afterAll(() => rmSync(dir, {recursive: true, force: true}));

// perf record -a -k CLOCK_MONOTONIC -m 2048 -o /tmp/perf.data -e ...
const PERF = execFileSync('xz', ['-dc', 'sample-traces/perf-data/early-unpins-6.12.data.xz'], {maxBuffer: 1 << 28});
const HEAD = {attrBytes: 16, attrsAt: 24, attrsSize: 32};

/** `change` gets each attr of the file. */
function attrs(change: (attr: Buffer) => void): Buffer {
  const bytes = Buffer.from(PERF);
  const each = Number(bytes.readBigUInt64LE(HEAD.attrBytes));
  const start = Number(bytes.readBigUInt64LE(HEAD.attrsAt));
  const end = start + Number(bytes.readBigUInt64LE(HEAD.attrsSize));
  for (let at = start; at < end; at += each) change(bytes.subarray(at, at + each));
  return bytes;
}

const PERIOD = 16;
const SAMPLE_TYPE = 24;
const FLAGS = 40;

/** The first option of the command line is another; perf gives each word 64 bytes and more. */
function asked(option: string): Buffer {
  const bytes = Buffer.from(PERF);
  const at = bytes.indexOf('\0-a\0', 0, 'latin1') + 1;
  expect(at).toBeGreaterThan(0);
  bytes.write(option, at, 'latin1');
  return bytes;
}

/** Records of a type become such as no reader knows. */
function without(type: number, bytes: Buffer): Buffer {
  const data = Number(bytes.readBigUInt64LE(40));
  const end = data + Number(bytes.readBigUInt64LE(48));
  for (let at = data; at < end; at += bytes.readUInt16LE(at + 6))
    if (bytes.readUInt32LE(at) === type) bytes.writeUInt32LE(99, at);
  return bytes;
}
const THREAD_MAP = 73;

async function read(bytes: Uint8Array): Promise<Report> {
  const file = path.join(dir, 'perf.data');
  writeFileSync(file, bytes);
  return analyzeFiles([file]);
}

const sure = ({findings}: Report): number => findings.filter(({verdict}) => verdict === 'sure').length;
const told = ({quality}: Report): string =>
  quality.flatMap(({id, message}) => (id === 'left-out' || id === 'some-tasks' ? [message] : [])).join('; ');

describe('a perf.data', () => {
  it('of all events, tasks and CPUs has sure findings', async () => {
    const report = await read(PERF);
    expect(sure(report)).toBeGreaterThan(0);
    expect(told(report)).toBe('');
    // a period that each sample tells is no choice of samples
    expect(sure(await read(attrs((attr) => attr.writeBigUInt64LE(10n, PERIOD))))).toBe(sure(report));
  });

  it.each([
    ['a frequency', attrs((attr) => (attr[FLAGS + 1]! |= 1 << 2)), /perf took samples/],
    [
      'one of ten',
      attrs((attr) => {
        attr.writeBigUInt64LE(10n, PERIOD);
        attr.writeBigUInt64LE(attr.readBigUInt64LE(SAMPLE_TYPE) & ~256n, SAMPLE_TYPE);
      }),
      /perf took samples/,
    ],
    ['users only', attrs((attr) => (attr[FLAGS]! |= 1 << 5)), /what the kernel does was left out/],
    ['one of two CPUs', attrs((attr) => attr.writeBigUInt64LE(8n, attr.length - 8)), /1 of 2 CPUs/],
    ['one user', asked('-uroot'), /one user only \(-u root\)/],
    ['a filter', asked('--filter=pfn>5'), /filtered \(--filter pfn>5\)/],
    ['a control group', asked('-qGdocker'), /control groups only \(-G docker\)/],
    ['what a program switches on and off', asked('--control=fifo:c'), /switched off for a while \(--control fifo:c\)/],
    ['all but perf', asked('--exclude-perf'), /perf's own events were left out/],
    ['spans of time', asked('-D10-20,30-40'), /spans of time only/],
    ['a process', without(THREAD_MAP, asked('-p4711')), /only some tasks.*process 4711/],
    [
      'a command',
      without(
        THREAD_MAP,
        attrs((attr) => (attr[FLAGS + 1]! |= 1 << 4)),
      ),
      /only some tasks/,
    ],
  ])('of %s has none, and says why', async (_, bytes, why) => {
    // the words of a sample's period are gone with its bit: such a file only tells how it was made
    const report = await read(bytes);
    expect(told(report)).toMatch(why);
    expect(sure(report)).toBe(0);
  });
});

describe('a perf.data that overwrites its oldest events', () => {
  it('says of each CPU that what was before its first is gone', async () => {
    const {quality} = await read(attrs((attr) => (attr[FLAGS + 3]! |= 1 << 3)));
    expect(quality.find(({id}) => id === 'overwritten-start')?.count).toBe(2);
  });
});

describe('symbols that are given for a perf.data', () => {
  const recording = path.join(dir, 'symbols.data');
  const symbols = path.join(dir, 'kallsyms');

  /** What the report calls where the page was put, and what it says of symbols. */
  function called(lines: readonly string[]): {put: string | undefined; said: string | undefined} {
    writeFileSync(recording, PERF);
    writeFileSync(symbols, `${lines.join('\n')}\n`);
    const {findings, quality} = json<Report>('analyze', '--kallsyms', symbols, recording);
    const put = findings[0]!.evidence.map(({text}) => /gup_put_folio: (\(.*?\))/.exec(text)?.[1]).find(Boolean);
    return {put, said: quality.find(({id}) => id === 'symbols')?.message};
  }

  // the recording's own: _text at ffffffffa7400000, gup_put_folio() at ffffffffa777f290
  it('are taken as they are where they are of its boot', () => {
    const {put, said} = called(['ffffffffa7400000 T _text', 'ffffffffa777f290 t gup_put_folio']);
    expect([put, said]).toEqual(['(gup_put_folio+0x0)', undefined]);
  });

  it('are moved where the kernel lay elsewhere, and modules not believed', () => {
    const {put, said} = called([
      'ffffffff81000000 T _text',
      'ffffffff8137f290 t gup_put_folio',
      'ffffffffa777f000 t other\t[module]',
    ]);
    expect(put).toBe('(gup_put_folio+0x0)');
    expect(said).toMatch(/of another boot: moved by 0x26400000; functions of modules are not named/);
  });
});
