/**
 * From an event's name to its decoder. Names are met as bytes, hashed by the scanner and verified here; a name met for
 * the first time gets an entry, which also counts its events.
 */

import {EventKind, type TraceEvent} from '../../src/events/event.js';
import {ascii, copyBytes, find, hashBytes, LPAREN, sameBytes, SPACE, startsWith, text, UNDERSCORE} from '../bytes.js';
import {DecodeContext} from './context.js';
import {decodeNvme, decodeScsi} from './commands.js';
import {decodeBounced, decodeDma, decodeFault, decodeIommu} from './dma.js';
import {decodeBlock, decodeIoUringRegister, decodeWriteback} from './file-io.js';
import {decodeFilemap, decodePage} from './memory.js';
import {decodePageRef} from './page-ref.js';
import {decodeProbe, isFieldDumpOfProbe, isSymbol, ProbeHead, readProbeHead} from './probe.js';
import {probeOfEventName, probeOfSymbol, type ProbeSpec} from './probe-table.js';

/** Which decoder an event's payload goes to. */
const Family = {
  none: 0,
  pageRef: 1,
  page: 2,
  filemap: 3,
  dma: 4,
  iommu: 5,
  writeback: 6,
  block: 7,
  ioUring: 8,
  marker: 9,
  fault: 10,
  nvme: 11,
  scsi: 12,
  bounced: 13,
} as const;

const E = EventKind;
const TRACEPOINTS = new Map<string, readonly [number, EventKind]>([
  ['page_ref_set', [Family.pageRef, E.RefSet]],
  ['page_ref_mod', [Family.pageRef, E.RefMod]],
  ['page_ref_mod_and_test', [Family.pageRef, E.RefModAndTest]],
  ['page_ref_mod_and_return', [Family.pageRef, E.RefModAndReturn]],
  ['page_ref_mod_unless', [Family.pageRef, E.RefModUnless]],
  ['page_ref_freeze', [Family.pageRef, E.RefFreeze]],
  ['page_ref_unfreeze', [Family.pageRef, E.RefUnfreeze]],
  ['mm_page_alloc', [Family.page, E.PageAlloc]],
  ['mm_page_free', [Family.page, E.PageFree]],
  ['mm_page_free_batched', [Family.page, E.PageFreeBatched]],
  ['mm_vmscan_write_folio', [Family.page, E.VmscanWrite]],
  ['mm_vmscan_writepage', [Family.page, E.VmscanWrite]],
  ['mm_filemap_add_to_page_cache', [Family.filemap, E.CacheAdd]],
  ['mm_filemap_delete_from_page_cache', [Family.filemap, E.CacheDelete]],
  ['dma_map_page', [Family.dma, E.DmaMap]],
  ['dma_map_phys', [Family.dma, E.DmaMap]],
  ['dma_unmap_page', [Family.dma, E.DmaUnmap]],
  ['dma_unmap_phys', [Family.dma, E.DmaUnmap]],
  // dma_map_resource maps device memory, which has no pages: counted, not decoded
  ['dma_map_sg', [Family.dma, E.DmaMapSg]],
  ['dma_unmap_sg', [Family.dma, E.DmaUnmapSg]],
  ['dma_map_sg_err', [Family.dma, E.DmaMapSgError]],
  ['map', [Family.iommu, E.IommuMap]],
  ['unmap', [Family.iommu, E.IommuUnmap]],
  ['io_page_fault', [Family.fault, E.IommuFault]],
  ['writeback_dirty_folio', [Family.writeback, E.WritebackDirtyFolio]],
  ['writeback_dirty_page', [Family.writeback, E.WritebackDirtyFolio]],
  ['folio_wait_writeback', [Family.writeback, E.WaitOnWriteback]],
  ['wait_on_page_writeback', [Family.writeback, E.WaitOnWriteback]],
  ['block_rq_issue', [Family.block, E.BlockIssue]],
  ['block_rq_complete', [Family.block, E.BlockComplete]],
  ['block_rq_requeue', [Family.block, E.BlockRequeue]],
  ['nvme_setup_cmd', [Family.nvme, E.NvmeStart]],
  ['nvme_complete_rq', [Family.nvme, E.NvmeDone]],
  ['scsi_dispatch_cmd_start', [Family.scsi, E.ScsiStart]],
  // scsi_dispatch_cmd_timeout is no end: the device has the command until its driver took it back, which makes a done
  ['scsi_dispatch_cmd_done', [Family.scsi, E.ScsiDone]],
  ['swiotlb_bounced', [Family.bounced, E.Bounced]],
  ['io_uring_register', [Family.ioUring, E.IoUringRegister]],
  ['tracing_mark_write', [Family.marker, E.Marker]],
]);

