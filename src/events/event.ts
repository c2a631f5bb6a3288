/**
 * One decoded trace event: what a parser hands to the model.
 *
 * There is ONE object, written again for every line (a page_ref trace has millions of lines a minute, and a kept object
 * an event costs three times the scan). A consumer that needs an event later copies what it needs, or clones it.
 * Every field is a number; text (comm, device, the line itself) is a range in `buf` and becomes a string only where kept.
 */

/** What happened, whatever tool recorded it and whatever the event was called there. */
export const EventKind = {
  /** Known form of line, but no event any rule or count needs. */
  Other: 0,
  // page_ref:* (include/trace/events/page_ref.h). Fields: pfn pageFlags count mapcount mapping mt val ret
  RefSet: 1,
  RefMod: 2,
  RefModAndTest: 3,
  RefModAndReturn: 4,
  RefModUnless: 5,
  RefFreeze: 6,
  RefUnfreeze: 7,
  // probes on the GUP path (mm/gup.c)
  /** try_grab_folio, try_grab_folio_fast, try_grab_page, try_grab_compound_head: page refs gupFlags */
  Grab: 8,
  /** their return: ok (1/0) as far as the return value tells; -1 unknown */
  GrabReturn: 9,
  /** gup_put_folio, put_compound_head: page refs gupFlags. Every unpin goes through it. */
  GupPut: 10,
  /** folio_add_pin, folio_add_pins: page refs */
  AddPin: 11,
  /** unpin_user_page*, unpin_folio*, put_user_page*: list of pages (maybe shorter than nr), nr, makeDirty */
  UnpinCall: 12,
  /** pin_user_pages*: start nr gupFlags */
  PinCall: 13,
  PinReturn: 14,
  /** get_user_pages*: start nr gupFlags */
  GetCall: 15,
  GetReturn: 16,
  /** __bio_release_pages, bio_release_pages: makeDirty */
  BioRelease: 17,
  // writeback and dirty probes (mm/page-writeback.c, mm/filemap.c): page
  WritebackStart: 18,
  WritebackEnd: 19,
  ClearDirtyForIo: 20,
  MarkDirty: 21,
  /** __folio_put: the last reference is gone: page */
  FolioPutLast: 22,
  /** folios_put_refs: list (first few) and nr */
  FoliosPut: 23,
  // kmem: pfn order
  PageAlloc: 24,
  PageFree: 25,
  /** a second line for a free already reported (kernel-facts B2) */
  PageFreeBatched: 26,
  // filemap: pfn devId ino ofs order
  CacheAdd: 27,
  CacheDelete: 28,
  // dma:* of 6.12 and later
  /** device dir dmaAddr size phys; failed=1 when dma_addr is all ones */
  DmaMap: 29,
  /** device dir dmaAddr size */
  DmaUnmap: 30,
  /** device dir, list: phys (n), addr and len (m, may be fewer), truncated */
  DmaMapSg: 31,
  /** device dir, list: phys only */
  DmaUnmapSg: 32,
  DmaMapSgError: 33,
  // probes that stand for them before 6.12
  /** dma_map_page_attrs entry: device, page, offset size dir; the address comes with DmaMapReturn of the same task */
  DmaMapEntry: 34,
  /** dma_map_page_attrs return: dmaAddr (failed=1 for all ones) */
  DmaMapReturn: 35,
  /** dma_map_sg_attrs, dma_map_sgtable entry: device dir nents; list of (page, offset, len), shorter than nents at times */
  DmaMapSgEntry: 36,
  /** dma_unmap_sg_attrs entry: the same list */
  DmaUnmapSgEntry: 37,
  /** one element of a list, as bpftrace programs print it: device dir index nents page offset len */
  DmaMapSgItem: 38,
  DmaUnmapSgItem: 39,
  // iommu:map / iommu:unmap: dmaAddr (iova) size phys
  IommuMap: 40,
  IommuUnmap: 41,
  // writeback:* (no pfn: bdi, ino, index)
  WritebackDirtyFolio: 42,
  WaitOnWriteback: 43,
  // block:* : devId sector nr, write=1 for RWBS with W
  BlockIssue: 44,
  BlockComplete: 45,
  /** io_uring_register: opcode in val, nr buffers in nr, ret */
  IoUringRegister: 46,
  /** mm_vmscan_write_folio, mm_vmscan_writepage: reclaim writes one page: pfn */
  VmscanWrite: 47,
  /** trace_marker text: payload range only */
  Marker: 48,
  /** return of dma_map_sg_attrs/dma_map_sgtable where probed: ret */
  DmaMapSgReturn: 49,
  /** return of any other probed function we know: ret */
  OtherReturn: 50,
} as const;
export type EventKind = (typeof EventKind)[keyof typeof EventKind];
export const EVENT_KINDS = 51;

