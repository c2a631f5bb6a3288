/**
 * Writeback windows and dirtiness of pages.
 *
 * Best from probes on __folio_start_writeback() and folio_end_writeback(); without them from the `writeback` flag that
 * page_ref events print: the first event that shows it bounds the start, the first without it bounds the end.
 */
import {EventKind as K, PageFlag, type TraceEvent} from '../../events/event.js';
import {What} from '../tables/journal.js';
import type {Model} from '../model.js';
import {PageState} from '../tables/page-table.js';
import type {Deed} from '../tables/references.js';
import type {Writeback} from '../tables/writeback.js';

/** The start is probed before it sets the flag; by then it is set. */
const FLAG_SET_NS = 1_000_000;
/** The two markings of one write fault lie this close together. */
const FAULT_NS = 1_000_000;
const FILE_SYSTEMS_MAX = 1000;

export class WritebackTracker {
  started = 0;
  /** page flags were printed in a layout that shows PG_writeback */
  flagsPrinted = false;
  /** rows inside folio_clear_dirty_for_io(), by the task in it: it marks dirty pages of its own accord (folio_mkclean) */
  private readonly clearing = new Map<number, number>();

  constructor(private readonly m: Model) {}

  event(ev: TraceEvent): void {
    const {m} = this;
    const pfn = m.pfnOf(ev);
    if (pfn < 0) return;
    let row = m.pages.findFolio(pfn);
    if (row < 0) row = m.pages.row(pfn, ev.t);
    if (row < 0) return;
    switch (ev.kind) {
      case K.WritebackStart:
        this.clearing.delete(row);
        if (m.pages.writebacks[row] === undefined) this.start(ev, row, true);
        else {
          // A page under writeback cannot go under it again: the end before was missed.
          m.pages.writebacks[row]!.endUnseen = true;
          this.breach(ev, row, m.pages.writebacks[row]!.start.t);
          this.end(ev, row);
          this.start(ev, row, true);
          m.pages.writebacks[row]!.outOfTurn = true;
        }
        break;
      case K.WritebackEnd:
        if (m.pages.writebacks[row]) {
          const {start, exact, outOfTurn} = m.pages.writebacks[row]!;
          if (exact && !outOfTurn) m.skew.caused(start, ev);
          this.end(ev, row);
        }
        break;
      case K.ClearDirtyForIo:
        this.clear(ev, row);
        break;
      default:
        this.mark(ev, row);
    }
  }

  /** The flags of a page_ref event: all there is without writeback probes, and a check on those. */
  flags(ev: TraceEvent, row: number): void {
    const {m} = this;
    const under = (ev.pageFlags & PageFlag.writeback) !== 0;
    const known = m.pages.writebacks[row];
    const {state} = m.pages;
    if ((ev.pageFlags & PageFlag.unknownLayout) !== 0) return;
    this.flagsPrinted = true;
    if (ev.pageFlags & PageFlag.swapbacked) state[row]! |= PageState.swapBacked;
    if (known !== undefined && under) known.flagSeenAt = ev.t;
    if (under === (known !== undefined)) return;
    if (m.records(K.WritebackStart)) {
      if (known === undefined) return;
      const set = known.flagSeenAt > -Infinity || (m.time.unit === 'ns' && ev.t - known.start.t > FLAG_SET_NS);
      if (set) this.endedUnseen(ev, row, known);
      return;
    }
    if (under) this.start(ev, row, false);
    else this.end(ev, row);
  }

  /**
   * folio_end_writeback() is probed at its entry, before it clears the flag (mm/filemap.c): a flag that is gone without it
   * says that the event is missing.
   */
  private endedUnseen(ev: TraceEvent, row: number, writeback: Writeback): void {
    const {m} = this;
    writeback.endUnseen = m.records(K.WritebackEnd);
    this.end(ev, row);
    if (!writeback.endUnseen) return;
    this.breach(ev, row, writeback.start.t);
  }

  private breach(ev: TraceEvent, row: number, from: number): void {
    const {m} = this;
    if (!m.records(K.WritebackEnd)) return;
    m.audit.breach({
      law: 'writeback-then-end',
      what: 'writeback ended',
      from,
      to: ev.t,
      pfn: m.pages.pfn[row]!,
      line: ev.line,
      why: `the end of a writeback of PFN 0x${m.pages.pfn[row]!.toString(16)} before line ${ev.line} is missing, and other events may be`,
    });
  }

