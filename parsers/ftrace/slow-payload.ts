/**
 * Payloads by pattern and string, for the slow reader: the same answers as events/ by other means. It shares with it
 * the tables of names, and nothing that scans.
 */

import {EventKind, LIST_MAX, PageFlag, PageName, type TraceEvent} from '../../src/events/event.js';
import {FAMILY_OF, type OwnName} from '../../src/events/kinds.js';
import {Key} from '../events/keys.js';
import {probeOfEventName, probeOfSymbol, ReturnShape, type ProbeSpec} from '../events/probe-table.js';
import {elements, fieldsOf, high, isPointer, low, number, signed, wide, type Field} from './slow-values.js';

const E = EventKind;
const PAGE_REF = new Map<string, EventKind>([
  ['page_ref_set', E.RefSet],
  ['page_ref_mod', E.RefMod],
  ['page_ref_mod_and_test', E.RefModAndTest],
  ['page_ref_mod_and_return', E.RefModAndReturn],
  ['page_ref_mod_unless', E.RefModUnless],
  ['page_ref_freeze', E.RefFreeze],
  ['page_ref_unfreeze', E.RefUnfreeze],
]);
const PAGE = new Map<string, EventKind>([
  ['mm_page_alloc', E.PageAlloc],
  ['mm_page_free', E.PageFree],
  ['mm_page_free_batched', E.PageFreeBatched],
  ['mm_vmscan_write_folio', E.VmscanWrite],
  ['mm_vmscan_writepage', E.VmscanWrite],
]);
const CACHE = new Map<string, EventKind>([
  ['mm_filemap_add_to_page_cache', E.CacheAdd],
  ['mm_filemap_delete_from_page_cache', E.CacheDelete],
]);
const DMA = new Map<string, EventKind>([
  ['dma_map_page', E.DmaMap],
  ['dma_map_phys', E.DmaMap],
  ['dma_unmap_page', E.DmaUnmap],
  ['dma_unmap_phys', E.DmaUnmap],
  ['dma_map_sg', E.DmaMapSg],
  ['dma_unmap_sg', E.DmaUnmapSg],
  ['dma_map_sg_err', E.DmaMapSgError],
]);
const WRITEBACK = new Map<string, EventKind>([
  ['writeback_dirty_folio', E.WritebackDirtyFolio],
  ['writeback_dirty_page', E.WritebackDirtyFolio],
  ['folio_wait_writeback', E.WaitOnWriteback],
  ['wait_on_page_writeback', E.WaitOnWriteback],
]);

