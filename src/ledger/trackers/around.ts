/** What the trackers of DMA use of the ledger around them, by name: none of them knows the ledger itself. */
import type {TraceEvent} from '../../events/event.js';
import type {Limits} from '../../base/limits.js';
import type {Skew} from '../../capture/skew.js';
import type {Hooks} from '../listener.js';
import type {PageTable} from '../tables/page-table.js';
import type {Deed, ReferenceKind} from '../tables/references.js';
import type {Calls} from './calls.js';

export interface Around {
  readonly pages: PageTable;
  readonly calls: Calls;
  readonly tasks: {get(index: number): {readonly pid: number}};
  readonly limits: Limits;
  /** told of causes and their effects on other CPUs */
  readonly skew: Skew;
  readonly on: Hooks;
  /** resolves pointers to struct page */
  readonly identity: {pfn(hi: number, lo: number): number};
  /** log2 of the page size, as far as known */
  readonly pageSize: {readonly shift: number; used: boolean};
  /** facts of headers, such as `pid_filter` */
  readonly facts: ReadonlyMap<string, string>;
  /** events so far */
  readonly events: number;
  records(kind: number): boolean;
  /** The PFN an event names, -1 when it names none that can be resolved. */
  pfnOf(ev: TraceEvent): number;
  /** The event at hand as a deed: its line is kept. */
  deed(ev: TraceEvent): Deed;
  /** Notes a change in the journal of a row that has one, or begins one. */
  note(row: number, ev: TraceEvent, what: number, delta: number, kind: number, partner: number): void;
  /** Whether a folio holds a reference of a kind that covers a page of it. */
  holds(row: number, kind: ReferenceKind, pfn: number): boolean;
}