  private start(ev: TraceEvent, row: number, exact: boolean): void {
    const {m} = this;
    const {pages} = m;
    this.started++;
    const matters = m.matters(row);
    const writeback: Writeback = {
      start: m.deed(ev),
      exact,
      flagSeenAt: exact ? -Infinity : ev.t,
      ownMapping: false,
      end: undefined,
      outOfTurn: false,
      endUnseen: false,
    };
    pages.writebacks[row] = writeback;
    pages.state[row]! |= PageState.underWriteback;
    this.clean(row);
    for (let r = pages.references[row]; r; r = r.next) {
      r.cleanedAt = ev.t;
      r.cleaned = writeback.start;
      r.deviceWrote = m.dma.under.deviceWritesNow(row, r);
    }
    if (matters) m.note(row, ev, What.writebackStart, NaN, 0, 0);
    for (const tell of m.on.writebackStarted) tell(row, writeback);
  }

  private end(ev: TraceEvent, row: number): void {
    const {m} = this;
    const {pages} = m;
    const writeback = pages.writebacks[row]!;
    writeback.end = m.deed(ev);
    if (pages.references[row] || pages.journals[row]) m.note(row, ev, What.writebackEnd, NaN, 0, 0);
    for (const tell of m.on.writebackEnded) tell(row, writeback);
    pages.writebacks[row] = undefined;
    pages.state[row]! &= ~PageState.underWriteback;
  }

  /** The page is gone: its writeback's end was not seen. */
  abandon(row: number): void {
    const writeback = this.m.pages.writebacks[row];
    if (!writeback) return;
    for (const tell of this.m.on.writebackEnded) tell(row, writeback);
    this.m.pages.writebacks[row] = undefined;
  }

  private clear(ev: TraceEvent, row: number): void {
    const {m} = this;
    if (this.clearing.size > 10_000) {
      this.clearing.clear();
      m.limits.hit('calls', 10_000);
    }
    this.clearing.set(row, ev.pid);
    this.clean(row);
    if (m.pages.references[row]) m.note(row, ev, What.clean, NaN, 0, 0);
    if (m.on.cleaned.length > 0 && m.pages.references[row]) {
      const deed = m.deed(ev);
      for (const tell of m.on.cleaned) tell(row, deed);
    }
  }

  private clean(row: number): void {
    const {state} = this.m.pages;
    state[row] = (state[row]! & ~PageState.dirty) | PageState.dirtyKnown;
  }

  /** by device of the file system: a write fault that marked one small page twice, as page_mkwrite file systems do */
  readonly marksTwice = new Map<number, {input: number; line: number}>();
  private before: {row: number; task: number; t: number} = {row: -1, task: -1, t: 0.5};

  /** do_shared_fault(), do_wp_page(): page_mkwrite marks the page, then fault_dirty_shared_page() (mm/memory.c). */
  private twice(row: number, deed: Deed): void {
    const {before, m} = this;
    const {task, t} = deed;
    const small = (m.pages.state[row]! & PageState.large) === 0;
    if (small && before.row === row && before.task === task && t - before.t <= FAULT_NS && m.pages.pins[row] === 0) {
      const file = m.files.of(row);
      if (file !== undefined && this.marksTwice.size < FILE_SYSTEMS_MAX && !this.marksTwice.has(file.dev))
        this.marksTwice.set(file.dev, {input: deed.input, line: deed.line});
    }
    before.row = row;
    before.task = task;
    before.t = t;
  }

  /** Whether ends of writeback show in the trace. */
  get endsRecorded(): boolean {
    return this.flagsPrinted || this.m.records(K.WritebackEnd);
  }

  private mark(ev: TraceEvent, row: number): void {
    const {m} = this;
    // folio_clear_dirty_for_io() calls folio_mark_dirty() itself when folio_mkclean() found dirty PTEs (mm/page-writeback.c).
    if (this.clearing.get(row) === ev.pid && !m.pages.writebacks[row]) return;
    this.clearing.delete(row);
    if (m.pages.references[row] || m.pages.journals[row]) m.note(row, ev, What.dirty, NaN, 0, 0);
    const deed = m.deed(ev);
    this.twice(row, deed);
    for (const tell of m.on.dirtied) tell(row, deed);
    const {state} = m.pages;
    state[row]! |= PageState.dirty | PageState.dirtyKnown;
  }
}
