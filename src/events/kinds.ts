/**
 * The one table of kinds: what events there are, which fields of its own each has, and where a row keeps them.
 *
 * It feeds the view (event.ts: a property for each field), the decoders of text and of records (parsers/events/family.ts
 * says by which name a tool prints a field; what a kind has not is never written), the rows that are kept (order/), and
 * the tests. A new event is a line in `EventKind`, one in `FAMILY_OF`, and its names in parsers/events.
 */

/** What happened, whatever tool recorded it and whatever the event was called there. */
export const EventKind = {
  /** Known form of line, but no event any rule or count needs. */
  Other: 0,
  // page_ref:* (include/trace/events/page_ref.h). (_set .. _unfreeze)
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
  // block:* : devId sector nr, write=1 for RWBS with W. block_rq_error only repeats a block_rq_complete.
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
  /** iommu:io_page_fault, or the IOMMU driver's own line in a kernel log: device dmaAddr access */
  IommuFault: 51,
  /** an event that nobody decodes and whose text names a page (a trace_printk, a tracepoint of one's own); only who follows pages asks for it */
  Mention: 52,
  /** block_rq_requeue: the driver gave a request back that is not complete: it will be issued again */
  BlockRequeue: 53,
  // commands of a bus, each with what it is known again by: nvme:*, scsi:*
  /** nvme_setup_cmd, before the mappings made for it: ctrl queue tag, of reads and writes sector nr (of blocks) write */
  NvmeStart: 54,
  /** nvme_complete_rq: ctrl queue tag */
  NvmeDone: 55,
  /** scsi_dispatch_cmd_start, before the mappings made for it: ctrl channel target lun tag, of reads and writes sector nr write */
  ScsiStart: 56,
  /** scsi_dispatch_cmd_done: the same */
  ScsiDone: 57,
  /** swiotlb_bounced, before the event of the mapping: device dmaAddr (the page's own) size */
  Bounced: 58,
} as const;
export type EventKind = (typeof EventKind)[keyof typeof EventKind];
export const EVENT_KINDS = 59;

/** Bytes of a row: two cache lines. Lists (pages of a call, entries of a scatterlist) lie beside it. */
export const ROW_BYTES = 128;

/**
 * How a row keeps a field: as a double (any number that text can hold: one that no kernel prints must be seen to be none),
 * as 32 bits, as a signed byte, or as a bit of the byte `has`.
 */
export type Storage = 'f64' | 'u32' | 'i32' | 'i8' | 'bit';

/** What a field is to a decoder, of text or of a record: how its value is written, or what its bytes mean. */
export type Form =
  /** unsigned; `0x..` or decimal */
  | 'number'
  /** unsigned; bare digits are hexadecimal (`%lx`) */
  | 'hex'
  /** an int */
  | 'signed'
  /** PageFlag bits: names, or a number in the layout of the kernel */
  | 'flags'
  /** enum dma_data_direction, by name or number */
  | 'direction'
  /** a page frame number: the page is named by it */
  | 'pfn'
  /** an address that may be DMA_MAPPING_ERROR (all ones): `failed` with it */
  | 'dma'
  /** zero or not */
  | 'bool'
  /** follows from other fields, or from several names */
  | 'derived';

export interface Field {
  readonly storage: Storage;
  /** index in words of the storage's size from the row's beginning; of a bit its mask */
  readonly at: number;
  readonly form: Form;
  /** its value where the event does not say it */
  readonly none: number;
  /** the bit that says it was printed */
  readonly has?: number;
}

const f64 = (at: number, form: Form, none = 0, has = 0): Field => ({storage: 'f64', at, form, none, has});
const u32 = (at: number): Field => ({storage: 'u32', at, form: 'derived', none: 0});
const i32 = (at: number, form: Form = 'derived', none = 0): Field => ({storage: 'i32', at, form, none});
const i8 = (at: number, form: Form = 'derived', none = 0): Field => ({storage: 'i8', at, form, none});
const bit = (at: number): Field => ({storage: 'bit', at, form: 'derived', none: 0});