/** Reads the payload `line[pos..]` of the event `name` into `ev`; `since612` as DecodeContext has it. Answers `since612`. */
export function readPayload(name: string, line: string, pos: number, ev: TraceEvent, since612: boolean): boolean {
  ev.begin(E.Other);
  ev.deviceStart = ev.deviceEnd = ev.textStart = ev.textEnd = 0;
  while (line[pos] === ' ') pos++;
  const head = /^\(([^)]*)\)/.exec(line.slice(pos));
  if (head) {
    probe(name, head[1]!, line, pos + head[0].length, ev, since612);
    return since612;
  }
  // the fields option: entry probes begin with `__probe_ip=`, returns with `__probe_func=`
  const dump = /^__probe_(f?)/.exec(line.slice(pos));
  if (dump) {
    const spec = probeOfEventName(name);
    if (spec) probeArguments(spec, dump[1] !== '', line, pos, ev, since612);
    return since612;
  }
  const fields = fieldsOf(line, pos);
  const first = line.slice(pos).split(' ')[0]!;
  const one = (key: number): Field | undefined => fields.findLast((f) => f.key === key);
  const num = (key: number, otherwise: number, bareHex = false): number => {
    const f = one(key);
    return f ? number(f.value, bareHex) : otherwise;
  };
  let kind: EventKind | undefined;
  if ((kind = PAGE_REF.get(name)) !== undefined) {
    const mapcount = one(Key.mapcount);
    if (mapcount && signed(mapcount.value) === -1) since612 = true;
    if (!one(Key.pfn)) return since612;
    ev.begin(kind);
    pageRef(line, one, ev, since612);
  } else if ((kind = PAGE.get(name)) !== undefined) {
    ev.begin(kind);
    ev.pfn = num(Key.pfn, -1);
    if (ev.pfn <= 0) ev.begin(E.Other);
    if (ev.kind === E.Other) return since612;
    ev.pageName = PageName.pfn;
    ev.order = num(Key.order, -1);
    const mt = one(Key.mt);
    if (mt) ev.mt = signed(mt.value);
    rawPage(one(Key.page), ev);
  } else if ((kind = CACHE.get(name)) !== undefined) {
    ev.begin(kind);
    let from = pos;
    const device = /^dev (\d+)[:,](\d+)(?= |:|$)/.exec(line.slice(pos));
    ev.devId = device ? Number(device[1]) * 2 ** 20 + Number(device[2]) : -1;
    const named = /^dev \d*[^]?\d* *(ino (?:0[xX](?=[0-9a-fA-F]))?([0-9a-fA-F]*))?/.exec(line.slice(pos));
    if (named) {
      from += named[0].length;
      if (named[2]) ev.ino = number(named[2], true);
      const next = line[from];
      if (named[1] !== undefined && (named[2] === '' || (next !== undefined && next !== ' '))) ev.devId = -1;
    }
    const rest = fieldsOf(line, from);
    const last = (key: number): Field | undefined => rest.findLast((f) => f.key === key);
    ev.pfn = number(last(Key.pfn)?.value ?? '-1');
    if (ev.pfn < 0) {
      ev.begin(E.Other);
      return since612;
    }
    ev.pageName = PageName.pfn;
    ev.order = number(last(Key.order)?.value ?? '-1');
    ev.ofs = number(last(Key.ofs)?.value ?? '-1');
    ev.index = number(last(Key.index)?.value ?? '-1');
    const ino = last(Key.ino);
    if (ino) ev.ino = number(ino.value, true);
    const sDev = last(Key.sDev);
    if (sDev) ev.devId = number(sDev.value);
    rawPage(last(Key.page), ev);
  } else if ((kind = DMA.get(name)) !== undefined) {
    const attrs = one(Key.attrs)?.value.split('|') ?? [];
    const single = kind === E.DmaMap || kind === E.DmaUnmap;
    if (single && attrs.some((a) => a === 'MMIO' || (/^0[xX][0-9a-fA-F]/.test(a) && (wide(a) & 0x400n) !== 0n)))
      return since612;
    ev.begin(kind);
    dma(kind, first, line, pos, fields, one, num, ev);
  } else if (name === 'map' || name === 'unmap') {
    const iova = num(Key.iova, -1, true);
    if (iova < 0) return since612;
    ev.begin(name === 'map' ? E.IommuMap : E.IommuUnmap);
    ev.dmaAddr = iova;
    ev.phys = num(Key.paddr, -1, true);
    ev.size = num(Key.size, 0);
    const end = num(Key.end, -1, true);
    if (ev.size === 0 && end > ev.dmaAddr) ev.size = end - ev.dmaAddr;
  } else if (name === 'io_page_fault') {
    const named = /^IOMMU:([^ =]*) *(?:([^ =]+)(?= |$))?/.exec(line.slice(pos));
    const rest = fieldsOf(line, named ? pos + named[0].length : pos);
    const iova = rest.findLast((f) => f.key === Key.iova);
    if (!iova) return since612;
    ev.begin(E.IommuFault);
    ev.dmaAddr = number(iova.value, true);
    const access = rest.findLast((f) => f.key === Key.flags);
    if (access) ev.access = number(access.value);
    const device = rest.findLast((f) => f.key === Key.device);
    if (named) {
      const to = pos + named[0].trimEnd().length;
      const word = named[2] ?? named[1]!;
      [ev.deviceStart, ev.deviceEnd] = [to - word.length, to];
    }
    if (device) [ev.deviceStart, ev.deviceEnd] = [device.start, device.stop];
  } else if ((kind = WRITEBACK.get(name)) !== undefined) {
    ev.begin(kind);
    const bdi = /^bdi ([^]*?)(?=: |:$|$)/.exec(line.slice(pos));
    if (bdi) [ev.textStart, ev.textEnd] = [pos + 4, pos + 4 + bdi[1]!.length];
    const rest = fieldsOf(line, bdi ? ev.textEnd + 1 : pos);
    const last = (key: number): Field | undefined => rest.findLast((f) => f.key === key);
    ev.ino = number(last(Key.ino)?.value ?? '0');
    ev.index = number(last(Key.index)?.value ?? '-1');
    const bdiName = last(Key.name);
    if (bdiName) [ev.textStart, ev.textEnd] = [bdiName.start, bdiName.stop];
    const device = /^(\d+)[:,](\d+)(?= |:|$)/.exec(line.slice(ev.textStart, ev.textEnd));
    ev.devId = device ? Number(device[1]) * 2 ** 20 + Number(device[2]) : -1;
  } else if (name === 'swiotlb_bounced') {
    const named = /^dev_name: *([^ =]*)/.exec(line.slice(pos));
    const rest = fieldsOf(line, named ? pos + named[0].length : pos);
    const last = (key: number): Field | undefined => rest.findLast((f) => f.key === key);
    const address = last(Key.dmaAddr);
    if (!address) return since612;
    ev.begin(E.Bounced);
    [ev.dmaAddr, ev.failed] = [number(address.value, true), allOnes(address.value) ? 1 : 0];
    ev.size = number(last(Key.size)?.value ?? '0');
    const device = last(Key.device);
    if (named) [ev.deviceStart, ev.deviceEnd] = [pos + named[0].length - named[1]!.length, pos + named[0].length];
    if (device) [ev.deviceStart, ev.deviceEnd] = [device.start, device.stop];
  } else if (name === 'nvme_setup_cmd' || name === 'nvme_complete_rq') {
    const numbered = /^nvme(\d+)/.exec(line.slice(pos));
    const ctrl = numbered ? Number(numbered[1]) : num(Key.ctrlId, -1);
    const tag = num(Key.cid, -1);
    if (ctrl < 0 || tag < 0) return since612;
    ev.begin(name === 'nvme_setup_cmd' ? E.NvmeStart : E.NvmeDone);
    [ev.ctrl, ev.queue, ev.tag, ev.opcode] = [ctrl, num(Key.qid, 0), tag, num(Key.opcode, -1)];
    // those that are there come in this order
    for (const field of fields) {
      if (field.key === Key.slba) ev.sector = number(field.value);
      else if (field.key === Key.size) ev.nr = number(field.value);
      else if (field.key === Key.cdw10) {
        const words = elements(field, 8);
        if (words.length > 0) ev.sector = Number(words[0]);
        if (words.length > 1) ev.nr = Number(words[1]! & 0xffffn);
      }
    }
    if (name === 'nvme_setup_cmd') {
      const cmd = one(Key.cmd);
      const reads = cmd ? cmd.value === 'nvme_cmd_read' : ev.queue > 0 && ev.opcode === 2;
      const writes = cmd
        ? cmd.value === 'nvme_cmd_write' || cmd.value === 'nvme_cmd_zone_append'
        : ev.queue > 0 && (ev.opcode === 1 || ev.opcode === 0x7d);
      ev.nr = (reads || writes) && ev.sector >= 0 ? ev.nr + 1 : 0;
      ev.write = writes ? 1 : 0;
    }
  } else if (name === 'scsi_dispatch_cmd_start' || name === 'scsi_dispatch_cmd_done') {
    const raw = line.indexOf(' raw=', pos);
    const own = raw < 0 ? fields : fieldsOf(line.slice(0, raw), pos);
    const last = (key: number, none: number): number => {
      const field = own.findLast((f) => f.key === key);
      return field ? number(field.value) : none;
    };
    if (last(Key.hostNo, -1) < 0) return since612;
    ev.begin(name === 'scsi_dispatch_cmd_start' ? E.ScsiStart : E.ScsiDone);
    ev.ctrl = last(Key.hostNo, -1);
    [ev.channel, ev.target, ev.lun] = [last(Key.channel, 0), last(Key.id, 0), last(Key.lun, 0)];
    ev.tag = last(Key.driverTag, -1);
    [ev.sector, ev.nr] = [last(Key.lba, -1), last(Key.txlen, 0)];
    const cmnd = own.findLast((f) => f.key === Key.cmnd);
    const does =
      cmnd?.shape === 'A' ? descriptor(cmnd, ev) : /^(READ|WRITE)_(?:6|10|12|16)$/.exec(cmnd?.value ?? '')?.[1];
    if (does === undefined || ev.sector < 0) ev.nr = 0;
    ev.write = does === 'WRITE' ? 1 : 0;
  } else if (/^block_rq_(?:issue|complete|requeue)$/.test(name)) {
    ev.begin(name === 'block_rq_issue' ? E.BlockIssue : name === 'block_rq_requeue' ? E.BlockRequeue : E.BlockComplete);
    if (/^\d/.test(line.slice(pos))) block(line.slice(pos), ev);
    else {
      // what follows `rwbs=` is the task's name, which may hold anything
      const rwbs = fields.findIndex((f) => f.key === Key.rwbs);
      const own = rwbs < 0 ? fields : fields.slice(0, rwbs + 1);
      const last = (key: number): Field | undefined => own.findLast((f) => f.key === key);
      ev.devId = number(last(Key.device)?.value ?? '-1');
      ev.sector = number(last(Key.sector)?.value ?? '-1');
      ev.nr = number(last(Key.nrSector)?.value ?? '0');
      ev.write = last(Key.rwbs)?.value.includes('W') ? 1 : 0;
    }
    if (ev.devId < 0) ev.begin(E.Other);
  } else if (name === 'io_uring_register') {
    ev.begin(E.IoUringRegister);
    const m = /opcode (\d*)/.exec(line.slice(pos));
    if (m) {
      const rest = line.slice(pos + m.index);
      ev.val = Number(m[1]);
      ev.nr = Number(/nr_user_bufs (\d*)/.exec(rest)?.[1] ?? 0);
      const ret = /ret (-?\d*)/.exec(rest);
      if (ret) [ev.ret, ev.hasRet] = [signed(ret[1]!), 1];
    }
  } else if (name === 'tracing_mark_write') {
    ev.begin(E.Marker);
    [ev.textStart, ev.textEnd] = [pos, line.length];
  }
  return since612;
}