export class EventEntry {
  /** how many lines had it */
  count = 0;
  readonly bytes: Uint8Array;
  readonly family: number;
  readonly kind: EventKind;
  /** by the event's name alone, for payloads with a bare address */
  readonly probeByName: ProbeSpec | undefined;
  /** trace-cmd's name for the stack of the event before */
  readonly isStack: boolean;
  /** the last symbol met in this event's brackets, as a probe we know or not */
  lastSymbol: Uint8Array = EMPTY;
  lastProbe: ProbeSpec | undefined;
  /** lines of it that no template could be made of (lines/templates.ts) */
  withoutTemplate = 0;
  /** templates made of it */
  templates = 0;

  /** `name` as printed; `subsystem` (`kmem:` of perf) does not tell the decoder apart */
  constructor(
    readonly name: string,
    bytes: Uint8Array,
  ) {
    this.bytes = bytes;
    const colon = name.lastIndexOf(':');
    const bare = colon >= 0 ? name.slice(colon + 1) : name;
    const known = TRACEPOINTS.get(bare);
    this.family = known ? known[0] : Family.none;
    this.kind = known ? known[1] : E.Other;
    this.probeByName = probeOfEventName(bare);
    this.isStack = bare === 'kernel_stack' || bare === 'user_stack';
  }
}

const EMPTY = new Uint8Array(0);
/** The name that events beyond MAX_NAMES are counted under. */
export const MORE_NAMES = '(more names)';
/** Names kept apart; a trace with more is counted under one. */
const MAX_NAMES = 4096;
const MASK = 16383;

export class EventTable {
  readonly context = new DecodeContext();
  readonly entries: EventEntry[] = [];
  private readonly slots = new Int16Array(MASK + 1).fill(-1);
  private readonly overflow = new EventEntry(MORE_NAMES, EMPTY);
  private readonly head = new ProbeHead();

  /** The entry of the event called `[start, end)`; `hash` is `hashBytes` of it. */
  entry(buf: Uint8Array, start: number, end: number, hash: number): EventEntry {
    for (let slot = hash & MASK; ; slot = (slot + 1) & MASK) {
      const at = this.slots[slot]!;
      if (at < 0) return this.add(slot, buf, start, end);
      const entry = this.entries[at]!;
      if (sameBytes(buf, start, end, entry.bytes)) return entry;
    }
  }

  /** Whether an event came whose name begins so. */
  hasNameFrom(buf: Uint8Array, start: number, end: number): boolean {
    const name = buf.subarray(start, end);
    return this.entries.some(({bytes, count}) => count > 0 && startsWith(bytes, 0, bytes.length, name));
  }

  /** The entry of a name in text, made if need be. */
  named(name: string): EventEntry {
    const bytes = new TextEncoder().encode(name);
    return this.entry(bytes, 0, bytes.length, hashBytes(bytes, 0, bytes.length));
  }

  private add(slot: number, buf: Uint8Array, start: number, end: number): EventEntry {
    if (this.entries.length >= MAX_NAMES) {
      if (this.overflow.count === 0) this.entries.push(this.overflow);
      return this.overflow;
    }
    const entry = new EventEntry(text(buf, start, end), copyBytes(buf, start, end));
    this.slots[slot] = this.entries.length;
    this.entries.push(entry);
    return entry;
  }

  /** Whether nobody decodes a payload of that event which begins with that byte, no blank, whatever else it holds. */
  isUnread(entry: EventEntry, first: number): boolean {
    return entry.family === Family.none && first !== LPAREN && first !== UNDERSCORE && !this.context.mentions;
  }

