/** A sink that keeps what the event's kind says is in it, in comparable form. */

import {isDeepStrictEqual} from 'node:util';
import {expect} from 'vitest';
import {EventKind, type EventSink, type TraceEvent} from '../../src/events/event.js';
import {FAMILY_OF} from '../../src/events/kinds.js';
import type {LineForm, OpenOptions, TraceReader} from '../../parsers/form.js';
import {TimeBase} from '../../src/base/time.js';

const NAMES = Object.fromEntries(Object.entries(EventKind).map(([name, kind]) => [kind, name]));

export type Seen = Record<string, unknown>;

export class Collector implements EventSink {
  readonly seen: Seen[] = [];
  wantStacks = true;

  event(ev: TraceEvent): void {
    const part = (start: number, end: number): string =>
      Buffer.from(ev.buf.buffer, ev.buf.byteOffset, ev.buf.byteLength).toString('latin1', start, end);
    const {kind} = ev;
    const seen: Seen = {
      kind: NAMES[kind],
      line: ev.line,
      offset: ev.offset,
      t: exact(ev.t),
      cpu: exact(ev.cpu),
      pid: ev.pid,
      tgid: exact(ev.tgid),
      context: ev.context,
      comm: part(ev.commStart, ev.commEnd),
      name: part(ev.nameStart, ev.nameEnd),
      raw: part(ev.lineStart, ev.lineEnd),
    };
    const {fields, named, lists} = FAMILY_OF[kind]!;
    for (const field of fields) seen[field] = exact(ev[field]);
    if (named === 'device') seen['device'] = part(ev.deviceStart, ev.deviceEnd);
    else if (named === 'text') seen['text'] = part(ev.textStart, ev.textEnd);
    if (lists === 'addresses') {
      seen['list'] = list(ev.listLength, (i) => [ev.listPhys[i], ev.listLen[i]]);
      seen['dmaList'] = list(ev.dmaLength, (i) => [ev.dmaAddrs[i], ev.dmaLens[i]]);
    } else if (lists === 'pages') {
      seen['list'] = list(ev.listLength, (i) => [ev.listPtrHi[i], ev.listPtrLo[i]]);
    } else if (lists === 'entries') {
      seen['list'] = list(ev.listLength, (i) => [ev.listPtrHi[i], ev.listPtrLo[i], ev.listOffset[i], ev.listLen[i]]);
    }
    this.seen.push(seen);
  }

  stackBegin(cpu: number, pid: number): boolean {
    this.seen.push({stack: 'begin', cpu, pid});
    return this.wantStacks;
  }

  stackFrame(buf: Uint8Array, start: number, end: number): void {
    this.seen.push({frame: Buffer.from(buf.buffer, buf.byteOffset, buf.byteLength).toString('latin1', start, end)});
  }

  stackEnd(): void {
    this.seen.push({stack: 'end'});
  }

  /** A line that is not understood is told with the reader's counters. */
  loss(loss: {what?: string}): void {
    if (loss.what !== 'unread') this.seen.push({loss: {...loss}});
  }

  fact(_input: number, name: string, value: string): void {
    this.seen.push({fact: name, value});
  }
}

/** Expects the same of two readings. What says where they differ is slow, so it is asked only then. */
export function expectSame(got: readonly Seen[], wanted: readonly Seen[]): void {
  if (!isDeepStrictEqual(got, wanted)) expect(got).toEqual(wanted);
}

/** Beyond 2^53 a double is a rounding of nonsense, and how it was rounded is nobody's matter. */
function exact(n: number | undefined): number | string | undefined {
  return n !== undefined && Math.abs(n) > Number.MAX_SAFE_INTEGER ? 'huge' : n;
}

function list(length: number, at: (i: number) => (number | undefined)[]): unknown[] {
  return Array.from({length}, (_, i) => at(i).map(exact));
}

/** Reads `bytes` in chunks of the given sizes, over and over, through one buffer that is written again. */
export function readWith(
  open: (sink: EventSink, options: OpenOptions) => TraceReader,
  bytes: Uint8Array,
  sizes: readonly number[] = [1 << 16],
): {seen: Seen[]; reader: TraceReader} {
  const sink = new Collector();
  const reader = open(sink, {input: 0, time: new TimeBase()});
  // spare bytes after the chunk: a reader must not look at them
  const buffer = Buffer.alloc(Math.min(Math.max(...sizes), bytes.length) + 64, 0x3d);
  for (let pos = 0, i = 0; pos < bytes.length; i++) {
    const n = Math.min(sizes[i % sizes.length]!, bytes.length - pos);
    buffer.set(bytes.subarray(pos, pos + n));
    buffer.fill(0x3d, n);
    reader.push(buffer, n);
    pos += n;
  }
  reader.end();
  return {seen: sink.seen, reader};
}

/** The same for text, by form. */
export function read(form: LineForm, text: string, sizes?: readonly number[]): {seen: Seen[]; reader: TraceReader} {
  return readWith((sink, options) => form.open(sink, options), Buffer.from(text, 'latin1'), sizes);
}