type One = (key: number) => Field | undefined;
type Num = (key: number, otherwise: number, bareHex?: boolean) => number;

const FLAGS_612 =
  'locked writeback referenced uptodate dirty lru head waiters active workingset - - - reserved private - reclaim swapbacked unevictable'.split(
    ' ',
  );

function flagBit(name: string): number {
  return name !== 'unknownLayout' && Object.hasOwn(PageFlag, name) ? PageFlag[name as keyof typeof PageFlag] : 0;
}

function pageRef(line: string, one: One, ev: TraceEvent, since612: boolean): void {
  ev.pfn = number(one(Key.pfn)!.value);
  if (ev.pfn < 0) ev.kind = E.Other;
  ev.pageName = PageName.pfn;
  const flags = one(Key.flags);
  if (flags) {
    const raw = line.slice(flags.stop).startsWith(' (');
    let others = false;
    for (const name of flags.value.split('|')) {
      if (/^0[xX][0-9a-fA-F]/.test(name)) {
        if (others || !raw) continue;
        if (!since612) ev.pageFlags |= PageFlag.unknownLayout;
        else FLAGS_612.forEach((flag, bit) => (ev.pageFlags |= (wide(name) >> BigInt(bit)) & 1n ? flagBit(flag) : 0));
      } else {
        if (name !== 'locked') others = true;
        ev.pageFlags |= flagBit(name);
      }
    }
  }
  const count = one(Key.count);
  if (count) [ev.count, ev.hasCount] = [signed(count.value), 1];
  const mapcount = one(Key.mapcount);
  if (mapcount) [ev.mapcount, ev.hasMapcount] = [signed(mapcount.value), 1];
  const mt = one(Key.mt);
  if (mt) ev.mt = signed(mt.value);
  const val = one(Key.val);
  if (val) ev.val = signed(val.value);
  const ret = one(Key.ret);
  if (ret) [ev.ret, ev.hasRet] = [signed(ret.value), 1];
}