/** What every row has: who, where and when. */
export const COMMON = {
  /** Time in ns (or ticks of a counting clock) since the shared base of `TimeBase`: exact integers, see time.ts. */
  t: f64(0, 'derived'),
  /** Byte offset of the line's first byte in the (decompressed) input, or of the record in a recording. */
  offset: f64(1, 'derived'),
  /** One of EventKind. */
  kind: i8(16),
  /** one of Context */
  context: i8(17, 'derived', -1),
  /** Index into the report's inputs. */
  input: i32(5),
  /** 1-based line number in that input. */
  line: u32(6),
  /** -1: not known */
  cpu: i32(7, 'derived', -1),
  /** thread id; -1: not known */
  pid: i32(8, 'derived', -1),
  /** -1: not known */
  tgid: i32(9, 'derived', -1),
} as const satisfies Record<string, Field>;

/** Where in a row, in 32-bit words, the fields of its kind begin: all before is common. */
export const OWN_WORD = 10;
/** Where in a row, in bytes, the bits are. */
export const HAS_BYTE = 40;
/** Bits of the byte `has`. */
export const Has = {
  count: 1,
  mapcount: 2,
  ret: 4,
  flags: 8,
  mayBeTail: 16,
  failed: 32,
  truncated: 64,
  write: -128,
} as const;

/** How a device touched an address that faulted: IOMMU_FAULT_WRITE of include/linux/iommu.h, and what a driver adds. */
export const Access = {write: 1, present: 2} as const;

/** What events have of their own. Fields that no kind has together share a place. */
export const OWN = {
  // --- bits
  /** 1 when `count=` was there */
  hasCount: bit(Has.count),
  hasMapcount: bit(Has.mapcount),
  hasRet: bit(Has.ret),
  /** 1 when the FOLL_* flags were there */
  hasFlags: bit(Has.flags),
  /** the pointer is to a struct page that may be a tail (probe argument called `page`), not to a folio */
  mayBeTail: bit(Has.mayBeTail),
  /** a mapping that failed */
  failed: bit(Has.failed),
  /** a list that is shorter than what it is of */
  truncated: bit(Has.truncated),
  /** block: 1 for RWBS with W */
  write: bit(Has.write),

  // --- bytes
  /** how entries of a list of pages are named: PageName.pfn, PageName.pointer */
  listName: i8(41),
  /** which probed function (functions.ts); 0 one that is not told apart */
  fn: i8(42),
  /** one of PageName */
  pageName: i8(44),
  /** of a return: 1 worked, 0 failed, -1 not known */
  ok: i8(45, 'derived', -1),
  /** 1 true, 0 false, -1 not printed */
  makeDirty: i8(46, 'bool', -1),
  /** one of DmaDir */
  dir: i8(47, 'direction', -1),

  // --- the page
  pfn: f64(6, 'pfn', -1),
  /** raw pointer to struct page or folio */
  ptrHi: u32(14),
  ptrLo: u32(15),

  // --- page_ref
  pageFlags: i32(16, 'flags'),
  count: f64(9, 'signed', 0, Has.count),
  mapcount: f64(10, 'signed', 0, Has.mapcount),
  /** migratetype; -1 unknown */
  mt: f64(11, 'signed', -1),
  val: f64(12, 'signed'),
  ret: f64(13, 'signed', 0, Has.ret),

  // --- probes
  /** vmemmap_base as a probe argument (`vmemmap=`), 0/0 when absent */
  vmemmapHi: u32(16),
  vmemmapLo: u32(17),
  refs: f64(9, 'signed', 1),
  gupFlags: f64(10, 'number', 0, Has.flags),
  /** user address, as a double (exact below 2^53) */
  start: f64(12, 'number'),
  /** number asked (nr=, npages=, nents=, nr_sector=) */
  nr: f64(14, 'number'),

  // --- kmem, filemap, writeback
  /** -1: not printed */
  order: f64(10, 'number', -1),
  /** major * 2^20 + minor; -1 unknown */
  devId: f64(9, 'number', -1),
  ino: f64(11, 'hex'),
  /** byte offset in the file */
  ofs: f64(12, 'number', -1),
  /** page index in the file */
  index: f64(13, 'number', -1),

  // --- dma, iommu: addresses are doubles, exact below 2^53 (IOVAs and physical addresses are)
  dmaAddr: f64(9, 'dma', -1),
  size: f64(10, 'number'),
  /** physical address, -1 when not printed */
  phys: f64(11, 'hex', -1),
  /** offset into the page of a probe's page argument */
  pageOffset: f64(12, 'number'),
  /** position of a DmaMapSgItem in its list */
  itemIndex: f64(13, 'number'),

  // --- faults of an IOMMU
  /** bits of Access; -1 not printed */
  access: f64(10, 'number', -1),
  /** its time is that of the line before: the log that has it runs on another clock */
  untimed: bit(Has.truncated),

  // --- block, nvme, scsi
  /** of 512 bytes; of a command, of blocks of its device */
  sector: f64(10, 'number', -1),

  // --- nvme, scsi
  /** number of the controller, or of the host */
  ctrl: f64(9, 'number', -1),
  channel: f64(11, 'number'),
  target: f64(12, 'number'),
  lun: f64(13, 'number'),
  queue: f64(6, 'number'),
  /** number of the command in its queue; a generation may lie above its twelve bits (NVMe). -1: not printed */
  tag: f64(7, 'number', -1),
  opcode: f64(8, 'number', -1),

  // --- lists: pages of an unpin call, or entries of a scatterlist
  /** entries in listPfn/listPtr* or listPhys */
  listLength: i32(30),
  /** DMA side of a mapped scatterlist (an IOMMU merges: dmaLength <= listLength) */
  dmaLength: i32(31),
} as const satisfies Record<string, Field>;

