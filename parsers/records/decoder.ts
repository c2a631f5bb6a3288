/**
 * A record of one event into a row: a table of offsets, made once for each format, and plain reads by it.
 *
 * Fields of probes are named by whoever set the probe, and are packed, numbers of 64 bits at odd offsets:
 *
 *     field:unsigned long __probe_ip;	offset:8;	size:8;	signed:0;         entry
 *     field:unsigned long __probe_func;	offset:8; ...  __probe_ret_ip          return
 *     field:u64 folio;	offset:16;	size:8;	signed:0;
 *     field:u64 pages[];	offset:17;	size:64;	signed:0;
 */
import {DmaDir, EventKind as K, LIST_MAX, PageName, type EventKind, type TraceEvent} from '../../src/events/event.js';
import {FAMILIES, FAMILY_OF, HAS_BYTE} from '../../src/events/kinds.js';
import {hashBytes} from '../bytes.js';
import type {DecodeContext} from '../events/context.js';
import {HOW, readingsOf} from '../events/family.js';
import {Key, keyOf, numberAtEnd, numberedKeyOf} from '../events/keys.js';
import {deviceNumber} from '../events/memory.js';
import {finish, PROBE_READINGS} from '../events/probe.js';
import {type ProbeArguments, type ProbeSpec, ReturnShape} from '../events/probe-table.js';
import type {Reading} from '../events/reading.js';
import {ATTR_MMIO, isKernelPointer, worked} from '../events/values.js';
import {commandOfBytes, finishNvme, finishScsi} from '../events/command.js';
import {type EventFormat, type Field, Lie} from './format.js';
import {type FlagLayout, flagsOf} from '../events/page-flag-layout.js';
import type {Piece} from './piece.js';
import {highAt, lowAt, numberAt, Range, textEnd} from './values.js';

const LETTER_W = 87;
const LINE_FEED = 10;
const ALL_ONES = 0xffffffff;

/** A field of the format that means something. */
interface Slot {
  reading: Reading;
  key: number;
  /** of `page1` */
  index: number;
  field: Field;
}

/** The decoder of a tracepoint's records. */
export function tracepointDecoder(kind: EventKind, format: EventFormat, layout: FlagLayout | undefined): RecordDecoder {
  return new RecordDecoder(kind, format, readingsOf(FAMILY_OF[kind]!.name as 'page'), layout, undefined, undefined);
}

/** The decoder of the records of a probe on a function that means something here. */
export function probeDecoder(
  spec: ProbeSpec,
  isReturn: boolean,
  format: EventFormat,
  ctx: DecodeContext,
): RecordDecoder {
  const kind = isReturn ? spec.returnKind : spec.entryKind;
  const readings = PROBE_READINGS[FAMILY_OF[kind]!.name] ?? [];
  return new RecordDecoder(kind, format, readings, undefined, isReturn ? spec.exit : spec.entry, ctx);
}

/** Where the probed function's address is in the records of a probe; undefined: the event is no probe. */
export function probedField(format: EventFormat): {field: Field; isReturn: boolean} | undefined {
  const func = format.field('__probe_func');
  if (func) return {field: func, isReturn: true};
  const ip = format.field('__probe_ip');
  return ip && {field: ip, isReturn: false};
}

/** Words of a field that is nothing but a number: offset, how it lies, where in the row it goes. */
const NUMBER = 3;
/** Page flags of that many records are kept, by their bits: few of the combinations are met at all. */
const FLAGS_KEPT = 64;

export class RecordDecoder {
  /** fields that are more than a number */
  private readonly slots: Slot[] = [];
  /** the others, NUMBER words each */
  private readonly numbers: Int32Array;
  /** bits of `has` that these set */
  private readonly has: number;
  private readonly pageName: number;
  /** bytes that a record must have */
  private readonly need: number;
  private readonly bitsSeen = new Int32Array(FLAGS_KEPT).fill(-1);
  private readonly flagsSeen = new Int32Array(FLAGS_KEPT);
  private readonly hasPfn: boolean;
  /** `buf` of trace_marker */
  private readonly marker: Field | undefined;
  private readonly range = new Range();
  private readonly hasNr: boolean;
  private pageSeen = false;
  private lengths = -1;
  /** the record's mapping is of device memory */
  private deviceMemory = false;
  /** what the record's command does, one of Command; -1 when no bytes of it were there */
  private command = -1;