function rawPage(field: Field | undefined, ev: TraceEvent): void {
  if (!field || !/^[0-9a-fA-F]{16}$/.test(field.value)) return;
  const v = BigInt(`0x${field.value}`);
  if (v >= 1n << 63n) [ev.ptrHi, ev.ptrLo] = [high(v), low(v)];
}

function direction(value: string): number {
  if (/^\d/.test(value)) return number(value) <= 3 ? number(value) : -1;
  const name = value.length > 4 ? value.replace(/^D..._|^D.._/, '') : value;
  return ['B', 'T', 'F', 'N'].indexOf(name[0] ?? '');
}

function allOnes(value: string): boolean {
  const digits = value.length > 2 && value[1] === 'x' ? value.slice(2) : value;
  return /^(?:[fF]{8}|[fF]{16})$/.test(digits) || (digits.length === 20 && digits === '18446744073709551615');
}

function dma(
  kind: number,
  first: string,
  line: string,
  pos: number,
  fields: Field[],
  one: One,
  num: Num,
  ev: TraceEvent,
): void {
  if (first !== '' && !first.includes('=') && !first.startsWith('['))
    [ev.deviceStart, ev.deviceEnd] = [pos, pos + first.length];
  const device = one(Key.device);
  if (device) [ev.deviceStart, ev.deviceEnd] = [device.start, device.stop];
  const dir = one(Key.dir);
  if (dir) ev.dir = direction(dir.value);
  const addr = fields.findLast((f) => f.key === Key.dmaAddr || f.key === Key.addr);
  if (addr) [ev.dmaAddr, ev.failed] = [number(addr.value, true), allOnes(addr.value) ? 1 : 0];
  ev.phys = num(Key.physAddr, -1, true);
  ev.size = num(Key.size, 0);
  const nents = fields.findLast((f) => f.key === Key.nents || f.key === Key.fullNents);
  if (nents)
    ev.nr =
      nents.key === Key.nents
        ? number(`${/\/(.*)$/.exec(nents.value)?.[1] ?? nents.value}`.replace(/^\D.*$/, '').replace(/^0x.*/i, '0'))
        : number(nents.value);
  ev.truncated = num(Key.truncated, 0) ? 1 : 0;
  const physical = fields.findLast(
    (f) => f.key === Key.physAddrs || f.key === Key.addrs || (kind === E.DmaMapSgError && f.key === Key.dmaAddrs),
  );
  if (physical)
    elements(physical, 8)
      .slice(0, LIST_MAX)
      .forEach((v, i) => [(ev.listPhys[i] = Number(v)), (ev.listLength = i + 1)]);
  const addrs = kind === E.DmaMapSgError ? undefined : one(Key.dmaAddrs);
  if (addrs)
    elements(addrs, 8)
      .slice(0, LIST_MAX)
      .forEach((v, i) => [(ev.dmaAddrs[i] = Number(v)), (ev.dmaLens[i] = -1), (ev.dmaLength = i + 1)]);
  const sizes = one(Key.sizes);
  if (sizes) {
    const lens = elements(sizes, 4).slice(0, LIST_MAX);
    lens.forEach((v, i) => (ev.dmaLens[i] = Number(v)));
    ev.dmaLength = Math.min(ev.dmaLength, lens.length);
  }
  if (kind === E.DmaMapSg && (line.slice(pos).includes('[TRUNCATED]') || ev.nr > ev.listLength)) ev.truncated = 1;
  for (let i = 0; i < ev.listLength; i++) {
    ev.listLen[i] = kind === E.DmaMapSg && ev.dmaLength === ev.listLength ? ev.dmaLens[i]! : -1;
  }
}