export type OwnName = keyof typeof OWN;

/** The fields of all kinds that are of one shape. */
export interface Family {
  readonly name: string;
  readonly fields: readonly OwnName[];
  /** the event names a device or a bdi, as a range of its line */
  readonly named?: 'device' | 'text';
  /** the lists beside its rows */
  readonly lists?: 'pages' | 'addresses' | 'entries';
}

const PAGE: readonly OwnName[] = ['pageName', 'pfn', 'ptrHi', 'ptrLo'];
const PROBED: readonly OwnName[] = [...PAGE, 'mayBeTail', 'vmemmapHi', 'vmemmapLo', 'nr', 'ok'];
const MAPPED: readonly OwnName[] = ['dir', 'dmaAddr', 'size', 'phys', 'failed', 'truncated'];
const LISTED: readonly OwnName[] = ['listLength', 'listName'];

export const FAMILIES = {
  /** page_ref:* (include/trace/events/page_ref.h) */
  pageRef: {
    name: 'pageRef',
    fields: [
      'pageName',
      'pfn',
      'pageFlags',
      'count',
      'hasCount',
      'mapcount',
      'hasMapcount',
      'mt',
      'val',
      'ret',
      'hasRet',
    ],
  },
  /** kmem:* and vmscan:* that name a page (include/trace/events/kmem.h, vmscan.h) */
  page: {name: 'page', fields: [...PAGE, 'order', 'mt']},
  /** filemap:* (include/trace/events/filemap.h) */
  filemap: {name: 'filemap', fields: [...PAGE, 'devId', 'ino', 'ofs', 'index', 'order']},
  /** probes on the GUP path, on writeback and dirtying (parsers/events/probe-table.ts) */
  probe: {
    name: 'probe',
    fields: [...PROBED, ...LISTED, 'fn', 'refs', 'gupFlags', 'hasFlags', 'start', 'makeDirty', 'ret', 'hasRet'],
    lists: 'pages',
  },
  /** dma:* of 6.12 and later (include/trace/events/dma.h) */
  dma: {name: 'dma', fields: [...MAPPED, 'nr', 'listLength', 'dmaLength'], named: 'device', lists: 'addresses'},
  /** probes that stand for them before 6.12 */
  dmaProbe: {
    name: 'dmaProbe',
    fields: [...PROBED, ...MAPPED, ...LISTED, 'pageOffset', 'ret', 'hasRet'],
    named: 'device',
    lists: 'entries',
  },
  /** one entry of such a list, as bpftrace programs print it */
  dmaItem: {name: 'dmaItem', fields: [...PROBED, ...MAPPED, 'pageOffset', 'itemIndex'], named: 'device'},
  /** iommu:map, iommu:unmap (include/trace/events/iommu.h) */
  iommu: {name: 'iommu', fields: ['dmaAddr', 'size', 'phys']},
  /** iommu:io_page_fault (include/trace/events/iommu.h) and the fault lines of IOMMU drivers (parsers/dmesg/fault.ts) */
  fault: {name: 'fault', fields: ['dmaAddr', 'access', 'untimed'], named: 'device'},
  /** writeback:* of one page (include/trace/events/writeback.h) */
  writeback: {name: 'writeback', fields: ['devId', 'ino', 'index'], named: 'text'},
  /** block:* (include/trace/events/block.h) */
  block: {name: 'block', fields: ['devId', 'sector', 'nr', 'write']},
  /** nvme:* (drivers/nvme/host/trace.h) */
  nvme: {name: 'nvme', fields: ['ctrl', 'queue', 'tag', 'opcode', 'sector', 'nr', 'write']},
  /** scsi:* (include/trace/events/scsi.h) */
  scsi: {name: 'scsi', fields: ['ctrl', 'channel', 'target', 'lun', 'tag', 'sector', 'nr', 'write']},
  /** swiotlb:swiotlb_bounced (include/trace/events/swiotlb.h) */
  bounced: {name: 'bounced', fields: ['dmaAddr', 'size', 'failed'], named: 'device'},
  /** io_uring:io_uring_register (include/trace/events/io_uring.h) */
  ioUring: {name: 'ioUring', fields: ['val', 'nr', 'ret', 'hasRet']},
  marker: {name: 'marker', fields: [], named: 'text'},
  none: {name: 'none', fields: []},
} as const satisfies Record<string, Family>;

