/** dma:*, iommu:*, swiotlb:*, for the slow reader. */
import {EventKind, LIST_MAX, type TraceEvent} from '../../../src/events/event.js';
import {Key} from '../../events/keys.js';
import {allOnes, elements, type Field, fieldsOf, last, num, number, wide} from './values.js';

const E = EventKind;
const DMA = new Map<string, EventKind>([
  ['dma_map_page', E.DmaMap],
  ['dma_map_phys', E.DmaMap],
  ['dma_unmap_page', E.DmaUnmap],
  ['dma_unmap_phys', E.DmaUnmap],
  ['dma_map_sg', E.DmaMapSg],
  ['dma_unmap_sg', E.DmaUnmapSg],
  ['dma_map_sg_err', E.DmaMapSgError],
]);

/** Reads an event of a mapping, or of an IOMMU; false where `name` is none. */
export function readDma(name: string, line: string, pos: number, fields: readonly Field[], ev: TraceEvent): boolean {
  const kind = DMA.get(name);
  if (kind !== undefined) dma(kind, line, pos, fields, ev);
  else if (name === 'map' || name === 'unmap') iommu(name === 'map' ? E.IommuMap : E.IommuUnmap, fields, ev);
  else if (name === 'io_page_fault') fault(line, pos, ev);
  else if (name === 'swiotlb_bounced') bounced(line, pos, ev);
  else return false;
  return true;
}

function dma(kind: EventKind, line: string, pos: number, fields: readonly Field[], ev: TraceEvent): void {
  const attrs = last(fields, Key.attrs)?.value.split('|') ?? [];
  const single = kind === E.DmaMap || kind === E.DmaUnmap;
  if (single && attrs.some((a) => a === 'MMIO' || (/^0[xX][0-9a-fA-F]/.test(a) && (wide(a) & 0x400n) !== 0n))) return;
  ev.begin(kind);
  const first = line.slice(pos).split(' ')[0]!;
  if (first !== '' && !first.includes('=') && !first.startsWith('['))
    [ev.deviceStart, ev.deviceEnd] = [pos, pos + first.length];
  const device = last(fields, Key.device);
  if (device) [ev.deviceStart, ev.deviceEnd] = [device.start, device.stop];
  const dir = last(fields, Key.dir);
  if (dir) ev.dir = direction(dir.value);
  const addr = fields.findLast((f) => f.key === Key.dmaAddr || f.key === Key.addr);
  if (addr) [ev.dmaAddr, ev.failed] = [number(addr.value, true), allOnes(addr.value) ? 1 : 0];
  ev.phys = num(fields, Key.physAddr, -1, true);
  ev.size = num(fields, Key.size, 0);
  const nents = fields.findLast((f) => f.key === Key.nents || f.key === Key.fullNents);
  if (nents)
    ev.nr =
      nents.key === Key.nents
        ? number(`${/\/(.*)$/.exec(nents.value)?.[1] ?? nents.value}`.replace(/^\D.*$/, '').replace(/^0x.*/i, '0'))
        : number(nents.value);
  ev.truncated = num(fields, Key.truncated, 0) ? 1 : 0;
  const physical = fields.findLast(
    (f) => f.key === Key.physAddrs || f.key === Key.addrs || (kind === E.DmaMapSgError && f.key === Key.dmaAddrs),
  );
  if (physical)
    elements(physical, 8)
      .slice(0, LIST_MAX)
      .forEach((v, i) => [(ev.listPhys[i] = Number(v)), (ev.listLength = i + 1)]);
  const addrs = kind === E.DmaMapSgError ? undefined : last(fields, Key.dmaAddrs);
  if (addrs)
    elements(addrs, 8)
      .slice(0, LIST_MAX)
      .forEach((v, i) => [(ev.dmaAddrs[i] = Number(v)), (ev.dmaLens[i] = -1), (ev.dmaLength = i + 1)]);
  const sizes = last(fields, Key.sizes);
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

/** `BIDIRECTIONAL`, `DMA_TO_DEVICE`, `2` */
export function direction(value: string): number {
  if (/^\d/.test(value)) return number(value) <= 3 ? number(value) : -1;
  const name = value.length > 4 ? value.replace(/^D..._|^D.._/, '') : value;
  return ['B', 'T', 'F', 'N'].indexOf(name[0] ?? '');
}

function iommu(kind: EventKind, fields: readonly Field[], ev: TraceEvent): void {
  const iova = num(fields, Key.iova, -1, true);
  if (iova < 0) return;
  ev.begin(kind);
  ev.dmaAddr = iova;
  ev.phys = num(fields, Key.paddr, -1, true);
  ev.size = num(fields, Key.size, 0);
  const end = num(fields, Key.end, -1, true);
  if (ev.size === 0 && end > ev.dmaAddr) ev.size = end - ev.dmaAddr;
}

function fault(line: string, pos: number, ev: TraceEvent): void {
  const named = /^IOMMU:([^ =]*) *(?:([^ =]+)(?= |$))?/.exec(line.slice(pos));
  const rest = fieldsOf(line, named ? pos + named[0].length : pos);
  const iova = last(rest, Key.iova);
  if (!iova) return;
  ev.begin(E.IommuFault);
  ev.dmaAddr = number(iova.value, true);
  const access = last(rest, Key.flags);
  if (access) ev.access = number(access.value);
  const device = last(rest, Key.device);
  if (named) {
    const to = pos + named[0].trimEnd().length;
    const word = named[2] ?? named[1]!;
    [ev.deviceStart, ev.deviceEnd] = [to - word.length, to];
  }
  if (device) [ev.deviceStart, ev.deviceEnd] = [device.start, device.stop];
}

function bounced(line: string, pos: number, ev: TraceEvent): void {
  const named = /^dev_name: *([^ =]*)/.exec(line.slice(pos));
  const rest = fieldsOf(line, named ? pos + named[0].length : pos);
  const address = last(rest, Key.dmaAddr);
  if (!address) return;
  ev.begin(E.Bounced);
  [ev.dmaAddr, ev.failed] = [number(address.value, true), allOnes(address.value) ? 1 : 0];
  ev.size = number(last(rest, Key.size)?.value ?? '0');
  const device = last(rest, Key.device);
  if (named) [ev.deviceStart, ev.deviceEnd] = [pos + named[0].length - named[1]!.length, pos + named[0].length];
  if (device) [ev.deviceStart, ev.deviceEnd] = [device.start, device.stop];
}