function block(payload: string, ev: TraceEvent): void {
  const m = /^(\d+)[,:](\d+)(?: +([^ ]*))?/.exec(payload);
  if (!m || !/^(?: |:|$)/.test(payload.slice(`${m[1]}.${m[2]}`.length))) return;
  ev.devId = Number(m[1]) * 2 ** 20 + Number(m[2]);
  const rest = payload.slice(`${m[1]}.${m[2]}`.length).replace(/^ */, '');
  if (/^[^ ]*/.exec(rest)![0].includes('W')) ev.write = 1;
  const tail = /^[^)]*\) *(\d+)(?:[^]\+[^](\d*))?/.exec(rest.slice(/^[^ ]*/.exec(rest)![0].length));
  if (tail) [ev.sector, ev.nr] = [Number(tail[1]), Number(tail[2] ?? 0)];
}

/** By command: where its first block and their number are, and how many bytes it has. */
const DESCRIPTORS: Record<number, readonly [does: string, block: number, width: number, nr: number, width: number]> = {
  0x08: ['READ', 1, 3, 4, 1],
  0x0a: ['WRITE', 1, 3, 4, 1],
  0x28: ['READ', 2, 4, 7, 2],
  0x2a: ['WRITE', 2, 4, 7, 2],
  0xa8: ['READ', 2, 4, 6, 4],
  0xaa: ['WRITE', 2, 4, 6, 4],
  0x88: ['READ', 2, 8, 10, 4],
  0x8a: ['WRITE', 2, 8, 10, 4],
};
const DESCRIPTOR_BYTES: Record<number, number> = {0: 6, 1: 10, 5: 12, 4: 16};

