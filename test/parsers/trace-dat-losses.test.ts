/** What a trace.dat says of what it lacks, and what its buffers have of each other's. */
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {afterAll, describe, expect, it} from 'vitest';
import {EventKind} from '../../src/events/event.js';
import type {Gap} from '../../src/capture/gaps.js';
import type {Report} from '../../src/results/report.js';
import {analyzeFiles} from '../rules/analyze-text.js';
import {countedAs, FREE, traceDat, values, type WrittenFormat, type WrittenRecord} from './trace-dat-writer.js';

const dir = mkdtempSync(path.join(tmpdir(), 'pinscope-losses-'));
afterAll(() => rmSync(dir, {recursive: true, force: true}));

const {u32, u64} = values;
const frees = (n: number, pid = 701, id = 500): WrittenRecord[] =>
  Array.from({length: n}, (_, i) => ({id, pid, payload: Buffer.concat([u64(0x1000 + i), u32(0)])}));

interface Read {
  report: Report;
  gaps: readonly Gap[];
  leftOut: string | undefined;
  events: number;
}

async function read(bytes: Uint8Array): Promise<Read> {
  const file = path.join(dir, 'trace.dat');
  writeFileSync(file, bytes);
  let found: Omit<Read, 'report'> = {gaps: [], leftOut: undefined, events: 0};
  const report = await analyzeFiles([file], {
    read: ({capture}) => (found = {gaps: capture.gaps.all(), leftOut: capture.leftOut, events: capture.limits.events}),
  });
  return {report, ...found};
}

const everywhere = ({from, to}: Gap): boolean => from === -Infinity && to === Infinity;

describe('a trace.dat', () => {
  it('lacks nothing where the kernel counts what it has', async () => {
    expect((await read(traceDat([FREE], '', frees(50)))).gaps).toEqual([]);
  });

  it('lacks the events that could not be written in an interrupt storm, wherever they were', async () => {
    const {gaps} = await read(traceDat([FREE], '', frees(50), {stats: countedAs(50, {commitOverrun: 3})}));
    expect(gaps.some(everywhere)).toBe(true);
  });

  it('may lack the beginning of a CPU as well as its end (record -m)', async () => {
    const {gaps} = await read(traceDat([FREE], '', frees(50), {stats: countedAs(80)}));
    expect(gaps.map(({from, to}) => [Number.isFinite(from), Number.isFinite(to)])).toEqual(
      expect.arrayContaining([
        [false, true],
        [true, false],
      ]),
    );
    expect(gaps.some(everywhere)).toBe(false);
  });

  it('may lack the end of each CPU where nothing was counted: its recorder was killed (trace-cmd restore)', async () => {
    const {gaps} = await read(traceDat([FREE], '', frees(50), {stats: null}));
    expect(gaps.map(({to}) => to)).toEqual([Infinity]);
  });

  it('lacks what a record that cannot be read was', async () => {
    const records = frees(9).map((record, i) => (i === 5 ? {...record, id: 777} : record));
    const {gaps} = await read(traceDat([FREE], '', records));
    expect(gaps.map(({why, from, to}) => [why, Number.isFinite(to - from)])).toEqual([
      [expect.stringMatching(/^record 6 was not understood/), true],
    ]);
  });
});

describe('the buffers of a trace.dat', () => {
  it('may be of different CPUs (record -M 1 -e kmem -B two -M 2 -e kmem)', async () => {
    const {events, leftOut} = await read(traceDat([FREE], '', frees(50), {cpus: 2, instance: [[], frees(30)]}));
    expect([events, leftOut]).toEqual([80, undefined]);
    // on one CPU they are the same events
    expect((await read(traceDat([FREE], '', frees(50), {cpus: 2, instance: [frees(30), frees(7)]}))).events).toBe(57);
  });

  it('may be of different tasks', async () => {
    const {leftOut} = await read(traceDat([FREE], '', frees(50), {instance: [frees(30, 702)]}));
    expect(leftOut).toMatch(/kmem:mm_page_free of different tasks on CPU 0/);
  });
});

it('an event that has probes on several functions is of the function of each record', async () => {
  const address = (at: bigint): Buffer => values.u64(at);
  const records = [0xffffffff81000204n, 0xffffffff81000104n, 0xffffffff81000104n].map((ip): WrittenRecord => {
    return {id: 600, pid: 701, payload: Buffer.concat([address(ip), address(0xffffea0000004000n), u64(1)])};
  });
  const probe: WrittenFormat = {
    system: 'kprobes',
    name: 'mine',
    id: 600,
    fields: [
      ['unsigned long __probe_ip', 8, 8],
      ['u64 folio', 16, 8],
      ['u64 refs', 24, 8],
    ],
  };
  const kallsyms = 'ffffffff81000100 T gup_put_folio\nffffffff81000200 T vfs_read\nffffffff81000300 T vfs_write\n';
  const file = path.join(dir, 'probes.dat');
  writeFileSync(file, traceDat([probe], '', records, {kallsyms}));
  let drops = 0;
  await analyzeFiles([file], {read: ({capture}) => (drops = capture.seen[EventKind.GupPut]!)});
  expect(drops).toBe(2);
});
