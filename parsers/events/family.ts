/**
 * By which names tools print the fields of each family (src/events/kinds.ts), and the one loop that reads them.
 *
 * A name is a key of keys.ts, where its spellings are; those of the kernel's tracepoints are the names in their `format`
 * files, so that a record is read by the same table. What a family does not name is passed over.
 */

import {EventKind, PageName, type TraceEvent} from '../../src/events/event.js';
import {Has, HAS_BYTE, OWN, type FamilyName, type Field, type Form, type OwnName} from '../../src/events/kinds.js';
import {DIGIT_0} from '../bytes.js';
import type {DecodeContext} from './context.js';
import {Key, KEYS} from './keys.js';
import type {Reading} from './reading.js';
import type {ProbeArguments} from './probe-table.js';
import {commandIn, wordsOfCommand} from './command.js';
import {
  dmaAddress,
  dmaDirection,
  isDeviceMemory,
  numbers,
  pageList,
  pagePointer,
  rawPointer,
  returnValue,
  scatterlistField,
  totalOf,
} from './values.js';

/** What is more than one field, or none: */
type Special =
  /** `page=` beside a pfn: a pointer only where the kernel printed it whole */
  | 'pointer beside'
  /** a struct page, which may be a tail; a folio, or a page that is a head by contract */
  | 'page'
  | 'folio'
  /** an array of pages of a call, or one page */
  | 'pages'
  /** what a function answered */
  | 'return'
  | 'vmemmap'
  /** a DMA address whose bare digits are decimal */
  | 'dma number'
  /** a field of one entry of a scatterlist */
  | 'entry'
  /** lists of a mapping: physical addresses, DMA addresses, lengths */
  | 'addresses'
  | 'dma addresses'
  | 'lengths'
  /** `128/200` */
  | 'total'
  /** whether a mapping is of device memory */
  | 'attrs'
  /** ranges of the line */
  | 'device'
  | 'text'
  /** RWBS, after which a task's name follows that may hold anything */
  | 'rwbs'
  /** the end of a range whose beginning is `dmaAddr` */
  | 'end'
  /** a command by name, what it does to which blocks behind it: `(READ_10 lba=..`; of SCSI the bytes of one, too */
  | 'command'
  /** the last six words of an NVMe command, as bytes */
  | 'words';

/** A name's field in its own form, or in another one; or what is special about it. */
type Meaning = OwnName | readonly [OwnName, Form, has?: number] | {readonly special: Special};
type Names = Partial<Record<keyof typeof Key, Meaning>>;

const PAGE: Names = {pfn: 'pfn', page: {special: 'pointer beside'}, order: 'order'};
const PROBED: Names = {
  page: {special: 'page'},
  ptr: {special: 'page'},
  folio: {special: 'folio'},
  pages: {special: 'pages'},
  // whoever computed it from a struct page may have had a tail
  pfn: ['pfn', 'pfn', Has.mayBeTail],
  count: 'nr',
  nr: 'nr',
  nents: 'nr',
  ret: {special: 'return'},
  vmemmap: {special: 'vmemmap'},
  pageAt: {special: 'entry'},
  offAt: {special: 'entry'},
  lenAt: {special: 'entry'},
};
/** Of a probe on an unmap, which stands for the tracepoint. */
const UNMAPPED: Names = {
  device: {special: 'device'},
  dmaAddr: {special: 'dma number'},
  addr: {special: 'dma number'},
  physAddr: ['phys', 'number'],
  size: 'size',
  dir: 'dir',
};
const MAPPED: Names = {...PROBED, ...UNMAPPED, offset: 'pageOffset'};

