/** A page as it is now, written down for what is claimed about it later. */
import {EventKind as K} from '../events/event.js';
import type {Ledger} from './ledger.js';
import {PageState, UNKNOWN_COUNT} from './tables/page-table.js';
import type {FilePage} from './trackers/files.js';

/** A page as it was when something happened to it: facts of the moment, not of a row that is asked later. */
export interface Moment {
  pfn: number;
  /** row of the folio's head, and its generation: a row of a sub-page counts those that it saw itself */
  row: number;
  generation: number;
  /** part of a compound page */
  large: boolean;
  /** log2 of the folio's pages; 0 for a small one */
  order: number;
  /** the life was seen from its beginning */
  lifeSeen: boolean;
  /** when the life began, or its first event came */
  since: number;
  /** raw count as last printed; null unknown */
  count: number | null;
  /** every change of its count shows as a page_ref event: a small page of a trace that records them all */
  counted: boolean;
  pins: number;
  gets: number;
  /** `unknown` as far as was known then; a claim asks once more when the trace is read (kindOnceRead) */
  kind: 'file' | 'anonymous' | 'unknown';
  /** its flags say PG_swapbacked: anonymous, or shmem */
  swapBacked: boolean;
  file: FilePage | undefined;
  /** the line that says which file, where it is known */
  entered: {input: number; line: number} | undefined;
}

/**
 * The moment of a folio's row. `page`: the row of the sub-page it is about, where that has a life of its own (DMA links).
 */
export function momentOf(m: Ledger, row: number, page = row): Moment {
  const {pages} = m;
  const state = pages.state[row]!;
  const large = (state & PageState.large) !== 0;
  const count = pages.count[row]!;
  const file = m.files.of(row);
  return {
    pfn: pages.pfn[page]!,
    row,
    generation: pages.generation[row]!,
    large,
    order: pages.order[row]!,
    lifeSeen: (state & PageState.lifeSeen) !== 0,
    since: pages.since[row]!,
    count: count === UNKNOWN_COUNT ? null : count,
    counted: !large && count !== UNKNOWN_COUNT && countsRecorded(m),
    pins: pages.pins[row]!,
    gets: pages.gets[row]!,
    kind:
      (state & PageState.file) !== 0
        ? 'file'
        : (state & PageState.swapBacked) !== 0
          ? 'anonymous'
          : unfiled(m, (state & PageState.lifeSeen) !== 0, pages.since[row]!, m.capture.now),
    swapBacked: (state & PageState.swapBacked) !== 0,
    file,
    entered: file && {input: file.input, line: file.line},
  };
}

/**
 * A page whose whole life is recorded, in a trace that shows pages entering the page cache, and that entered none: anonymous,
 * unless an event of it was lost.
 */
function unfiled(m: Ledger, lifeSeen: boolean, since: number, until: number): 'anonymous' | 'unknown' {
  if (!lifeSeen || !m.capture.records(K.CacheAdd)) return 'unknown';
  return m.capture.gaps.within(since, until) === undefined ? 'anonymous' : 'unknown';
}

/**
 * What a page was at time `t` of a moment, told when the trace is read: that it shows pages entering the page cache may have been
 * known only later, by the first one that did.
 */
export function kindOnceRead(m: Ledger, {kind, lifeSeen, since}: Moment, t: number): Moment['kind'] {
  return kind === 'unknown' ? unfiled(m, lifeSeen, since, t) : kind;
}

/** Whether page_ref events back the probes: without them a probe that was missed leaves no mark. */
export function countsRecorded(m: Ledger): boolean {
  return m.capture.certifies(K.RefModAndTest) && m.capture.certifies(K.RefMod);
}