  constructor(
    private readonly kind: EventKind,
    format: EventFormat,
    readings: readonly (Reading | undefined)[],
    private readonly layout: FlagLayout | undefined,
    private readonly args: ProbeArguments | undefined,
    private readonly ctx: DecodeContext | undefined,
  ) {
    this.hasPfn = format.field('pfn') !== undefined;
    this.marker = format.title === 'ftrace:print' ? format.field('buf') : undefined;
    const numbers: number[] = [];
    let [has, pageName, need, hasNr] = [0, PageName.none as number, 0, false];
    for (const field of format.fields) {
      if (field.name.startsWith('__probe_')) continue;
      const {key, index} = keyOfField(field.name, args);
      const reading = readings[key];
      // an array is no number
      if (!reading || (reading.how <= HOW.pfn && field.lie >= Lie.dataLoc)) continue;
      need = Math.max(need, field.offset + field.size);
      if (reading.how > HOW.pfn) {
        this.slots.push({reading, key, index, field});
        continue;
      }
      numbers.push(field.offset, field.lie, reading.at);
      has |= reading.has;
      if (reading.how === HOW.pfn) pageName = PageName.pfn;
      else if (reading.field === 'nr') hasNr = true;
    }
    this.numbers = Int32Array.from(numbers);
    [this.has, this.pageName, this.need, this.hasNr] = [has, pageName, need, hasNr];
  }

  /**
   * Decodes the record in `[base, end)` of the piece: the row becomes one of its kind. False when a field lies outside of the
   * record, as only damaged ones do.
   */
  decode(ev: TraceEvent, piece: Piece, base: number, end: number): boolean {
    const {view, little} = piece;
    const {slots, numbers} = this;
    if (base + this.need > end) return false;
    ev.begin(this.kind);
    if (this.args && FAMILY_OF[this.kind] === FAMILIES.probe) ev.fn = this.args.fn;
    ev.deviceStart = ev.deviceEnd = ev.textStart = ev.textEnd = 0;
    this.pageSeen = this.deviceMemory = false;
    this.lengths = this.command = -1;
    const {f64, at64} = ev;
    for (let i = 0; i < numbers.length; i += NUMBER)
      f64[at64 + numbers[i + 2]!] = numberAt(view, base + numbers[i]!, numbers[i + 1]!, little);
    if (this.has !== 0) ev.i8[ev.at8 + HAS_BYTE]! |= this.has;
    if (this.pageName !== PageName.none) ev.pageName = this.pageName;
    for (let i = 0; i < slots.length; i++) {
      const slot = slots[i]!;
      const {field} = slot;
      const at = base + field.offset;
      if (field.lie < Lie.dataLoc) this.plain(slot, ev, view, at, little);
      else if (!this.array(slot, ev, piece, at, base, end)) return false;
    }
    if (this.marker) this.text(this.marker, ev, piece, base, end);
    this.finish(ev, piece);
    return true;
  }

  /** What a number means that is more than a number. */
  private plain({reading, key, index, field}: Slot, ev: TraceEvent, view: DataView, at: number, little: boolean): void {
    const {lie} = field;
    switch (reading.how) {
      case HOW.flags:
        ev.pageFlags = this.flags(lowAt(view, at, lie, little));
        break;
      case HOW.direction: {
        const dir = numberAt(view, at, lie, little);
        ev.dir = dir >= 0 && dir <= DmaDir.none ? dir : DmaDir.unknown;
        break;
      }
      case HOW.dma:
      case HOW['dma number']:
        dmaAddress(ev, view, at, lie, little);
        break;
      case HOW.bool: {
        const is = numberAt(view, at, lie, little) === 0 ? 0 : 1;
        if (reading.field === 'truncated') ev.truncated = is;
        else ev.makeDirty = is;
        break;
      }
      case HOW['pointer beside']: {
        const high = highAt(view, at, lie, little);
        const low = lowAt(view, at, lie, little);
        if (!isKernelPointer(high, low)) break;
        ev.ptrHi = high;
        ev.ptrLo = low;
        // events of kernels before 4.x name the page by nothing else
        if (!this.hasPfn) ev.pageName = PageName.pointer;
        break;
      }
      case HOW.page:
      case HOW.folio:
        if (!this.pageSeen) this.pageSeen = this.pointer(ev, view, at, lie, little, reading.how === HOW.page ? 1 : 0);
        break;
      case HOW.pages:
        if (!this.pageSeen && this.args?.listOfPointers === false)
          this.pageSeen = this.pointer(ev, view, at, lie, little, 1);
        break;
      case HOW.return:
        this.returned(ev, view, at, lie, little);
        break;
      case HOW.vmemmap:
        ev.vmemmapHi = highAt(view, at, lie, little);
        ev.vmemmapLo = lowAt(view, at, lie, little);
        break;
      case HOW.entry:
        entry(ev, key, index, view, at, lie, little);
        break;
      case HOW.attrs:
        this.deviceMemory = (lowAt(view, at, lie, little) & ATTR_MMIO) !== 0;
        break;
      case HOW.total:
        ev.nr = numberAt(view, at, lie, little);
        break;
    }
  }

