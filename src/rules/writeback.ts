/** What the rules about writeback share: pages under writeback that are held, and who may write them meanwhile. */
import {told, type Premise} from '../claims/premise.js';
import type {Moment} from '../ledger/moment.js';
import {type DmaLink, type DmaWindow, liveAt, onlyReads} from '../ledger/tables/dma.js';
import {DmaDir} from '../events/event.js';
import type {Listener} from '../ledger/listener.js';
import type {Ledger} from '../ledger/ledger.js';
import {momentOf} from '../ledger/moment.js';
import type {ReferenceKind} from '../base/reference.js';
import type {Deed, Reference} from '../ledger/tables/references.js';
import type {Writeback} from '../ledger/tables/writeback.js';
import {liveLinks} from './live-links.js';

/** A page that is under writeback while somebody holds it. */
export interface HeldWriteback {
  row: number;
  writeback: Writeback;
  /** the reference that decides: the first with a device-writable mapping, else the first */
  reference: Reference;
  /** all that were held at some time within */
  references: Reference[];
  /** a device-writable mapping of the reference that was live within the writeback */
  writable: DmaLink | undefined;
  /** a mapping of the reference through which the device only reads */
  readable: DmaLink | undefined;
  /** a device-writable mapping of the reference of which nobody knows whether it was over before */
  perhaps: DmaLink | undefined;
  /** a device-writable mapping of the page that was made for another reference, by all that is known */
  others: DmaLink | undefined;
  /** taken after the writeback had begun */
  late: boolean;
  /** what its task did next with the reference: from then on it was held for certain, whatever stood still within its taking */
  since: Deed | undefined;
  /** the mapping made for the writeback had ended when the reference was taken: the disk had what it wrote */
  written: boolean;
  countAtStart: number;
  pinsAtStart: number;
  /** the page when the two met */
  page: Moment;
}

/** Follows writebacks of pages that hold a reference of `kind`, and gives each when it is over. */
export function watchWriteback(m: Ledger, kind: ReferenceKind, over: (held: HeldWriteback) => void): Listener {
  const open = new Map<number, HeldWriteback>();
  /** of these, those that were pinned late, by the call that pinned and has not returned */
  const pinning = new Map<number, Set<HeldWriteback>>();

  function begin(row: number, writeback: Writeback, late: boolean): void {
    const {pages} = m;
    const references: Reference[] = [];
    for (let r = pages.references[row]; r; r = r.next) if (r.kind === kind) references.push(r);
    const first = references[references.length - 1];
    if (!first) return;
    const held: HeldWriteback = {
      row,
      writeback,
      reference: first,
      references,
      writable: undefined,
      readable: undefined,
      perhaps: undefined,
      others: undefined,
      late,
      since: undefined,
      written: late && writeback.ownPage >= 0,
      countAtStart: pages.count[row]!,
      pinsAtStart: pages.pins[row]!,
      page: momentOf(m, row),
    };
    open.set(row, held);
    if (late && first.call > 0) {
      const others = pinning.get(first.call);
      if (others === undefined) pinning.set(first.call, new Set([held]));
      else others.add(held);
    }
    for (const {link} of liveLinks(m, pages.pfn[row]!, 1 << pages.order[row]!)) {
      see(held, link);
      if (link.window.dir === DmaDir.toDevice && link.window.open.t >= writeback.start.t) held.written = false;
    }
  }

  function see(held: HeldWriteback, link: DmaLink): void {
    const {window, owner} = link;
    if (window.iommuOnly) return;
    if (owner !== kind) {
      if (window.deviceWrites) held.others = link;
    } else if (window.dir === DmaDir.toDevice) held.readable ??= link;
    else if (held.writable === undefined || held.writable.window.dir === DmaDir.bidirectional) held.writable = link;
  }

  /** Takes away mappings of which nothing says that they were live: ended before, or left open by a driver that skips the unmap. */
  function standing(held: HeldWriteback): void {
    const since = held.writeback.start.t;
    const stands = ({window}: DmaLink): boolean => {
      // one that is older than all that is held was another's
      if (window.superseded || held.references.every((r) => r.mixedSince > window.open.t)) return false;
      if (window.close) return window.open.t >= since || liveAt(window, since).state !== 'ended';
      if (window.request !== undefined && window.request.completed === undefined) return true;
      return !m.dma.devices[window.device]?.leftOpen;
    };
    if (held.writable && forReading(m, held, held.writable.window) === 'all') {
      held.readable ??= held.writable;
      held.writable = undefined;
    }
    if (held.writable && !stands(held.writable)) {
      const {window} = held.writable;
      const madeUnder = held.references.some((r) => r.mixedSince <= window.open.t);
      if (madeUnder && window.close === undefined) held.perhaps = held.writable;
      held.writable = undefined;
    }
    if (held.readable && !stands(held.readable)) held.readable = undefined;
  }

  return {
    writebackStarted(row, writeback) {
      if (m.pages.references[row]) begin(row, writeback, false);
    },
    taken(row, reference) {
      if (reference.kind !== kind) return;
      const writeback = m.pages.writebacks[row];
      if (!writeback) return;
      const held = open.get(row);
      if (held) held.references.push(reference);
      else begin(row, writeback, true);
    },
    pinCallReturned(_task, call, _flags, _ret, deed) {
      const returned = pinning.get(call);
      if (returned === undefined) return;
      pinning.delete(call);
      const since = deed();
      for (const held of returned) held.since = since;
    },
    dmaOpened(window) {
      if (open.size === 0) return;
      for (const run of window.runs) {
        m.capture.limits.looks += Math.min(run.pages, 1024);
        if (m.capture.limits.tired()) return;
        for (let i = 0; i < run.pages && i < 1024; i++) {
          const folio = m.pages.findFolio(run.pfn + i);
          const held = folio >= 0 ? open.get(folio) : undefined;
          if (!held) continue;
          for (const {link} of liveLinks(m, run.pfn + i, 1)) if (link.window === window) see(held, link);
        }
      }
    },
    writebackEnded(row) {
      const held = open.get(row);
      if (!held) return;
      open.delete(row);
      const others = held.since === undefined ? pinning.get(held.reference.call) : undefined;
      if (others?.delete(held) === true && others.size === 0) pinning.delete(held.reference.call);
      standing(held);
      over(held);
    },
    ended() {
      for (const held of open.values()) {
        standing(held);
        over(held);
      }
      open.clear();
    },
  };
}

