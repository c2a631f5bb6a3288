/** Recordings whose numbers lie: they are refused, or what can be read of them is, and neither work nor memory is theirs to choose. */
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {afterAll, describe, expect, it} from 'vitest';
import {Damaged} from '../../parsers/records/cursor.js';
import {unpackerReady, unpackStream} from '../../parsers/records/unpack.js';
import {info} from '../../src/run/info.js';
import {UserError} from '../../src/io/user-error.js';
import type {Report} from '../../src/results/report.js';
import {analyzeFiles} from '../rules/analyze-text.js';
import {ALLOC, FREE, traceDat, values} from './trace-dat-writer.js';

const dir = mkdtempSync(path.join(tmpdir(), 'pinscope-hostile-'));
afterAll(() => rmSync(dir, {recursive: true, force: true}));

const {u32, u64} = values;
const frees = (n: number): {id: number; pid: number; payload: Buffer}[] =>
  Array.from({length: n}, (_, i) => ({id: 500, pid: 701, payload: Buffer.concat([u64(0x1000 + i), u32(0)])}));

async function read(bytes: Uint8Array): Promise<Report> {
  const file = path.join(dir, 'hostile');
  writeFileSync(file, bytes);
  return analyzeFiles([file]);
}

async function refusal(bytes: Uint8Array): Promise<string> {
  try {
    await read(bytes);
  } catch (error) {
    if (error instanceof UserError) return error.message;
    throw error;
  }
  throw new Error('was not refused');
}

const lost = ({quality}: Report): number => quality.filter(({id}) => id === 'lost-events').length;

describe('a trace.dat', () => {
  it('gives each byte to one CPU, however many claim it', async () => {
    const one = await read(traceDat([FREE], '', frees(50)));
    const many = await read(traceDat([FREE], '', frees(50), {cpus: 2000}));
    expect([one.inputs[0]!.events, many.inputs[0]!.events]).toEqual([50, 50]);
    // what the others had is not known
    expect(lost(one)).toBe(0);
    expect(lost(many)).toBeGreaterThan(0);
  });

  it.each([0, 4, 2 ** 24])('is refused where its sub-buffers have %d bytes of data', async (data) => {
    expect(await refusal(traceDat([FREE], '', frees(5), {data}))).toMatch(/sub-buffers of \d+ bytes/);
  });

  it('that breaks a law does so at a record, for it has no lines', async () => {
    const payload = Buffer.concat([u64(0x1000), u32(0, 0), u64(0), u32(0)]);
    const file = path.join(dir, 'twice.dat');
    writeFileSync(
      file,
      traceDat([FREE, ALLOC], '', [...frees(1), ...[1, 2].map(() => ({id: 501, pid: 701, payload}))]),
    );
    const none = {
      from: undefined,
      kernel: undefined,
      pageShift: undefined,
      vmemmap: undefined,
      command: [],
      version: '',
    };
    const {laws} = await info({traces: [file], ...none});
    expect(laws.flatMap(({first}) => first?.why ?? [])).toEqual([expect.stringMatching(/^record 3 /)]);
  });

  it('has records that are too short for their format', async () => {
    const {inputs, quality} = await read(traceDat([FREE], '', frees(5), {pidAt: 60_000}));
    expect(inputs[0]!.events).toBe(0);
    expect(quality.map(({id}) => id)).toContain('unrecognised-lines');
  });
});

/** A zstd frame that does not end: blocks of 128 KiB that are one byte each, of four bytes. */
function zeros(blocks: number): Buffer {
  const block = Buffer.alloc(4);
  block.writeUIntLE((131072 << 3) | (1 << 1), 0, 3);
  return Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0x58]), ...Array.from({length: blocks}, () => block)]);
}

describe('the packed records of a perf.data', () => {
  it('are read as far as they are believed', async () => {
    await unpackerReady();
    let bytes = 0;
    const unpackAll = (packed: Buffer): void => {
      for (const plain of unpackStream([packed])) bytes += plain.length;
    };
    unpackAll(zeros(16));
    // what a block holds may come with the next
    expect(bytes).toBeGreaterThanOrEqual(15 * 131072);
    bytes = 0;
    expect(() => unpackAll(zeros(10_000))).toThrow(Damaged);
    expect(bytes).toBeLessThan(100_000_000);
  });
});