  private flags(bits: number): number {
    const slot = (bits ^ (bits >>> 6) ^ (bits >>> 12)) & (FLAGS_KEPT - 1);
    if (this.bitsSeen[slot] === (bits | 0) && bits !== 0xffffffff) return this.flagsSeen[slot]!;
    this.bitsSeen[slot] = bits;
    return (this.flagsSeen[slot] = flagsOf(this.layout, bits));
  }

  /** What an array or a text means. False where it lies outside of the record. */
  private array({reading, field}: Slot, ev: TraceEvent, piece: Piece, at: number, base: number, end: number): boolean {
    const {range} = this;
    const {view, little, bytes} = piece;
    if (!range.find(view, at, field.lie, field.size, base, end, little)) return false;
    switch (reading.how) {
      case HOW.device:
        ev.deviceStart = range.start;
        ev.deviceEnd = textEnd(bytes, range.start, range.end);
        break;
      case HOW.text:
        ev.textStart = range.start;
        ev.textEnd = textEnd(bytes, range.start, range.end);
        break;
      case HOW.rwbs:
        for (let i = range.start; i < range.end && bytes[i] !== 0; i++) if (bytes[i] === LETTER_W) ev.write = 1;
        break;
      case HOW.pages:
        pageList(ev, view, range, little);
        break;
      case HOW.addresses:
        ev.listLength = longs(view, range, little, ev.listPhys);
        break;
      case HOW['dma addresses']:
        ev.dmaLength = longs(view, range, little, ev.dmaAddrs);
        break;
      case HOW.lengths:
        this.lengths = words(view, range, little, ev.dmaLens);
        break;
      case HOW.command:
        this.command = commandOfBytes(ev, bytes, range.start, range.end);
        break;
      case HOW.words:
        // as the device has them, whatever the machine's order
        if (range.end - range.start < 10) break;
        ev.sector = numberAt(view, range.start, Lie.u64, true);
        ev.nr = view.getUint16(range.start + 8, true);
        break;
    }
    return true;
  }

  private text(field: Field, ev: TraceEvent, piece: Piece, base: number, end: number): void {
    const {range} = this;
    if (!range.find(piece.view, base + field.offset, field.lie, field.size, base, end, piece.little)) return;
    ev.textStart = range.start;
    ev.textEnd = textEnd(piece.bytes, range.start, range.end);
    if (ev.textEnd > ev.textStart && piece.bytes[ev.textEnd - 1] === LINE_FEED) ev.textEnd--;
  }

  /** What follows from fields together. */
  private finish(ev: TraceEvent, piece: Piece): void {
    if (this.args) {
      finish(ev.kind, ev, this.hasNr);
      return;
    }
    switch (ev.kind) {
      case K.PageAlloc:
      case K.PageFree:
      case K.PageFreeBatched:
      case K.VmscanWrite:
        // a failed allocation has pfn -1; a real page 0 is never handed out
        if (this.hasPfn ? !(ev.pfn > 0 && ev.pfn < 2 ** 52) : ev.pageName === PageName.none) ev.kind = K.Other;
        break;
      case K.DmaMap:
      case K.DmaUnmap:
        // no page: as the events of dma_map_resource() before 6.18
        if (this.deviceMemory) ev.kind = K.Other;
        break;
      case K.DmaMapSg:
      case K.DmaUnmapSg:
      case K.DmaMapSgError:
        lists(ev, this.lengths);
        break;
      case K.NvmeStart:
      case K.NvmeDone:
        finishNvme(ev, this.command);
        break;
      case K.ScsiStart:
      case K.ScsiDone:
        finishScsi(ev, this.command);
        break;
      case K.WritebackDirtyFolio:
      case K.WaitOnWriteback:
        ev.devId = deviceNumber(piece.bytes, ev.textStart, ev.textEnd);
        break;
    }
  }

  /** Sets the page that a pointer names. False if the value is no kernel pointer. */
  private pointer(
    ev: TraceEvent,
    view: DataView,
    at: number,
    lie: number,
    little: boolean,
    mayBeTail: number,
  ): boolean {
    const hi = highAt(view, at, lie, little);
    const lo = lowAt(view, at, lie, little);
    const is = isKernelPointer(hi, lo);
    if (this.args?.isReturn === true) {
      // try_grab_folio_fast() answers the folio or NULL
      ev.hasRet = 1;
      ev.ok = is ? 1 : 0;
    }
    if (!is) return false;
    ev.ptrHi = hi;
    ev.ptrLo = lo;
    ev.mayBeTail = mayBeTail;
    if (ev.pageName !== PageName.pfn) ev.pageName = PageName.pointer;
    return true;
  }

