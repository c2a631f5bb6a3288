/** Names of payload fields (`pfn=`, `gup_flags=`, ...), found by hash and verified byte by byte. */

import {ascii, DIGIT_0, hashBytes, isDigit, sameBytes} from '../bytes.js';

/** What a field means. Several names may mean the same: kprobe arguments are named by whoever recorded them. */
export const Key = {
  unknown: 0,
  pfn: 1,
  flags: 2,
  count: 3,
  mapcount: 4,
  mapping: 5,
  mt: 6,
  val: 7,
  ret: 8,
  page: 9,
  folio: 10,
  ptr: 11,
  pages: 12,
  refs: 13,
  nr: 14,
  gupFlags: 15,
  makeDirty: 16,
  vmemmap: 17,
  device: 18,
  dmaAddr: 19,
  addr: 20,
  size: 21,
  dir: 22,
  offset: 23,
  start: 24,
  order: 25,
  ino: 26,
  index: 27,
  ofs: 28,
  sDev: 29,
  physAddr: 30,
  dmaAddrs: 31,
  sizes: 32,
  physAddrs: 33,
  addrs: 34,
  nents: 35,
  fullNents: 36,
  truncated: 37,
  iova: 38,
  end: 39,
  paddr: 40,
  name: 41,
  sector: 42,
  nrSector: 43,
  rwbs: 44,
  opcode: 45,
  nrBufs: 46,
  probeIp: 47,
  probeFunc: 48,
  err: 49,
  /** a position in an argument list: `arg1`; Fields.index holds it */
  arg: 50,
  /** entry of a scatterlist: `page0`, `off0`, `len0`; Fields.index holds it */
  pageAt: 51,
  offAt: 52,
  lenAt: 53,
  /** physical address of an entry: `phys0` */
  physAt: 54,
  pfnAt: 55,
  tprobeValue: 56,
  attrs: 57,
  ctrlId: 58,
  qid: 59,
  cid: 60,
  slba: 61,
  cdw10: 62,
  cmd: 63,
  hostNo: 64,
  channel: 65,
  id: 66,
  lun: 67,
  driverTag: 68,
  lba: 69,
  txlen: 70,
  cmnd: 71,
} as const;

/** More than any key. */
export const KEYS = 72;

/** Every name that is read, with its key. */
export const KEY_NAMES: readonly (readonly [string, number])[] = [
  ['pfn', Key.pfn],
  ['first_pfn', Key.pfn],
  ['flags', Key.flags],
  ['count', Key.count],
  ['mapcount', Key.mapcount],
  ['mapping', Key.mapping],
  ['mt', Key.mt],
  ['migratetype', Key.mt],
  ['val', Key.val],
  ['ret', Key.ret],
  ['retval', Key.ret],
  ['page', Key.page],
  ['folio', Key.folio],
  ['head', Key.folio],
  ['ptr', Key.ptr],
  ['pages', Key.pages],
  ['folios', Key.pages],
  ['f', Key.pages],
  ['refs', Key.refs],
  ['npages', Key.nr],
  ['nr_pages', Key.nr],
  ['nr', Key.nr],
  ['n', Key.nr],
  ['npins', Key.nr],
  ['pins', Key.nr],
  ['gup_flags', Key.gupFlags],
  ['foll_flags', Key.gupFlags],
  ['make_dirty', Key.makeDirty],
  ['mark_dirty', Key.makeDirty],
  ['dirty', Key.makeDirty],
  ['vmemmap', Key.vmemmap],
  ['vmemmap_base', Key.vmemmap],
  ['dev', Key.device],
  ['device', Key.device],
  ['dma_addr', Key.dmaAddr],
  ['dma', Key.dmaAddr],
  ['dma_handle', Key.dmaAddr],
  ['addr', Key.addr],
  ['attrs', Key.attrs],
  ['size', Key.size],
  ['len', Key.size],
  ['dir', Key.dir],
  ['direction', Key.dir],
  ['offset', Key.offset],
  ['off', Key.offset],
  ['start', Key.start],
  ['order', Key.order],
  ['ino', Key.ino],
  ['i_ino', Key.ino],
  ['index', Key.index],
  ['ofs', Key.ofs],
  ['s_dev', Key.sDev],
  ['phys_addr', Key.physAddr],
  ['phys', Key.physAddr],
  ['dma_addrs', Key.dmaAddrs],
  ['sizes', Key.sizes],
  ['lengths', Key.sizes],
  ['phys_addrs', Key.physAddrs],
  ['addrs', Key.addrs],
  ['nents', Key.nents],
  ['orig_nents', Key.nents],
  ['full_nents', Key.fullNents],
  ['truncated', Key.truncated],
  ['iova', Key.iova],
  ['end', Key.end],
  ['paddr', Key.paddr],
  ['name', Key.name],
  ['sector', Key.sector],
  ['nr_sector', Key.nrSector],
  ['rwbs', Key.rwbs],
  ['opcode', Key.opcode],
  ['nr_bufs', Key.nrBufs],
  ['nr_user_bufs', Key.nrBufs],
  ['__probe_ip', Key.probeIp],
  ['__probe_func', Key.probeFunc],
  ['__probe_ret_ip', Key.probeFunc],
  ['err', Key.err],
  ['dev_name', Key.device],
  ['dev_addr', Key.dmaAddr],
  ['ctrl_id', Key.ctrlId],
  ['qid', Key.qid],
  ['cid', Key.cid],
  ['cmdid', Key.cid],
  ['slba', Key.slba],
  ['cdw10', Key.cdw10],
  ['cmd', Key.cmd],
  ['host_no', Key.hostNo],
  ['channel', Key.channel],
  ['id', Key.id],
  ['lun', Key.lun],
  ['driver_tag', Key.driverTag],
  ['lba', Key.lba],
  ['txlen', Key.txlen],
  ['cmnd', Key.cmnd],
];