const NAMES: Record<FamilyName | 'dmaUnmapProbe', Names> = {
  pageRef: {
    pfn: 'pfn',
    flags: 'pageFlags',
    count: 'count',
    mapcount: 'mapcount',
    mt: 'mt',
    val: 'val',
    ret: 'ret',
  },
  page: {...PAGE, mt: 'mt'},
  filemap: {...PAGE, ofs: 'ofs', ino: 'ino', index: 'index', sDev: 'devId'},
  dma: {
    device: {special: 'device'},
    dir: 'dir',
    dmaAddr: 'dmaAddr',
    addr: 'dmaAddr',
    physAddr: 'phys',
    size: 'size',
    nents: {special: 'total'},
    fullNents: 'nr',
    truncated: ['truncated', 'bool'],
    dmaAddrs: {special: 'dma addresses'},
    sizes: {special: 'lengths'},
    physAddrs: {special: 'addresses'},
    addrs: {special: 'addresses'},
    attrs: {special: 'attrs'},
  },
  probe: {
    ...PROBED,
    refs: 'refs',
    flags: 'gupFlags',
    gupFlags: 'gupFlags',
    makeDirty: 'makeDirty',
    start: 'start',
    addr: 'start',
  },
  dmaProbe: MAPPED,
  dmaItem: MAPPED,
  dmaUnmapProbe: UNMAPPED,
  iommu: {iova: ['dmaAddr', 'hex'], end: {special: 'end'}, paddr: 'phys', size: 'size'},
  fault: {device: {special: 'device'}, iova: ['dmaAddr', 'hex'], flags: 'access'},
  writeback: {name: {special: 'text'}, ino: ['ino', 'number'], index: 'index'},
  block: {device: 'devId', sector: 'sector', nrSector: 'nr', rwbs: {special: 'rwbs'}},
  nvme: {
    ctrlId: 'ctrl',
    qid: 'queue',
    cid: 'tag',
    opcode: 'opcode',
    slba: 'sector',
    size: 'nr',
    cmd: {special: 'command'},
    cdw10: {special: 'words'},
  },
  scsi: {
    hostNo: 'ctrl',
    channel: 'channel',
    id: 'target',
    lun: 'lun',
    driverTag: 'tag',
    lba: 'sector',
    txlen: 'nr',
    cmnd: {special: 'command'},
  },
  bounced: {device: {special: 'device'}, dmaAddr: 'dmaAddr', size: 'size'},
  ioUring: {opcode: 'val', nrBufs: 'nr', ret: 'ret'},
  marker: {},
  none: {},
};

/** How a value is read, as a number: loops over strings are slow. */
const HOWS = [
  'number',
  'hex',
  'signed',
  'pfn',
  'flags',
  'direction',
  'dma',
  'bool',
  'derived',
  'dma number',
  'pointer beside',
  'page',
  'folio',
  'pages',
  'return',
  'vmemmap',
  'entry',
  'addresses',
  'dma addresses',
  'lengths',
  'total',
  'attrs',
  'device',
  'text',
  'rwbs',
  'end',
  'command',
  'words',
] as const satisfies readonly (Form | Special)[];
type How = (typeof HOWS)[number];
export const HOW = Object.fromEntries(HOWS.map((how, i) => [how, i])) as Record<How, number>;

function reading(meaning: Meaning): Reading {
  if (typeof meaning !== 'string' && 'special' in meaning) {
    return {how: HOW[meaning.special], at: 0, has: 0, field: undefined};
  }
  const name = typeof meaning === 'string' ? meaning : meaning[0];
  const field: Field = OWN[name];
  const [form, has] = typeof meaning === 'string' ? [field.form] : [meaning[1], meaning[2]];
  return {how: HOW[form], at: field.at, has: has ?? field.has ?? 0, field: name};
}

/** By family and key: what the name says. */
const READINGS = Object.fromEntries(
  Object.entries(NAMES).map(([family, names]) => {
    const byKey: (Reading | undefined)[] = Array.from({length: KEYS});
    for (const [key, meaning] of Object.entries(names)) byKey[Key[key as keyof typeof Key]] = reading(meaning);
    return [family, byKey];
  }),
) as unknown as Record<keyof typeof NAMES, readonly (Reading | undefined)[]>;

/** What a family's names say, by Key. */
export function readingsOf(family: keyof typeof NAMES): readonly (Reading | undefined)[] {
  return READINGS[family];
}

/**
 * Reads every field of the payload that `ctx.fields` was opened on into the row at hand, which has begun as one of its
 * kind. `args` gives the meaning of arguments that are named by position (`arg2=`).
 */
export function readFields(
  readings: readonly (Reading | undefined)[],
  ev: TraceEvent,
  ctx: DecodeContext,
  args: ProbeArguments | undefined,
): void {
  const {fields} = ctx;
  ctx.readings = readings;
  ctx.args = args;
  ctx.from = fields.at;
  ctx.flagsStart = ctx.sizes = -1;
  ctx.rangeEnd = -1;
  ctx.deviceMemory = false;
  ctx.hasNr = false;
  ctx.pageSeen = false;
  ctx.command = -1;
  while (fields.next()) {
    const {key} = fields;
    const r = readings[key === Key.arg && args ? args.keyOf(fields.index) : key];
    if (r === undefined) continue;
    if (r.how <= HOW.pfn) plain(r, ev, ctx);
    else if (special(r, ev, ctx, args)) return;
  }
}