  /** Decodes a payload into `ev`: sets `ev.kind` and the fields of that kind. */
  decode(entry: EventEntry, buf: Uint8Array, start: number, end: number, ev: TraceEvent): void {
    // ranges of an earlier event lie anywhere in the bytes
    ev.deviceStart = ev.deviceEnd = ev.textStart = ev.textEnd = 0;
    while (start < end && buf[start] === SPACE) start++;
    const ctx = this.context;
    ctx.readings = undefined;
    if (start < end && buf[start] === LPAREN && this.decodeProbe(entry, buf, start, end, ev)) return;
    if (start < end && buf[start] === UNDERSCORE && isFieldDumpOfProbe(buf, start, end)) {
      const spec = entry.probeByName;
      if (spec) decodeProbe(spec, isReturnDump(buf, start, end), buf, start, end, ev, ctx);
      else mention(ctx, buf, start, end, ev);
      return;
    }
    switch (entry.family) {
      case Family.pageRef:
        decodePageRef(entry.kind, buf, start, end, ev, ctx);
        return;
      case Family.page:
        decodePage(entry.kind, buf, start, end, ev, ctx);
        return;
      case Family.filemap:
        decodeFilemap(entry.kind, buf, start, end, ev, ctx);
        return;
      case Family.dma:
        decodeDma(entry.kind, buf, start, end, ev, ctx);
        return;
      case Family.iommu:
        decodeIommu(entry.kind, buf, start, end, ev, ctx);
        return;
      case Family.fault:
        decodeFault(buf, start, end, ev, ctx);
        return;
      case Family.writeback:
        decodeWriteback(entry.kind, buf, start, end, ev, ctx);
        return;
      case Family.block:
        decodeBlock(entry.kind, buf, start, end, ev, ctx);
        return;
      case Family.nvme:
        decodeNvme(entry.kind, buf, start, end, ev, ctx);
        return;
      case Family.scsi:
        decodeScsi(entry.kind, buf, start, end, ev, ctx);
        return;
      case Family.bounced:
        decodeBounced(buf, start, end, ev, ctx);
        return;
      case Family.ioUring:
        decodeIoUringRegister(buf, start, end, ev, ctx);
        return;
      case Family.marker:
        ev.kind = E.Marker;
        ev.textStart = start;
        ev.textEnd = end;
        return;
    }
    mention(ctx, buf, start, end, ev);
  }

  /** `(symbol+0x0/0x60) page=..`. False when the payload only happens to begin with a bracket. */
  private decodeProbe(entry: EventEntry, buf: Uint8Array, start: number, end: number, ev: TraceEvent): boolean {
    const head = this.head;
    if (!readProbeHead(buf, start, end, head)) return false;
    const {symbolStart, symbolEnd} = head;
    let spec: ProbeSpec | undefined;
    if (symbolEnd > symbolStart) {
      if (!sameBytes(buf, symbolStart, symbolEnd, entry.lastSymbol)) {
        entry.lastProbe = undefined;
        const byName = entry.probeByName;
        if (byName && isSymbol(buf, symbolStart, symbolEnd, byName.name)) entry.lastProbe = byName;
        else entry.lastProbe = probeOfSymbol(text(buf, symbolStart, symbolEnd));
        entry.lastSymbol = copyBytes(buf, symbolStart, symbolEnd);
      }
      spec = entry.lastProbe;
    } else spec = entry.probeByName;
    if (spec) {
      decodeProbe(spec, head.isReturn, buf, head.argsStart, end, ev, this.context);
    } else mention(this.context, buf, start, end, ev);
    return true;
  }
}

const PAGE_WORDS = ['pfn', 'PFN', 'page', 'folio'].map(ascii);

/** An event that nobody decodes: `ev` becomes a mention where those are wanted and its text has a word for a page. */
export function mention(ctx: DecodeContext, buf: Uint8Array, start: number, end: number, ev: TraceEvent): void {
  ev.kind = E.Other;
  if (!ctx.mentions || !PAGE_WORDS.some((word) => find(buf, start, end, word) >= 0)) return;
  ev.begin(E.Mention);
  ev.textStart = start;
  ev.textEnd = end;
}

/** `__probe_func=.. __probe_ret_ip=..`: a return probe; an entry probe has `__probe_ip=` */
function isReturnDump(buf: Uint8Array, start: number, end: number): boolean {
  return start + 8 < end && buf[start + 8] === 102;
}