/** Names that are followed by a number without a separator. */
export const NUMBERED_KEY_NAMES: readonly (readonly [string, number])[] = [
  ['arg', Key.arg],
  ['page', Key.pageAt],
  ['off', Key.offAt],
  ['len', Key.lenAt],
  ['phys', Key.physAt],
  ['pfn', Key.pfnAt],
];

/** Open-addressing table from a name's bytes to a small number. */
class NameTable {
  private readonly slots: Int16Array;
  private readonly names: Uint8Array[] = [];
  private readonly values: number[] = [];

  constructor(
    entries: readonly (readonly [string, number])[],
    private readonly mask: number,
  ) {
    this.slots = new Int16Array(mask + 1).fill(-1);
    for (const [name, value] of entries) {
      const bytes = ascii(name);
      let slot = hashBytes(bytes, 0, bytes.length) & mask;
      while (this.slots[slot]! >= 0) slot = (slot + 1) & mask;
      this.slots[slot] = this.names.length;
      this.names.push(bytes);
      this.values.push(value);
    }
  }

  get(buf: Uint8Array, start: number, end: number, hash: number): number {
    for (let slot = hash & this.mask; ; slot = (slot + 1) & this.mask) {
      const at = this.slots[slot]!;
      if (at < 0) return Key.unknown;
      if (sameBytes(buf, start, end, this.names[at]!)) return this.values[at]!;
    }
  }
}

const plain = new NameTable(KEY_NAMES, 511);
const numbered = new NameTable(NUMBERED_KEY_NAMES, 31);

/** The key called `[start, end)`, whose hash the caller has folded; `Key.unknown` if it is none of ours. */
export function keyOf(buf: Uint8Array, start: number, end: number, hash: number): number {
  return plain.get(buf, start, end, hash);
}

/** For `page0`, `arg1`: the key of the name without its digits, or `Key.unknown`. */
export function numberedKeyOf(buf: Uint8Array, start: number, end: number): number {
  let stop = end;
  while (stop > start && isDigit(buf[stop - 1]!)) stop--;
  if (stop === end || stop === start) return Key.unknown;
  return numbered.get(buf, start, stop, hashBytes(buf, start, stop));
}

/** The number at the end of a name such as `page12`. */
export function numberAtEnd(buf: Uint8Array, start: number, end: number): number {
  let stop = end;
  while (stop > start && isDigit(buf[stop - 1]!)) stop--;
  let value = 0;
  for (let i = stop; i < end; i++) value = value * 10 + (buf[i]! - DIGIT_0);
  return value;
}
