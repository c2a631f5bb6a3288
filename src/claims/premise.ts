/**
 * Premises: what must be so for a claim to hold, stated by a rule as data and proven elsewhere (src/proof/provers.ts).
 * Adding a doubt means adding a premise here and its prover there; no rule lists doubts of its own.
 */
import type {Unseen} from '../capture/audit.js';
import type {DmaLink, DmaWindow} from '../ledger/tables/dma.js';
import type {ReferenceKind} from '../base/reference.js';
import type {Deed, Reference} from '../ledger/tables/references.js';
import type {Writeback} from '../ledger/tables/writeback.js';
import type {Drop} from '../ledger/listener.js';
import type {EndedMapping, Fault} from '../ledger/tables/faults.js';
import type {Moment} from '../ledger/moment.js';

export type Premise =
  /** it was a reference of this kind, of this page */
  | {id: 'held'; kind: ReferenceKind; references: readonly Reference[]; page: Moment}
  /** and it was there still at `at`: its drop comes later, its own I/O runs, or nothing dropped it unseen */
  | {id: 'still-held'; reference: Reference; page: Moment; at: When; link: DmaLink | undefined}
  /** no other reference of the kind is left on the page; `maybeHeld`: one of its folio is, on a page that is not known */
  | {id: 'last'; kind: ReferenceKind; page: Moment; drop: Drop; maybeHeld: boolean}
  /** the mapping is that reference's own I/O */
  | {id: 'owns'; link: DmaLink}
  /** the device may still touch the page at `at`: the mapping was made before, its own end came later; `of`: what `at` drops */
  | {id: 'live'; window: DmaWindow; at: Deed; page: Moment; of: Reference | undefined}
  /** the page is of a file; `under`: a reference that was held when this writeback began */
  | {id: 'of-file'; page: Moment; under: {reference: Reference; start: Deed} | undefined}
  /**
   * the writeback was running at `at`; `by`: what was done with the pin that was taken then, once it was held for certain; `of`: the
   * reference that was held when it began
   */
  | {
      id: 'under-writeback';
      writeback: Writeback;
      at: When;
      late: boolean;
      by: When | undefined;
      of: Reference | undefined;
    }
  /** this event ended the page's life */
  | {id: 'freed'; deed: Deed; seen: boolean}
  /** what did not happen, within [from, to] */
  | {id: 'never'; what: Unseen; page: Moment; from: number; to: number; by: 'silence' | 'end' | undefined}
  /** the printed count shows it by itself */
  | {id: 'counted'; deed: Deed; page: Moment}
  /** the page's life was seen from its beginning */
  | {id: 'whole-life'; page: Moment}
  /**
   * no write fault explains the marking: the file system marks twice in each, and this was `marks` times; `again`: a marking by
   * the same task that came later than a fault's second one does, and may yet be it
   */
  | {id: 'no-fault'; page: Moment; mark: Deed; marks: number; again: Deed | undefined; untaken: boolean}
  /** the mapping was over before the device touched its address, and no other was made of it in between */
  | {id: 'unmapped'; mapping: EndedMapping; fault: Fault; page: Moment}
  /** nothing was mapped at the address, as far back as the trace goes */
  | {id: 'not-mapped'; fault: Deed}
  /** the page is the one that the events name: by PFN, by a pointer under a proven base, by an address of a known page size */
  | {id: 'named'; page: Moment; mapped: boolean}
  /** one event came before another, by a clock that orders them */
  | {id: 'before'; says: string; first: When; second: When}
  /** page_ref events of the page are there, or of none: no filter by the change of the count (`val>=1024||val<=-1024`) leaves its own out */
  | {id: 'unfiltered'; page: Moment}
  /** the trace has times, and they order what they stand at */
  | {id: 'timed'}
  /** the input is a trace, not what somebody shows of one */
  | {id: 'unabridged'}
  /** a fact that the trace either tells or does not; `says` names it, `why` what is open without it */
  | {id: 'told'; says: string; known: boolean; by: readonly Line[]; why: string};

/** An event of which the order with others matters: a time means something on its own CPU's clock only. */
export type When = Pick<Deed, 't' | 'cpu' | 'input' | 'line'>;

/** `says` what came first: `it was unpinned before it was marked`. */
export const before = (says: string, first: When, second: When): Premise => ({id: 'before', says, first, second});

/** The end of the trace: after everything that is in it. */
export const endOfTrace = (t: number): When => ({t, cpu: -1, input: 0, line: 0});

/** Where a line of evidence stands. */
export interface Line {
  input: number;
  line: number;
}

export const held = (references: readonly Reference[], page: Moment, kind: ReferenceKind = 'pin'): Premise => ({
  id: 'held',
  kind,
  references,
  page,
});
export const stillHeld = (reference: Reference, page: Moment, at: When, link?: DmaLink): Premise => ({
  id: 'still-held',
  reference,
  page,
  at,
  link,
});
export const last = (kind: ReferenceKind, page: Moment, drop: Drop, maybeHeld = false): Premise => ({
  id: 'last',
  kind,
  page,
  drop,
  maybeHeld,
});
export const owns = (link: DmaLink): Premise => ({id: 'owns', link});
export const live = (window: DmaWindow, at: Deed, page: Moment, of?: Reference): Premise => ({
  id: 'live',
  window,
  at,
  page,
  of,
});
export const ofFile = (page: Moment, reference?: Reference, start?: Deed): Premise => ({
  id: 'of-file',
  page,
  under: reference && start ? {reference, start} : undefined,
});
export const underWriteback = (writeback: Writeback, at: When, late: boolean, by?: When, of?: Reference): Premise => ({
  id: 'under-writeback',
  writeback,
  at,
  late,
  by,
  of,
});
export const freed = (deed: Deed, seen: boolean): Premise => ({id: 'freed', deed, seen});
/**
 * `by`: what proves it. Where `silence` alone speaks of a page that no count shows, not even one event may be missing without a
 * mark, anywhere in the trace. Until the `end` a page's count may not be printed again: no events may be missing in between, and no CPU.
 */
export const never = (what: Unseen, page: Moment, from: number, to: number, by?: 'silence' | 'end'): Premise => ({
  id: 'never',
  what,
  page,
  from,
  to,
  by,
});
export const counted = (deed: Deed, page: Moment): Premise => ({id: 'counted', deed, page});
export const wholeLife = (page: Moment): Premise => ({id: 'whole-life', page});
export const told = (says: string, known: boolean, why: string, ...by: Line[]): Premise => ({
  id: 'told',
  says,
  known,
  by,
  why,
});
/** `mark`: the first of `marks`; `untaken`: nobody took the page before it. */
export const noFault = (
  page: Moment,
  mark: Deed,
  marks: number,
  again: Deed | undefined,
  untaken: boolean,
): Premise => ({id: 'no-fault', page, mark, marks, again, untaken});