  /** A count, a negative error, a bool, a pointer, by the function. */
  private returned(ev: TraceEvent, view: DataView, at: number, lie: number, little: boolean): void {
    ev.hasRet = 1;
    const high = highAt(view, at, lie, little);
    const low = lowAt(view, at, lie, little);
    if (!this.args) {
      ev.ret = numberAt(view, at, lie, little);
    } else if (ev.kind === K.DmaMapReturn) dmaAddress(ev, view, at, lie, little);
    else if (this.args.returns !== ReturnShape.plain && isKernelPointer(high, low))
      this.pointer(ev, view, at, lie, little, 0);
    else {
      // $retval is 64 bits wide where no type was asked for, and the upper half of an int is anything
      const wide = lie === Lie.u64 && (high >= 0x80000000 || high > 0 || low > 0x7fffffff);
      ev.ret = wide || lie === Lie.u32 ? low | 0 : numberAt(view, at, lie, little);
      worked(this.args.returns, ev, this.ctx!, lie === Lie.u64 || lie === Lie.u32);
    }
  }
}

/** What the name of a field means: a key, and the number at the end of `page1`. */
function keyOfField(name: string, args: ProbeArguments | undefined): {key: number; index: number} {
  const bytes = Buffer.from(name, 'latin1');
  const key = keyOf(bytes, 0, bytes.length, hashBytes(bytes, 0, bytes.length));
  if (key !== Key.unknown) return {key, index: 0};
  const numbered = numberedKeyOf(bytes, 0, bytes.length);
  if (numbered === Key.unknown || !args) return {key: Key.unknown, index: 0};
  const index = numberAtEnd(bytes, 0, bytes.length);
  return {key: numbered === Key.arg ? args.keyOf(index) : numbered, index};
}

/** DMA_MAPPING_ERROR is all ones, of 32 bits where dma_addr_t is that small. */
function dmaAddress(ev: TraceEvent, view: DataView, at: number, lie: number, little: boolean): void {
  const high = highAt(view, at, lie, little);
  const low = lowAt(view, at, lie, little);
  ev.dmaAddr = high * 4294967296 + low;
  ev.failed = low === ALL_ONES && (high === ALL_ONES || high === 0) ? 1 : 0;
}

/**
 * Lengths are of the mapped side; they are those of the physical side too where nothing was merged. An address without a
 * length is none that can be used.
 */
function lists(ev: TraceEvent, lengths: number): void {
  if (lengths < 0) for (let i = 0; i < ev.dmaLength; i++) ev.dmaLens[i] = -1;
  else if (lengths < ev.dmaLength) ev.dmaLength = lengths;
  const map = ev.kind === K.DmaMapSg;
  if (map && ev.nr > ev.listLength) ev.truncated = 1;
  const same = map && ev.dmaLength === ev.listLength;
  for (let i = 0; i < ev.listLength; i++) ev.listLen[i] = same ? ev.dmaLens[i]! : -1;
}

function longs(view: DataView, {start, end}: Range, little: boolean, into: Float64Array): number {
  let n = 0;
  for (let at = start; at + 8 <= end && n < LIST_MAX; at += 8) into[n++] = numberAt(view, at, Lie.u64, little);
  return n;
}

function words(view: DataView, {start, end}: Range, little: boolean, into: Float64Array): number {
  let n = 0;
  for (let at = start; at + 4 <= end && n < LIST_MAX; at += 4) into[n++] = view.getUint32(at, little);
  return n;
}

/** Pages of a call, up to the first 0. */
function pageList(ev: TraceEvent, view: DataView, {start, end}: Range, little: boolean): void {
  let n = 0;
  for (let at = start; at + 8 <= end && n < LIST_MAX; at += 8) {
    const hi = highAt(view, at, Lie.u64, little);
    const lo = lowAt(view, at, Lie.u64, little);
    if (hi === 0 && lo === 0) break;
    ev.listPtrHi[n] = hi;
    ev.listPtrLo[n] = lo;
    ev.listLen[n] = -1;
    n++;
  }
  ev.listLength = n;
  ev.listName = PageName.pointer;
}

/** `page1`, `off1`, `len1`: the two low bits of a scatterlist's page link are chain and end marks. */
function entry(
  ev: TraceEvent,
  key: number,
  index: number,
  view: DataView,
  at: number,
  lie: number,
  little: boolean,
): void {
  if (index >= LIST_MAX) return;
  for (let i = ev.listLength; i <= index; i++) {
    ev.listPtrHi[i] = ev.listPtrLo[i] = ev.listOffset[i] = 0;
    ev.listLen[i] = -1;
  }
  if (index >= ev.listLength) ev.listLength = index + 1;
  ev.listName = PageName.pointer;
  if (key === Key.pageAt) {
    ev.listPtrHi[index] = highAt(view, at, lie, little);
    ev.listPtrLo[index] = (lowAt(view, at, lie, little) & ~3) >>> 0;
  } else if (key === Key.offAt) ev.listOffset[index] = numberAt(view, at, lie, little);
  else ev.listLen[index] = numberAt(view, at, lie, little);
}
