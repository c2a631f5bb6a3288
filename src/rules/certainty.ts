/**
 * What could explain a finding away. A rule asks here; it does not decide by itself what is certain.
 */
import {EventKind as K} from '../events/event.js';
import type {DmaWindow, WindowOwner} from '../ledger/tables/dma.js';
import type {Model} from '../ledger/model.js';
import {PageState, UNKNOWN_COUNT} from '../ledger/tables/page-table.js';
import type {Deed, Reference} from '../ledger/tables/references.js';

/** Times are printed in microseconds: two events on two CPUs this close cannot be ordered. */
const TIE_NS = 1000;

/** Two events on different CPUs at (nearly) one time: their order in the trace proves nothing. */
export function tie(m: Model, a: Deed, b: Deed): string | null {
  if (a.cpu === b.cpu && a.cpu >= 0) return null;
  const limit = m.time.unit === 'ticks' ? 0 : TIE_NS;
  if (Math.abs(a.t - b.t) > limit) return null;
  return `lines ${a.line} and ${b.line} have equal times on two CPUs: their order is not known`;
}

/** Events were lost somewhere between two times. */
export function lost(m: Model, from: number, to: number): string | null {
  return m.gaps.within(from, to)?.why ?? null;
}

/** The mapping itself leaves something open. */
export function mappingDoubt(window: DmaWindow, owner: WindowOwner): string | null {
  if (owner === 'ambiguous') return "the mapping may be the one of the page's own writeback";
  if (window.iommuOnly)
    return 'the mapping is known from an iommu:map event only, which names no device and no direction';
  return null;
}

/** Whether page_ref events back the probes: without them a probe that was missed leaves no mark. */
export function countsRecorded(m: Model): boolean {
  return m.records(K.RefModAndTest) && m.records(K.RefMod);
}

/**
 * Unpins that leave no mark: without a probe on gup_put_folio() a small page's unpins still show in its counts, a large
 * folio's look like any put.
 */
export function unpinsDoubt(m: Model, row: number): string | null {
  const small = (m.pages.state[row]! & PageState.large) === 0;
  if (m.records(K.GupPut) || (small && countsRecorded(m))) return null;
  return 'gup_put_folio() is not probed: its unpin may have left no event';
}

/** The reference may be of the other kind: a large folio's count moves alike for both. */
export function kindDoubt(reference: Reference | undefined): string | null {
  return reference?.knownBy === 'guess'
    ? 'what looks like a pin of a large folio may be a get_user_pages reference: no probe or stack tells'
    : null;
}

/** How a page's pins are known: from its counts, or from events that may have begun before the trace. */
export function pinsDoubt(m: Model, row: number, pins: readonly Reference[]): string | null {
  const {state} = m.pages;
  const guess = pins.map(kindDoubt).find((d) => d !== null);
  if (guess !== undefined) return guess;
  if (pins.length === 0 || pins.some((p) => p.knownBy === 'count'))
    return 'its pin was taken before the trace began, or was not seen';
  const small = (state[row]! & PageState.large) === 0;
  if (small && countsRecorded(m) && m.pages.count[row] !== UNKNOWN_COUNT) return null; // the count shows every pin
  if ((state[row]! & PageState.lifeSeen) === 0)
    return 'the page is older than the trace: a pin taken earlier could still hold it';
  return null;
}

/** Probes that the kernel says it missed: only a count that page_ref events show tells which page each was about. */
export function missesDoubt(m: Model): string | null {
  const missed = m.probesMissedByKernel;
  if (missed === 0) return null;
  return `the kernel missed ${missed} hits of probes (kprobe_profile), and no page's count tells which`;
}

/** A trace of some tasks only lacks what others did to their pages: an unpin or unmap in an interrupt, a flusher's writeback. */
export function tasksDoubt(m: Model): string | null {
  if (m.facts.has('pid_filter'))
    return 'only some tasks were recorded: what others and interrupts did to the page is missing';
  if (m.oneTask === undefined) return null;
  return `all events are of task ${m.oneTask}, as in a trace filtered by pid: what others did to the page would be missing`;
}

/** The first doubt, if there is any. */
export function firstDoubt(...doubts: (string | null)[]): string | null {
  return doubts.find((d) => d !== null) ?? null;
}