/** A number. */
function plain(r: Reading, ev: TraceEvent, ctx: DecodeContext): void {
  const {fields} = ctx;
  const at = ev.at64 + r.at;
  switch (r.how) {
    case HOW.hex:
      ev.f64[at] = fields.hexNumber();
      break;
    case HOW.signed:
      ev.f64[at] = fields.signed();
      break;
    case HOW.pfn:
      ev.f64[at] = fields.number();
      ev.pageName = PageName.pfn;
      break;
    default:
      ev.f64[at] = fields.number();
  }
  if (r.has !== 0) ev.i8[ev.at8 + HAS_BYTE]! |= r.has;
  if (r.field === 'nr') ctx.hasNr = true;
}

/** Anything else. True where the rest of the payload is not to be read. */
function special(r: Reading, ev: TraceEvent, ctx: DecodeContext, args: ProbeArguments | undefined): boolean {
  const {fields} = ctx;
  switch (r.how) {
    case HOW.flags:
      ctx.flagsStart = fields.start;
      ctx.flagsStop = fields.stop;
      break;
    case HOW.direction:
      ev.dir = dmaDirection(fields.buf, fields.start, fields.stop);
      break;
    case HOW.dma:
    case HOW['dma number']:
      dmaAddress(ev, ctx, r.how === HOW.dma);
      break;
    case HOW.bool:
      if (r.field === 'truncated') ev.truncated = fields.number() === 0 ? 0 : 1;
      else
        ev.makeDirty =
          fields.buf[fields.start] === DIGIT_0 && fields.stop > fields.start && fields.number() === 0 ? 0 : 1;
      break;
    case HOW['pointer beside']:
      rawPointer(ev, ctx);
      break;
    case HOW.page:
    case HOW.folio:
      if (!ctx.pageSeen) ctx.pageSeen = pagePointer(ev, ctx, r.how === HOW.page ? 1 : 0, args?.isReturn === true);
      break;
    case HOW.pages:
      if (fields.shape !== 0) pageList(ev, ctx);
      else if (!ctx.pageSeen && args?.listOfPointers === false) ctx.pageSeen = pagePointer(ev, ctx, 1, args.isReturn);
      break;
    case HOW.return:
      if (args) returnValue(args.returns, ev, ctx);
      break;
    case HOW.vmemmap:
      ev.vmemmapHi = fields.pointerHigh();
      ev.vmemmapLo = fields.pointerLow();
      break;
    case HOW.entry:
      scatterlistField(fields.key, ev, ctx);
      break;
    default:
      return mapped(r, ev, ctx);
  }
  return false;
}

/** Lists of a mapping, names, and what ends a payload. */
function mapped(r: Reading, ev: TraceEvent, ctx: DecodeContext): boolean {
  const {fields} = ctx;
  switch (r.how) {
    case HOW['dma addresses']:
      // dma_map_sg_err labels its physical addresses so
      if (ev.kind === EventKind.DmaMapSgError) ev.listLength = numbers(ev.listPhys, 8, ctx);
      else ev.dmaLength = numbers(ev.dmaAddrs, 8, ctx);
      break;
    case HOW.addresses:
      ev.listLength = numbers(ev.listPhys, 8, ctx);
      break;
    case HOW.lengths:
      ctx.sizes = numbers(ev.dmaLens, 4, ctx);
      break;
    case HOW.total:
      ev.nr = totalOf(ctx);
      break;
    case HOW.attrs:
      ctx.deviceMemory = isDeviceMemory(fields.buf, fields.start, fields.stop);
      break;
    case HOW.device:
      ev.deviceStart = fields.start;
      ev.deviceEnd = fields.stop;
      break;
    case HOW.text:
      ev.textStart = fields.start;
      ev.textEnd = fields.stop;
      break;
    case HOW.end:
      ctx.rangeEnd = fields.hexNumber();
      break;
    case HOW.rwbs:
      for (let i = fields.start; i < fields.stop; i++) if (fields.buf[i] === LETTER_W) ev.write = 1;
      return true;
    case HOW.command:
      ctx.command = commandIn(ev, ctx);
      break;
    case HOW.words:
      wordsOfCommand(ev, ctx);
      break;
  }
  return false;
}

const LETTER_W = 87;