/** Page flags the model asks about, from `flags=` of page_ref events (names, or hex by the layout of 6.x when given so). */
export const PageFlag = {
  locked: 1 << 0,
  referenced: 1 << 1,
  uptodate: 1 << 2,
  dirty: 1 << 3,
  lru: 1 << 4,
  active: 1 << 5,
  reserved: 1 << 6,
  private: 1 << 7,
  writeback: 1 << 8,
  head: 1 << 9,
  swapcache: 1 << 10,
  swapbacked: 1 << 11,
  unevictable: 1 << 12,
  mlocked: 1 << 13,
  slab: 1 << 14,
  reclaim: 1 << 15,
  waiters: 1 << 16,
  workingset: 1 << 17,
  /** flags were printed as a number whose layout is not known: only absence of knowledge follows */
  unknownLayout: 1 << 30,
} as const;

/** DMA direction, numbered as enum dma_data_direction (include/linux/dma-direction.h). */
export const DmaDir = {bidirectional: 0, toDevice: 1, fromDevice: 2, none: 3, unknown: -1} as const;

/** How a page was named. */
export const PageName = {
  none: 0,
  /** `pfn` holds it */
  pfn: 1,
  /** raw kernel pointer to struct page or folio in ptrHi/ptrLo (bit 63 set) */
  pointer: 2,
  /** hashed %p: an identity within one boot, never a place */
  hashed: 3,
} as const;

/** Context characters of the flags column. */
export const Context = {unknown: -1, task: 0, softirq: 1, hardirq: 2, nmi: 3} as const;

/** Most entries of a list that are kept (dma tracepoints cut at 128 themselves). */
export const LIST_MAX = 512;

export class TraceEvent {
  kind: EventKind = EventKind.Other;
  /** Index into the report's inputs. */
  input = 0;
  /** 1-based line number in that input. */
  line = 0;
  /** Byte offset of the line's first byte in the (decompressed) input. */
  offset = 0;
  /** Time in ns (or ticks of a counting clock) since the shared base of `TimeBase`: exact integers, see time.ts. */
  t = 0;
  /** -1: not known */
  cpu = -1;
  /** thread id; -1: not known */
  pid = -1;
  /** -1: not known */
  tgid = -1;
  /** one of Context */
  context: number = -1;

  // the bytes of the line, and ranges in them
  buf: Uint8Array = EMPTY;
  lineStart = 0;
  lineEnd = 0;
  commStart = 0;
  commEnd = 0;
  nameStart = 0;
  nameEnd = 0;
  deviceStart = 0;
  deviceEnd = 0;
  /** bdi name of writeback events, text of a marker */
  textStart = 0;
  textEnd = 0;

  // page identity
  /** one of PageName */
  pageName: number = 0;
  pfn = -1;
  ptrHi = 0;
  ptrLo = 0;
  /** the pointer is to a struct page that may be a tail (probe argument called `page`), not to a folio */
  mayBeTail = 0;
  /** vmemmap_base as a probe argument (`vmemmap=`), 0/0 when absent */
  vmemmapHi = 0;
  vmemmapLo = 0;

  // page_ref
  pageFlags = 0;
  count = 0;
  /** 1 when `count=` was there */
  hasCount = 0;
  mapcount = 0;
  hasMapcount = 0;
  /** `mapping=` as two halves: hashed, raw or 0; hasMapping 1 when printed */
  mappingHi = 0;
  mappingLo = 0;
  hasMapping = 0;
  /** migratetype; -1 unknown */
  mt = -1;
  val = 0;
  ret = 0;
  /** 1 when `ret=` was there */
  hasRet = 0;

  // gup
  refs = 1;
  gupFlags = 0;
  /** 1 when flags were there */
  hasFlags = 0;
  /** number asked (nr=, npages=, nents=) */
  nr = 0;
  /** user address, as a double (exact below 2^53) */
  start = 0;
  /** 1 true, 0 false, -1 not printed */
  makeDirty = -1;
  /** of a return: 1 worked, 0 failed, -1 not known */
  ok = -1;

  // kmem, filemap
  /** -1: not printed */
  order = -1;
  /** major * 2^20 + minor; -1 unknown */
  devId = -1;
  ino = 0;
  /** byte offset in the file (filemap) or page index (writeback: hasIndex) */
  ofs = -1;
  index = -1;