/** Of the references that a mapping may have been made under, those that the device only reads for. */
function forReading(m: Ledger, {references}: HeldWriteback, window: DmaWindow): 'all' | 'some' | 'none' {
  const flags = new Set<number>();
  for (const {mixedSince, mixed, gupFlags} of references)
    if (mixedSince <= window.open.t) for (const one of mixed?.flags ?? [gupFlags]) flags.add(one);
  const reading = [...flags].filter((one) => onlyReads(window, one, m.capture.era)).length;
  return reading === 0 ? 'none' : reading === flags.size ? 'all' : 'some';
}

/** That no device could write a page meanwhile, where one had it mapped for another reference, or for none that was seen. */
export function unwritten(m: Ledger, {others}: HeldWriteback, start: number): Premise[] {
  if (others === undefined || !stillMapped(m, others, start)) return [];
  const {open} = others.window;
  const why = `the mapping at line ${open.line}, which the device may write through, was made for another reference, or for this one`;
  return [told('no device had it mapped', false, why, open)];
}

/** What must hold besides for a device to write through a mapping that one of several references was for. */
export function writesThrough(m: Ledger, held: HeldWriteback): Premise[] {
  const window = held.writable?.window;
  if (window === undefined || forReading(m, held, window) === 'none') return [];
  const why = `a reference taken for reading was held as well: the mapping at line ${window.open.line} may be that one's, and the device only reads through it`;
  return [told('the device writes the page itself', false, why, window.open)];
}

/**
 * Whether a device had a page mapped at a time for certain, asked when the trace is read: where nothing shows that mappings of the
 * device end, as with dma_need_unmap() false (kernel/dma/mapping.c) or no unmaps recorded, its I/O may have been over long before.
 */
export function stillMapped(m: Ledger, {window}: DmaLink, t: number): boolean {
  const {open, close, certainEnd, endedBy, request} = window;
  if (open.t >= t) return true;
  if (close === undefined)
    return (request !== undefined && request.completed === undefined) || m.dma.endsToBeExpected(window);
  if (m.dma.mayBeUnmapOfAnother(window)) return false;
  return certainEnd || endedBy === 'completion' || m.dma.endsToBeExpected(window);
}