export type FamilyName = keyof typeof FAMILIES;

const K = EventKind;
const OF: readonly (readonly [FamilyName, first: EventKind, last?: EventKind])[] = [
  ['none', K.Other],
  ['pageRef', K.RefSet, K.RefUnfreeze],
  ['probe', K.Grab, K.FoliosPut],
  ['page', K.PageAlloc, K.PageFreeBatched],
  ['filemap', K.CacheAdd, K.CacheDelete],
  ['dma', K.DmaMap, K.DmaMapSgError],
  ['dmaProbe', K.DmaMapEntry, K.DmaUnmapSgEntry],
  ['dmaItem', K.DmaMapSgItem, K.DmaUnmapSgItem],
  ['iommu', K.IommuMap, K.IommuUnmap],
  ['writeback', K.WritebackDirtyFolio, K.WaitOnWriteback],
  ['block', K.BlockIssue, K.BlockComplete],
  ['ioUring', K.IoUringRegister],
  ['page', K.VmscanWrite],
  ['marker', K.Marker],
  ['dmaProbe', K.DmaMapSgReturn],
  ['probe', K.OtherReturn],
  ['fault', K.IommuFault],
  ['marker', K.Mention],
  ['block', K.BlockRequeue],
  ['nvme', K.NvmeStart, K.NvmeDone],
  ['scsi', K.ScsiStart, K.ScsiDone],
  ['bounced', K.Bounced],
];

/** By kind: its family. */
export const FAMILY_OF: readonly Family[] = Array.from({length: EVENT_KINDS}, (_, kind) => {
  const found = OF.find(([, first, last = first]) => kind >= first && kind <= last);
  if (!found) throw new Error(`event kind ${kind} has no family`);
  return FAMILIES[found[0]];
});