  // dma, iommu
  /** one of DmaDir */
  dir: number = -1;
  /** as a double; exact below 2^53 (IOVAs and physical addresses are) */
  dmaAddr = -1;
  size = 0;
  /** physical address as a double, -1 when not printed */
  phys = -1;
  /** offset into the page of a probe's page argument */
  pageOffset = 0;
  failed = 0;
  truncated = 0;
  /** position of a DmaMapSgItem in its list */
  itemIndex = 0;

  // block
  sector = -1;
  write = 0;

  // lists: pages of an unpin call, or entries of a scatterlist
  /** entries in listPfn/listPtr* or listPhys */
  listLength = 0;
  /** how list entries are named: PageName.pfn, PageName.pointer; phys lists use listPhys */
  listName: number = 0;
  readonly listPfn = new Float64Array(LIST_MAX);
  readonly listPtrHi = new Float64Array(LIST_MAX);
  readonly listPtrLo = new Float64Array(LIST_MAX);
  /** physical addresses of scatterlist entries */
  readonly listPhys = new Float64Array(LIST_MAX);
  /** where in its page each entry named by a pointer begins (the probes that stand for dma_map_sg) */
  readonly listOffset = new Float64Array(LIST_MAX);
  /** bytes of each entry; -1 unknown */
  readonly listLen = new Float64Array(LIST_MAX);
  /** DMA side of a mapped scatterlist (an IOMMU merges: dmaLength <= listLength) */
  dmaLength = 0;
  readonly dmaAddrs = new Float64Array(LIST_MAX);
  readonly dmaLens = new Float64Array(LIST_MAX);

  constructor() {
    // V8 represents a field by what it held first. One that starts as a small integer and holds a time or half a pointer
    // later gives the event another hidden class then, and every function that touches events is compiled again.
    this.offset = this.t = this.pfn = this.ptrHi = this.ptrLo = this.vmemmapHi = this.vmemmapLo = 0.5;
    this.mappingHi = this.mappingLo = this.val = this.ret = this.gupFlags = this.nr = this.start = 0.5;
    this.devId = this.ino = this.ofs = this.index = this.dmaAddr = this.size = this.phys = this.sector = 0.5;
    this.offset = this.t = 0;
    this.clearPayload();
  }

  /** Puts every payload field back to "not printed"; the context fields are written by every line anyway. */
  clearPayload(): void {
    this.deviceStart = this.deviceEnd = this.textStart = this.textEnd = 0;
    this.pageName = 0;
    this.pfn = -1;
    this.ptrHi = this.ptrLo = 0;
    this.mayBeTail = 0;
    this.vmemmapHi = this.vmemmapLo = 0;
    this.pageFlags = 0;
    this.count = this.hasCount = 0;
    this.mapcount = this.hasMapcount = 0;
    this.mappingHi = this.mappingLo = this.hasMapping = 0;
    this.mt = -1;
    this.val = this.ret = this.hasRet = 0;
    this.refs = 1;
    this.gupFlags = this.hasFlags = 0;
    this.nr = 0;
    this.start = 0;
    this.makeDirty = -1;
    this.ok = -1;
    this.order = -1;
    this.devId = -1;
    this.ino = 0;
    this.ofs = this.index = -1;
    this.dir = -1;
    this.dmaAddr = -1;
    this.size = 0;
    this.phys = -1;
    this.pageOffset = 0;
    this.failed = this.truncated = 0;
    this.itemIndex = 0;
    this.sector = -1;
    this.write = 0;
    this.listLength = this.listName = this.dmaLength = 0;
  }
}

const EMPTY = new Uint8Array(0);

/** Events that were lost, as the trace says. */
export interface Loss {
  input: number;
  line: number;
  /** -1: not said (bpftrace) */
  cpu: number;
  /** -1: not said */
  count: number;
  /**
   * `lost`: between the last event of that CPU and its next one.
   * `start`: everything of that CPU before its next event is gone (overwritten; "buffer started").
   */
  what: 'lost' | 'start';
}

/** What a parser hands over. Calls come in the order of the lines. */
export interface EventSink {
  /** `ev` is written again after the call returns. */
  event(ev: TraceEvent): void;
  /**
   * A stack block follows the event last seen on this CPU and task. Answers whether anybody wants the frames:
   * if not, the parser skips them unread.
   */
  stackBegin(cpu: number, pid: number): boolean;
  /** One frame, innermost first: `symbol+0xoff [module]` or a bare address, without brackets of a dso. */
  stackFrame(buf: Uint8Array, start: number, end: number): void;
  stackEnd(): void;
  loss(loss: Loss): void;
  /** Facts in headers and comments: `kernel`, `clock`, `cpus`, `entries_in_buffer`, `entries_written`, `vmemmap_base`, `page_size`, ... */
  fact(input: number, name: string, value: string): void;
}