function descriptor(field: Field, ev: TraceEvent): string | undefined {
  const bytes = elements(field, 1).map(Number);
  const known = DESCRIPTORS[bytes[0] ?? -1];
  if (known === undefined || bytes.length < DESCRIPTOR_BYTES[bytes[0]! >> 5]!) return undefined;
  const [does, block, width, nr, wide] = known;
  const big = (at: number, n: number): number => bytes.slice(at, at + n).reduce((sum, b) => sum * 256 + b, 0);
  ev.sector = width === 3 ? big(block, width) % 2 ** 21 : big(block, width);
  ev.nr = big(nr, wide) || (width === 3 ? 256 : 0);
  return does;
}

function probe(name: string, inside: string, line: string, pos: number, ev: TraceEvent, since612: boolean): void {
  const returned = /.*<- ([^+ <)]*)/.exec(inside);
  const symbol = returned ? returned[1]! : /^[^+ <]*/.exec(inside)![0];
  const address = /^0[xX][0-9a-fA-F]/.test(symbol) || /^[0-9a-fA-F]{8,}$/.test(symbol);
  const spec = symbol === '' || address ? probeOfEventName(name) : probeOfSymbol(symbol);
  if (spec) probeArguments(spec, returned !== null, line, pos, ev, since612);
}

function probeArguments(
  spec: ProbeSpec,
  returned: boolean,
  line: string,
  pos: number,
  ev: TraceEvent,
  since612: boolean,
): void {
  const kind = returned ? spec.returnKind : spec.entryKind;
  ev.begin(kind);
  const {fields: own} = FAMILY_OF[kind]!;
  const put = (name: OwnName, value: number): void => {
    if (own.includes(name)) ev[name] = value;
  };
  put('fn', spec.fn);
  const isDma = own.includes('dmaAddr');
  const names = own.includes('pageName');
  let hasNr = false;
  let pageSeen = false;
  const page = (value: string, mayBeTail: number): void => {
    const v = wide(value);
    if (returned) [ev.hasRet, ev.ok] = [1, isPointer(v) ? 1 : 0];
    if (!isPointer(v)) return;
    pageSeen = true;
    [ev.ptrHi, ev.ptrLo, ev.mayBeTail] = [high(v), low(v), mayBeTail];
    if (ev.pageName !== PageName.pfn) ev.pageName = PageName.pointer;
  };
  for (const field of fieldsOf(line, pos)) {
    const {value} = field;
    let {key} = field;
    if (key === Key.arg) {
      key = returned ? (field.index === 1 ? Key.ret : Key.unknown) : (spec.params[field.index - 1] ?? Key.unknown);
    }
    if (key === Key.page || key === Key.ptr) {
      if (!pageSeen && names) page(value, 1);
    } else if (key === Key.folio) {
      if (!pageSeen && names) page(value, 0);
    } else if (key === Key.pages) {
      const list = spec.params[0] === Key.pages || spec.entryKind === E.PinCall || spec.entryKind === E.GetCall;
      if (!names) continue;
      if (field.shape !== '' && field.shape !== '(') pages(field, ev);
      else if (!pageSeen && !list) page(value, 1);
    } else if (key === Key.pfn) {
      if (names) [ev.pfn, ev.pageName, ev.mayBeTail] = [number(value), PageName.pfn, 1];
    } else if (key === Key.refs) put('refs', signed(value));
    else if (key === Key.count || key === Key.nr || key === Key.nents) {
      put('nr', number(value));
      hasNr = true;
    } else if (key === Key.size) put('size', number(value));
    else if (key === Key.flags || key === Key.gupFlags) {
      put('gupFlags', number(value));
      put('hasFlags', 1);
    } else if (key === Key.makeDirty) put('makeDirty', value.startsWith('0') && number(value) === 0 ? 0 : 1);
    else if (key === Key.ret) {
      if (names) returned_(spec, value, ev, since612, page);
    } else if (key === Key.vmemmap) {
      put('vmemmapHi', high(wide(value)));
      put('vmemmapLo', low(wide(value)));
    } else if (key === Key.start) put('start', number(value));
    else if (key === Key.device) [ev.deviceStart, ev.deviceEnd] = [field.start, field.stop];
    else if (key === Key.addr && !isDma) put('start', number(value));
    else if (key === Key.addr || key === Key.dmaAddr) {
      put('dmaAddr', number(value));
      put('failed', allOnes(value) ? 1 : 0);
    } else if (key === Key.dir) put('dir', direction(value));
    else if (key === Key.offset) put('pageOffset', number(value));
    else if (key === Key.physAddr) put('phys', number(value));
    else if ((key === Key.pageAt || key === Key.offAt || key === Key.lenAt) && names) entry(key, field, ev);
  }
  conclude(kind, ev, hasNr);
}

