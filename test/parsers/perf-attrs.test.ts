/** What attrs of a perf.data say of its samples. */
import {execFileSync} from 'node:child_process';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {afterAll, expect, it} from 'vitest';
import type {Report} from '../../src/results/report.js';
import {analyzeFiles, told} from '../rules/analyze-text.js';
import {perfFile, perfParts} from './perf-data-writer.js';

const dir = mkdtempSync(path.join(tmpdir(), 'pinscope-attrs-'));
afterAll(() => rmSync(dir, {recursive: true, force: true}));
const PERF = execFileSync('xz', ['-dc', 'sample-traces/perf-data/early-unpins-6.12.data.xz'], {maxBuffer: 1 << 28});
const SAMPLE = 9;

async function read(bytes: Buffer): Promise<Report> {
  const file = path.join(dir, 'perf.data');
  writeFileSync(file, bytes);
  return analyzeFiles([file]);
}

it('an event that was asked for twice happened once (-e page_ref:* -e page_ref:page_ref_mod)', async () => {
  const parts = perfParts(PERF);
  const whole = await read(perfFile(PERF, parts));
  expect(told(whole)).toEqual(told(await read(PERF)));
  // each tracepoint once more, with ids of its own
  const again = 1000n;
  const n = parts.attrs.length;
  const known = new Set(parts.ids.slice(0, -1).flat());
  for (let i = 0; i < n - 1; i++) {
    parts.attrs.push(parts.attrs[i]!);
    parts.ids.push(parts.ids[i]!.map((id) => id + again));
  }
  parts.records = parts.records.flatMap((record) => {
    if (record.readUInt32LE(0) !== SAMPLE || !known.has(record.readBigUInt64LE(8))) return [record];
    const other = Buffer.from(record);
    other.writeBigUInt64LE(record.readBigUInt64LE(8) + again, 8);
    return [record, other];
  });
  const twice = await read(perfFile(PERF, parts));
  expect(told(twice)).toEqual(told(whole));
});

/** LOST: of 7 samples, before `sample` of the same CPU (sample_type: identifier, ip, tid, time, cpu, period, raw). */
function lostBefore(sample: Buffer): Buffer {
  const record = Buffer.alloc(56);
  record.writeUInt32LE(2, 0);
  record.writeUInt16LE(56, 6);
  record.writeBigUInt64LE(7n, 16);
  sample.copy(record, 24, 24, 40); // task and time
  sample.copy(record, 40, 40, 48); // CPU
  sample.copy(record, 48, 8, 16); // id
  return record;
}

it.each([
  ['counts them', false, [false]],
  ['does not, as up to 5.19', true, [false, true]],
])('samples may be lost behind the last of a CPU where the kernel %s', async (_, old, toTheEnd) => {
  const parts = perfParts(PERF);
  const READ_FORMAT = 32;
  if (old) for (const attr of parts.attrs) attr.writeBigUInt64LE(attr.readBigUInt64LE(READ_FORMAT) & ~16n, READ_FORMAT);
  const at = parts.records.findLastIndex((record) => record.readUInt32LE(0) === SAMPLE) - 500;
  const next = parts.records.findIndex((record, i) => i >= at && record.readUInt32LE(0) === SAMPLE);
  parts.records.splice(next, 0, lostBefore(parts.records[next]!));
  const file = path.join(dir, 'lost.data');
  writeFileSync(file, perfFile(PERF, parts));
  let gaps: boolean[] = [];
  await analyzeFiles([file], {read: ({capture}) => (gaps = capture.gaps.all().map(({to}) => to === Infinity))});
  expect(gaps).toEqual(toTheEnd);
});

it('a perf.data of attrs that name the same ids again and again is read in no time', async () => {
  const parts = perfParts(PERF);
  const first = parts.attrs[0]!;
  const attrs = Array.from({length: 30_000}, () => first);
  const bytes = perfFile(PERF, {...parts, attrs, ids: attrs.map(() => [])});
  const each = first.length + 16;
  const at = Number(bytes.readBigUInt64LE(24));
  for (let i = 0; i < attrs.length; i++) bytes.writeBigUInt64LE(BigInt(bytes.length), at + i * each + each - 8);
  const started = process.cpuUsage();
  await read(bytes).catch(() => undefined);
  expect(process.cpuUsage(started).user).toBeLessThan(10e6);
});

it('samples without a time are in no order', async () => {
  const parts = perfParts(PERF);
  const TIME = 4n;
  for (const attr of parts.attrs) attr.writeBigUInt64LE(attr.readBigUInt64LE(24) & ~TIME, 24);
  parts.records = parts.records.flatMap((record) => {
    const type = record.readUInt32LE(0);
    if (type >= 64) return [record];
    if (type !== SAMPLE) return [];
    const without = Buffer.concat([record.subarray(0, 32), record.subarray(40)]);
    without.writeUInt16LE(without.length, 6);
    return [without];
  });
  const {findings} = await read(perfFile(PERF, parts));
  expect(findings.length).toBeGreaterThan(0);
  expect(findings.filter(({verdict}) => verdict === 'sure')).toEqual([]);
});
