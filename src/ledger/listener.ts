import type {DmaWindow} from './tables/dma.js';
import type {Fault} from './tables/faults.js';
import type {LineText} from '../events/line-text.js';
import type {ReferenceKind} from '../base/reference.js';
import type {Deed, Reference} from './tables/references.js';
import type {Writeback} from './tables/writeback.js';

/** The dropping of one or several references of a page at once. */
export interface Drop {
  kind: ReferenceKind;
  /** row of the folio's head */
  row: number;
  /** references dropped */
  n: number;
  deed: Deed;
  /** the probe line of the same deed, when the deed itself is a page_ref event */
  probe: {line: number; input: number; text: LineText} | undefined;
  /** the references that were dropped, each with how many of it */
  from: {reference: Reference; n: number}[];
  /** how many of `n` no known reference explains */
  unmatched: number;
  /** first sub-page and number of sub-pages this is about; the whole folio when they are not known */
  sub: number;
  subPages: number;
  subKnown: boolean;
  /** told by the call's own list, or by the one mapping of the folio that ended just before: not the likeliest of several */
  subCertain: boolean;
  /** raw count printed after the drop; UNKNOWN_COUNT when not known */
  rawAfter: number;
  /** what makes the drop itself uncertain; null when it was seen as such */
  doubt: string | null;
  /** seen as such: an event of the drop itself, not a call that may contain it */
  certain: boolean;
  /** by a call that marks its pages dirty before it drops them, none of whose drops shows: what is marked after it may be marked by it */
  marksToo: boolean;
  /** a pin that an I/O that is over dropped: an interrupt, or whoever released the pages of a bio */
  endsIo: boolean;
  /** how it was paired, in words */
  paired: string;
}

/** The line of its probe as a deed, where the drop is another line's. */
export function probeOf({deed, probe}: Drop): Deed | undefined {
  if (probe === undefined) return undefined;
  const {t, cpu, task, context, stack} = deed;
  const {input, line, text} = probe;
  return {t, cpu, task, context, input, line, text, stack};
}

/** What rules and collectors can hear of. Calls come in trace order; rows are of the folio unless said otherwise. */
export interface Listener {
  taken?(row: number, reference: Reference): void;
  dropped?(drop: Drop): void;
  /** `n` of a reference are gone with no drop: the grab failed, its kind was wrong, or the count shows that events are missing. */
  withdrawn?(reference: Reference, n: number): void;
  /** after the links to all pages are made */
  dmaOpened?(window: DmaWindow): void;
  /** before the links are taken away */
  dmaClosed?(window: DmaWindow): void;
  /** nothing more will be known of a window: superseded, or too many were open */
  dmaAbandoned?(window: DmaWindow): void;
  /** an IOMMU let a device not through to an address */
  faulted?(fault: Fault): void;
  writebackStarted?(row: number, writeback: Writeback): void;
  writebackEnded?(row: number, writeback: Writeback): void;
  dirtied?(row: number, deed: Deed): void;
  cleaned?(row: number, deed: Deed): void;
  /**
   * A page with references or DMA windows is freed, or handed out again although its free was not seen (`seen` false).
   * `row` is the page's own row; its references are still there.
   */
  freed?(row: number, deed: Deed, seen: boolean): void;
  /** The page in a place is no more: freed, or (its free not seen) handed out again. After `freed`, and of pages that held nothing too. */
  lifeEnded?(row: number, t: number, freed: boolean): void;
  /** A page_ref event on a page that holds pins or gets, after counts and references were updated; `inBatch`: inside folios_put_refs. */
  counted?(row: number, deed: () => Deed, delta: number, inBatch: boolean): void;
  /** A pin_user_pages call returned. */
  pinCallReturned?(task: number, call: number, gupFlags: number, ret: number, deed: () => Deed): void;
  /** The trace ends at `t`. */
  ended?(t: number): void;
}

/** The listeners of each hook, bound: most rules hear of few things, and asking each every time would cost. */
export class Hooks {
  readonly taken: NonNullable<Listener['taken']>[] = [];
  readonly dropped: NonNullable<Listener['dropped']>[] = [];
  readonly withdrawn: NonNullable<Listener['withdrawn']>[] = [];
  readonly dmaOpened: NonNullable<Listener['dmaOpened']>[] = [];
  readonly dmaClosed: NonNullable<Listener['dmaClosed']>[] = [];
  readonly dmaAbandoned: NonNullable<Listener['dmaAbandoned']>[] = [];
  readonly faulted: NonNullable<Listener['faulted']>[] = [];
  readonly writebackStarted: NonNullable<Listener['writebackStarted']>[] = [];
  readonly writebackEnded: NonNullable<Listener['writebackEnded']>[] = [];
  readonly dirtied: NonNullable<Listener['dirtied']>[] = [];
  readonly cleaned: NonNullable<Listener['cleaned']>[] = [];
  readonly freed: NonNullable<Listener['freed']>[] = [];
  readonly lifeEnded: NonNullable<Listener['lifeEnded']>[] = [];
  readonly counted: NonNullable<Listener['counted']>[] = [];
  readonly pinCallReturned: NonNullable<Listener['pinCallReturned']>[] = [];
  readonly ended: NonNullable<Listener['ended']>[] = [];

  add(listener: Listener): void {
    for (const [hook, list] of Object.entries(this) as [keyof Listener, unknown[]][]) {
      const heard = listener[hook];
      if (heard) list.push(heard.bind(listener as never));
    }
  }
}

/** The names of all hooks. */
export const HOOKS = Object.keys(new Hooks()) as (keyof Listener)[];
