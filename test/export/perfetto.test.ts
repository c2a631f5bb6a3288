/** What a viewer relies on, read back from the bytes: there is no Perfetto to be had here. */
import {readFileSync} from 'node:fs';
import path from 'node:path';
import protobuf from 'protobufjs';
import {describe, expect, test} from 'vitest';
import {PROTO} from '../../src/export/perfetto/encode.js';
import {Timeline} from '../../src/export/perfetto/timeline.js';
import type {Report} from '../../src/results/report.js';
import {json, pinscope, sample} from '../commands/pinscope.js';
import {temporaryFolder} from './ledger.js';

interface Packet {
  timestamp?: string;
  sequenceFlags?: number;
  internedData?: {eventNames?: {iid: string; name: string}[]};
  trackDescriptor?: {uuid: string; parentUuid?: string; name?: string};
  trackEvent?: {
    type: number;
    trackUuid: string;
    nameIid?: string;
    counterValue?: string;
    flowIds?: string[];
    terminatingFlowIds?: string[];
  };
}

function packetsOf(bytes: Uint8Array): Packet[] {
  const type = protobuf.parse(PROTO).root.lookupType('Trace');
  return (type.toObject(type.decode(bytes), {longs: String}) as {packet: Packet[]}).packet;
}

/** Tracks told before use, names interned before use, time that does not run back, slices that nest, flows that end. */
function check(packets: readonly Packet[]) {
  const tracks = new Map<string, string>();
  const names = new Map<string, string>();
  const depth = new Map<string, number>();
  const flows = new Map<string, boolean>();
  const seen = {slices: [] as string[], instants: 0, counters: [] as number[]};
  let last = 0n;
  expect(packets[0]!.sequenceFlags! & 1).toBe(1);
  for (const packet of packets) {
    for (const {iid, name} of packet.internedData?.eventNames ?? []) names.set(iid, name);
    const {trackDescriptor: track, trackEvent: event} = packet;
    if (track !== undefined) {
      if (track.parentUuid !== undefined) expect(tracks.has(track.parentUuid)).toBe(true);
      tracks.set(track.uuid, track.name ?? '');
    }
    if (event === undefined) continue;
    expect(tracks.has(event.trackUuid)).toBe(true);
    expect(BigInt(packet.timestamp!)).toBeGreaterThanOrEqual(last);
    last = BigInt(packet.timestamp!);
    const open = depth.get(event.trackUuid) ?? 0;
    if (event.type === 1) {
      expect(open).toBe(0);
      depth.set(event.trackUuid, 1);
      seen.slices.push(names.get(event.nameIid!)!);
    } else if (event.type === 2) {
      expect(open).toBe(1);
      depth.set(event.trackUuid, 0);
    } else if (event.type === 3) seen.instants++;
    else seen.counters.push(Number(event.counterValue));
    for (const id of event.flowIds ?? []) flows.set(id, false);
    for (const id of event.terminatingFlowIds ?? []) {
      expect(flows.has(id)).toBe(true);
      flows.set(id, true);
    }
  }
  expect([...depth.values()].every((n) => n === 0)).toBe(true);
  expect([...flows.values()].every(Boolean)).toBe(true);
  return {...seen, tracks: [...tracks.values()], flows: flows.size};
}

describe('--to perfetto', () => {
  const exported = (name: string, ...args: string[]) => {
    const file = path.join(temporaryFolder(), 'out');
    const {status, stderr} = pinscope(['export', '--to', 'perfetto', sample(name), '-o', file, ...args]);
    expect(stderr).toBe('');
    expect(status).toBe(0);
    return check(packetsOf(readFileSync(file)));
  };

  test('has every finding, its page, its tasks', () => {
    const {findings} = json<Report>('analyze', sample('ftrace/misuse-6.12-page_ref'));
    const {slices, tracks, flows, instants} = exported('ftrace/misuse-6.12-page_ref');
    for (const {id, message} of findings) expect(slices).toContain(`${id} ${message}`);
    expect(tracks.slice(0, 4)).toEqual(['findings', 'pages', 'tasks', 'devices']);
    expect(tracks).toEqual(
      expect.arrayContaining([`page ${findings[0]!.pages[0]!.pfn}`, 'references', 'dma', 'wl 309', 'pinbug.0']),
    );
    expect(flows).toBeGreaterThan(0);
    expect(instants).toBeGreaterThan(0);
  });

  for (const name of ['ftrace/call-stacks', 'ftrace/writeback-while-pinned', 'ftrace/large-folios', 'ftrace/iommu'])
    test(`of ${name} is sound, with the whole ledger too`, () => {
      exported(name);
      const all = exported(name, '--all');
      expect(all.counters.length).toBeGreaterThan(0);
      expect(Math.min(...all.counters)).toBeGreaterThanOrEqual(0);
    });

  test('of one page has that page only', () => {
    const {tracks} = exported('ftrace/misuse-6.12-page_ref', '--pfn', '0x2fb0');
    expect(tracks.filter((name) => name.startsWith('page '))).toEqual(['page 0x2fb0']);
  });

  test('of a clock that only counts there is none', () => {
    const {status, stderr} = pinscope([
      'export',
      '--to',
      'perfetto',
      sample('ftrace/counting-clock'),
      '-o',
      '/dev/null',
    ]);
    expect(status).toBe(2);
    expect(stderr).toContain('only counts');
  });

  test('events of one time: ends, begins, instants, the ends of what has no length; times beyond 2^53', () => {
    const timeline = new Timeline();
    const add = (from: number, to: number) =>
      timeline.slice('pages', 'p', 'references', from, to, {name: `${from}-${to}`});
    add(0, 10);
    add(10, 10);
    add(10, 20);
    add(5, 15);
    add(10, 10);
    const parts: Uint8Array[] = [];
    timeline.write(1_700_000_000_000_000_001n, (bytes) => parts.push(bytes.slice()));
    const packets = packetsOf(Buffer.concat(parts));
    expect(check(packets).slices).toHaveLength(5);
    expect(packets.at(-1)!.timestamp).toBe('1700000000000000021');
  });
});
