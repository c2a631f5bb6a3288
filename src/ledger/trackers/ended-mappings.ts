/**
 * The mappings that lately ended by their unmap, found by any DMA address in them: what an IOMMU fault is looked up in. A
 * device that touches an address after its unmap makes the fault at once or much later; so many ends are kept, and how many
 * were let go is told.
 */
import {type DmaLink, type DmaWindow, type Run, translated} from '../tables/dma.js';
import type {DmaSpan, EndedMapping, Fault, Found} from '../tables/faults.js';
import type {Reference} from '../tables/references.js';
import type {Uses} from './around.js';

/** Most ended mappings that are kept; a busy disk ends so many in a second. */
const ENDED_MAX = 16_384;
const FIRST_CAPACITY = 256;
/** Of so many pages of a mapping the holders are kept. */
const HOLDERS_MAX = 16;

export class EndedMappings {
  /** lists of which the trace prints a part: an address may be of the rest */
  cutLists = 0;
  /** let go because there were too many */
  forgotten = 0;
  private low = new Float64Array(FIRST_CAPACITY);
  private high = new Float64Array(FIRST_CAPACITY);
  /** undefined: one of which nobody knows whether it was unmapped */
  private readonly kept: (EndedMapping | undefined)[] = [];
  private next = 0;

  constructor(private readonly around: Uses<'capture' | 'pages'>) {}

  /** A window is over, or will not be heard of again; where it was unmapped it is still linked to its pages. */
  add(window: DmaWindow): void {
    const {close, endedBy} = window;
    if (window.cut > 0) this.cutLists++;
    const page = 1 << this.around.capture.pageSize.shift;
    if (!translated(window, page)) return;
    const spans = window.spans ?? (window.address < 0 ? direct(window.runs, page) : undefined);
    let low = window.address;
    let high = window.address + Math.max(1, window.size);
    if (spans !== undefined) {
      low = Infinity;
      high = -Infinity;
      for (const {address, size} of spans) {
        if (address < low) low = address;
        if (address + size > high) high = address + size;
      }
    }
    const mapping: EndedMapping | undefined =
      close === undefined || endedBy !== 'unmap'
        ? undefined
        : {
            device: window.device,
            dir: window.dir,
            open: window.open,
            close,
            certain: window.certainEnd,
            runs: window.runs,
            spans,
            low,
            high,
            cut: window.cut > 0,
            holders: this.holdersOf(window),
          };
    const at = this.next;
    if (this.kept.length === ENDED_MAX) this.forgotten++;
    if (at === this.low.length) this.grow();
    this.kept[at] = mapping;
    this.low[at] = low;
    this.high[at] = high;
    this.next = (at + 1) % ENDED_MAX;
  }

  private grow(): void {
    const {low, high} = this;
    (this.low = new Float64Array(2 * low.length)).set(low);
    (this.high = new Float64Array(2 * high.length)).set(high);
  }

  /** What the address of a fault was: `open` are the windows that are not over. */
  find(fault: Fault, open: readonly Iterable<DmaWindow>[]): Found {
    const {limits} = this.around.capture;
    const {address, device} = fault;
    // A fault that names a device is of that one's mappings, or of those that name none.
    const same = (other: number): boolean => other < 0 || fault.deviceName === '' || other === device;
    for (const windows of open) {
      for (const window of windows) {
        limits.looks++;
        if (limits.tired()) return {state: 'unknown'};
        if (same(window.device) && covers(window, address, 1 << this.around.capture.pageSize.shift))
          return {state: 'mapped'};
      }
    }
    limits.looks += this.kept.length;
    if (limits.tired()) return {state: 'unknown'};
    let mapping: EndedMapping | undefined;
    for (let n = this.kept.length, at = this.next; n > 0; n--) {
      at = (at + ENDED_MAX - 1) % ENDED_MAX;
      if (address < this.low[at]! || address >= this.high[at]!) continue;
      const one = this.kept[at];
      if (one === undefined) {
        // it may be there still
        if (mapping === undefined) return {state: 'unknown'};
        continue;
      }
      if (!same(one.device) || placeIn(one, address) < 0) continue;
      if (mapping !== undefined) return {state: 'ended', mapping, before: one, ...this.pageAt(mapping, address)};
      mapping = one;
    }
    if (mapping === undefined) return {state: 'never'};
    return {state: 'ended', mapping, before: undefined, ...this.pageAt(mapping, address)};
  }

  /** The page of an ended mapping that an address was: its PFN, -1 not known, and its number within the mapping. */
  private pageAt(mapping: EndedMapping, address: number): {pfn: number; page: number} {
    const size = 1 << this.around.capture.pageSize.shift;
    let page = placeIn(mapping, address, size);
    // Of a list that the IOMMU merged, and of which pages are not printed, no place is certain.
    if (mapping.cut && mapping.spans !== undefined && mapping.spans.length !== mapping.runs.length)
      return {pfn: -1, page: -1};
    const number = page;
    for (const {pfn, pages} of mapping.runs) {
      if (page < pages) return {pfn: pfn + page, page: number};
      page -= pages;
    }
    return {pfn: -1, page: -1};
  }

  private holdersOf(window: DmaWindow): Reference[][] {
    const {pages} = this.around;
    const {rows} = window;
    const out: Reference[][] = [];
    for (let i = 0; i < rows.length && i < HOLDERS_MAX; i++) {
      const row = rows[i]!;
      const holders: Reference[] = [];
      out.push(holders);
      if (row < 0) continue;
      let link: DmaLink | undefined = pages.dma[row];
      while (link && link.window !== window) link = link.next;
      if (link === undefined || link.generation !== pages.generation[row]) continue;
      const pfn = pages.pfn[row]!;
      let left = HOLDERS_MAX;
      for (let r = pages.references[pages.folioOf(row)]; r && left > 0; r = r.next, left--)
        if (r.t <= window.open.t && r.covers(pfn)) holders.push(r);
    }
    return out;
  }
}

/** Without an IOMMU's own addresses a list's are those of its pages. */
function direct(runs: readonly Run[], page: number): DmaSpan[] {
  return runs.map(({pfn, pages}) => ({address: pfn * page, size: pages * page}));
}

function covers(window: DmaWindow, address: number, page: number): boolean {
  if (window.address >= 0) return address >= window.address && address < window.address + Math.max(1, window.size);
  const spans = window.spans ?? direct(window.runs, page);
  return spans.some((span) => address >= span.address && address < span.address + span.size);
}

/** Number of the page within the mapping, counted from the page of its first byte; -1 where the address is not of it. */
function placeIn({spans, low, high}: EndedMapping, address: number, page = 4096): number {
  if (spans === undefined) {
    if (address < low || address >= high) return -1;
    return Math.floor(address / page) - Math.floor(low / page);
  }
  let before = 0;
  for (const span of spans) {
    const first = Math.floor(span.address / page);
    if (address >= span.address && address < span.address + span.size)
      return before + Math.floor(address / page) - first;
    before += Math.floor((span.address + span.size - 1) / page) - first + 1;
  }
  return -1;
}
