/** A sink that keeps what the event's kind says is in it, in comparable form. */

import {EventKind, type EventSink, type TraceEvent} from '../../src/events/event.js';
import type {Form, OpenOptions, TraceReader} from '../../parsers/form.js';
import {TimeBase} from '../../src/base/time.js';

const NAMES = Object.fromEntries(Object.entries(EventKind).map(([name, kind]) => [kind, name]));

type Field = {[K in keyof TraceEvent]: TraceEvent[K] extends number ? K : never}[keyof TraceEvent];

const REF: Field[] = ['pageName', 'pfn', 'ptrHi', 'ptrLo', 'pageFlags', 'count', 'hasCount', 'mapcount', 'hasMapcount'];
const REF_TOO: Field[] = ['mappingHi', 'mappingLo', 'hasMapping', 'mt', 'val', 'ret', 'hasRet'];
const PAGE: Field[] = ['pageName', 'pfn', 'ptrHi', 'ptrLo', 'order', 'mt'];
const CACHE: Field[] = ['pageName', 'pfn', 'ptrHi', 'ptrLo', 'devId', 'ino', 'ofs', 'index', 'order'];
const PROBE: Field[] = ['pageName', 'pfn', 'ptrHi', 'ptrLo', 'mayBeTail', 'vmemmapHi', 'vmemmapLo', 'refs', 'gupFlags'];
const PROBE_TOO: Field[] = ['hasFlags', 'nr', 'start', 'makeDirty', 'ret', 'hasRet', 'ok'];
const DMA: Field[] = ['dir', 'dmaAddr', 'size', 'phys', 'failed', 'truncated'];

function fieldsOf(kind: number): Field[] {
  if (kind <= EventKind.RefUnfreeze) return [...REF, ...REF_TOO];
  if (kind === EventKind.DmaUnmap) return DMA.slice(0, 3);
  if (kind >= EventKind.PageAlloc && kind <= EventKind.PageFreeBatched) return PAGE;
  if (kind === EventKind.VmscanWrite) return PAGE.slice(0, 4);
  if (kind === EventKind.CacheAdd || kind === EventKind.CacheDelete) return CACHE;
  if (kind >= EventKind.DmaMap && kind <= EventKind.DmaMapSgError) return [...DMA, 'nr', 'dmaLength'];
  if (kind >= EventKind.DmaMapEntry && kind <= EventKind.DmaUnmapSgItem) return [...DMA, ...PROBE, ...PROBE_TOO];
  if (kind === EventKind.IommuMap || kind === EventKind.IommuUnmap) return ['dmaAddr', 'size', 'phys'];
  if (kind === EventKind.WritebackDirtyFolio || kind === EventKind.WaitOnWriteback) return ['ino', 'index', 'devId'];
  if (kind === EventKind.BlockIssue || kind === EventKind.BlockComplete) return ['devId', 'sector', 'nr', 'write'];
  if (kind === EventKind.IoUringRegister) return ['val', 'nr', 'ret', 'hasRet'];
  if (kind === EventKind.Marker) return [];
  return [...PROBE, ...PROBE_TOO];
}

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
    for (const field of fieldsOf(kind)) seen[field] = exact(ev[field]);
    if ((kind >= EventKind.DmaMap && kind <= EventKind.DmaUnmapSgItem) || kind === EventKind.DmaUnmap) {
      seen['device'] = part(ev.deviceStart, ev.deviceEnd);
    }
    if (kind >= EventKind.WritebackDirtyFolio && kind <= EventKind.WaitOnWriteback) {
      seen['text'] = part(ev.textStart, ev.textEnd);
    }
    if (kind === EventKind.Marker) seen['text'] = part(ev.textStart, ev.textEnd);
    if (kind === EventKind.DmaMapSg || kind === EventKind.DmaUnmapSg || kind === EventKind.DmaMapSgError) {
      seen['list'] = list(ev.listLength, (i) => [ev.listPhys[i], ev.listLen[i]]);
      seen['dmaList'] = list(ev.dmaLength, (i) => [ev.dmaAddrs[i], ev.dmaLens[i]]);
    } else if (kind === EventKind.UnpinCall || kind === EventKind.FoliosPut) {
      seen['list'] = list(ev.listLength, (i) => [ev.listPtrHi[i], ev.listPtrLo[i]]);
    } else if (kind === EventKind.DmaMapSgEntry || kind === EventKind.DmaUnmapSgEntry) {
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

  loss(loss: object): void {
    this.seen.push({loss: {...loss}});
  }

  fact(_input: number, name: string, value: string): void {
    this.seen.push({fact: name, value});
  }
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
  const buffer = Buffer.alloc(Math.max(...sizes) + 64, 0x3d);
  for (let pos = 0, i = 0; pos < bytes.length; i++) {
    const n = Math.min(sizes[i % sizes.length]!, bytes.length - pos);
    buffer.fill(0x3d);
    buffer.set(bytes.subarray(pos, pos + n));
    reader.push(buffer, n);
    pos += n;
  }
  reader.end();
  return {seen: sink.seen, reader};
}

/** The same for text, by form. */
export function read(form: Form, text: string, sizes?: readonly number[]): {seen: Seen[]; reader: TraceReader} {
  return readWith((sink, options) => form.open(sink, options), Buffer.from(text, 'latin1'), sizes);
}