function pages(field: Field, ev: TraceEvent): void {
  ev.listLength = 0;
  ev.listName = PageName.pointer;
  for (const v of elements(field, 8)) {
    if (v === 0n || ev.listLength === LIST_MAX) break;
    ev.listPtrHi[ev.listLength] = high(v);
    ev.listPtrLo[ev.listLength] = low(v);
    ev.listLen[ev.listLength++] = -1;
  }
}

function entry(key: number, field: Field, ev: TraceEvent): void {
  const at = field.index;
  if (at >= LIST_MAX) return;
  for (; ev.listLength <= at; ev.listLength++) {
    ev.listPtrHi[ev.listLength] = ev.listPtrLo[ev.listLength] = ev.listOffset[ev.listLength] = 0;
    ev.listLen[ev.listLength] = -1;
  }
  ev.listName = PageName.pointer;
  const v = wide(field.value);
  if (key === Key.pageAt) [ev.listPtrHi[at], ev.listPtrLo[at]] = [high(v), low(v & ~3n)];
  else if (key === Key.offAt) ev.listOffset[at] = number(field.value);
  else ev.listLen[at] = number(field.value);
}

function returned_(
  spec: ProbeSpec,
  value: string,
  ev: TraceEvent,
  since612: boolean,
  page: (value: string, mayBeTail: number) => void,
): void {
  ev.hasRet = 1;
  if (ev.kind === E.DmaMapReturn) {
    [ev.dmaAddr, ev.failed] = [number(value), allOnes(value) ? 1 : 0];
    return;
  }
  if (spec.returns !== ReturnShape.plain && isPointer(wide(value))) {
    page(value, 0);
    return;
  }
  ev.ret = signed(value);
  if (ev.ret < 0) ev.ok = 0;
  else if (ev.kind !== E.GrabReturn) ev.ok = 1;
  else if (spec.returns === ReturnShape.folio) ev.ok = ev.ret === 0 ? 0 : 1;
  else if (spec.returns === ReturnShape.folioOrErrno) {
    ev.ok = ev.ret !== 0 || since612 || !/^0[xX][0-9a-fA-F]/.test(value) ? 1 : -1;
  } else ev.ok = ev.ret === 1 ? 1 : -1;
}

function conclude(kind: number, ev: TraceEvent, hasNr: boolean): void {
  if (kind === E.Grab || kind === E.GupPut || kind === E.AddPin) {
    if (hasNr) ev.refs = ev.nr;
  } else if (kind === E.UnpinCall) {
    if (ev.listLength === 0) ev.nr = hasNr ? ev.nr : 1;
    else if (hasNr) ev.listLength = Math.max(0, Math.min(ev.listLength, ev.nr));
    else ev.nr = ev.listLength;
  } else if (kind === E.FoliosPut) {
    if (hasNr) ev.listLength = Math.max(0, Math.min(ev.listLength, ev.nr));
  } else if (kind === E.DmaMapSgEntry || kind === E.DmaUnmapSgEntry) {
    if (hasNr) ev.listLength = Math.max(0, Math.min(ev.listLength, ev.nr));
    for (let i = 0; i < ev.listLength; i++) if (ev.listPtrHi[i]! < 2 ** 31) ev.listLength = i;
    if (ev.listLength < ev.nr) ev.truncated = 1;
  } else if (kind === E.DmaMapReturn) ev.ok = ev.failed ? 0 : 1;
}
