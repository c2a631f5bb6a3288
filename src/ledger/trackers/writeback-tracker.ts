/**
 * Writeback windows and dirtiness of pages.
 *
 * Best from probes on __folio_start_writeback() and folio_end_writeback(); without them from the `writeback` flag that
 * page_ref events print: the first event that shows it bounds the start, the first without it bounds the end.
 */
import {EventKind as K, PageFlag, type TraceEvent} from '../../events/event.js';
import type {Uses} from './around.js';
import type {CoveredPages} from './covered-pages.js';
import type {Files} from './files.js';
import {PageState} from '../tables/page-table.js';
import type {Deed} from '../tables/references.js';
import type {Writeback} from '../tables/writeback.js';

/** The start is probed before it sets the flag; by then it is set. */
const FLAG_SET_NS = 1_000_000;
/** The two markings of one write fault lie this close together. */
const FAULT_NS = 1_000_000;
const FILE_SYSTEMS_MAX = 1000;
/** A small page whose life was seen, and in it nothing that marks it dirty or cleans it. */
const UNMARKED = PageState.lifeSeen | PageState.large | PageState.dirtyKnown;

export class WritebackTracker {
  started = 0;
  /** page flags were printed in a layout that shows PG_writeback */
  flagsPrinted = false;
  /** rows inside folio_clear_dirty_for_io(), by the task in it: it marks dirty pages of its own accord (folio_mkclean) */
  private readonly clearing = new Map<number, number>();

  constructor(
    private readonly around: Uses<'capture' | 'pages' | 'evidence' | 'book' | 'on'>,
    private readonly files: Files,
    private readonly under: CoveredPages,
  ) {}

  event(ev: TraceEvent): void {
    const {around} = this;
    const pfn = around.capture.pfnOf(ev);
    if (pfn < 0) return;
    let row = around.pages.findFolio(pfn);
    if (row < 0) row = around.pages.row(pfn, ev.t);
    if (row < 0) return;
    switch (ev.kind) {
      case K.WritebackStart: {
        const ofBlocks = !this.clearing.delete(row) && around.capture.records(K.ClearDirtyForIo);
        if (this.neverMarked === row) this.wroteUnmarked(ev, row);
        this.neverMarked = -1;
        if (around.pages.writebacks[row] === undefined) this.start(ev, row, true, ofBlocks);
        else {
          // A page under writeback cannot go under it again: the end before was missed.
          around.pages.writebacks[row]!.endUnseen = true;
          this.breach(ev, row, around.pages.writebacks[row]!.start.t);
          this.end(ev, row);
          this.start(ev, row, true, ofBlocks);
          around.pages.writebacks[row]!.outOfTurn = true;
        }
        break;
      }
      case K.WritebackEnd:
        if (around.pages.writebacks[row]) {
          const {start, exact, outOfTurn} = around.pages.writebacks[row]!;
          if (exact && !outOfTurn) around.capture.skew.caused(start, ev);
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
    const {around} = this;
    const under = (ev.pageFlags & PageFlag.writeback) !== 0;
    const known = around.pages.writebacks[row];
    const {state} = around.pages;
    if ((ev.pageFlags & PageFlag.unknownLayout) !== 0) return;
    this.flagsPrinted = true;
    if (ev.pageFlags & PageFlag.swapbacked) state[row]! |= PageState.swapBacked;
    if (known !== undefined && under) known.flagSeenAt = ev.t;
    if (under === (known !== undefined)) return;
    if (around.capture.records(K.WritebackStart)) {
      if (known === undefined) return;
      const set =
        known.flagSeenAt > -Infinity || (around.capture.time.unit === 'ns' && ev.t - known.start.t > FLAG_SET_NS);
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
    const {around} = this;
    writeback.endUnseen = around.capture.records(K.WritebackEnd);
    this.end(ev, row);
    if (!writeback.endUnseen) return;
    this.breach(ev, row, writeback.start.t);
  }

  private breach(ev: TraceEvent, row: number, from: number): void {
    const {around} = this;
    if (!around.capture.records(K.WritebackEnd)) return;
    around.capture.audit.breach({
      law: 'writeback-then-end',
      what: 'writeback ended',
      from,
      to: ev.t,
      pfn: around.pages.pfn[row]!,
      line: ev.line,
      why: `the end of a writeback of PFN 0x${around.pages.pfn[row]!.toString(16)} before line ${ev.line} is missing, and other events may be`,
    });
  }

  private start(ev: TraceEvent, row: number, exact: boolean, ofBlocks = false): void {
    const {around} = this;
    const {pages} = around;
    this.started++;
    const matters = around.pages.matters(row);
    const writeback: Writeback = {
      start: around.evidence.deed(ev),
      exact,
      ofBlocks,
      flagSeenAt: exact ? -Infinity : ev.t,
      ownPage: -1,
      ownPages: undefined,
      end: undefined,
      outOfTurn: false,
      endUnseen: false,
      entry: 0,
    };
    pages.writebacks[row] = writeback;
    pages.state[row]! |= PageState.underWriteback;
    this.clean(row);
    for (let r = pages.references[row]; r; r = r.next) {
      r.cleaned = writeback.start;
      r.deviceWrote = this.under.deviceWritesNow(row, r);
    }
    around.book.writebackBegun(row, ev, writeback, matters);
    for (const tell of around.on.writebackStarted) tell(row, writeback);
  }

  private end(ev: TraceEvent, row: number): void {
    const {around} = this;
    const {pages} = around;
    const writeback = pages.writebacks[row]!;
    this.clearing.delete(row);
    writeback.end = around.evidence.deed(ev);
    around.book.writebackEnded(row, ev, writeback);
    for (const tell of around.on.writebackEnded) tell(row, writeback);
    pages.writebacks[row] = undefined;
    pages.state[row]! &= ~PageState.underWriteback;
  }

  /** The page is gone: its writeback's end was not seen. */
  abandon(row: number): void {
    const writeback = this.around.pages.writebacks[row];
    if (!writeback) return;
    for (const tell of this.around.on.writebackEnded) tell(row, writeback);
    this.around.pages.writebacks[row] = undefined;
  }

  private clear(ev: TraceEvent, row: number): void {
    const {around} = this;
    if (this.clearing.size > 10_000) {
      this.clearing.clear();
      around.capture.limits.hit('calls', 10_000);
    }
    this.clearing.set(row, ev.pid);
    this.neverMarked = (around.pages.state[row]! & UNMARKED) === PageState.lifeSeen ? row : -1;
    this.clean(row);
    const under = around.pages.writebacks[row];
    const itself = under?.ofBlocks === true && under.start.task === around.evidence.tasks.of(ev);
    if (under?.exact === true && !itself) {
      // Who cleans a page to write it waits for its writeback first (mm/page-writeback.c folio_prepare_writeback(), fs/ext4).
      under.endUnseen = true;
      this.breach(ev, row, under.start.t);
    }
    around.book.cleaned(row, ev);
    if (around.on.cleaned.length > 0 && around.pages.references[row]) {
      const deed = around.evidence.deed(ev);
      for (const tell of around.on.cleaned) tell(row, deed);
    }
  }

  private clean(row: number): void {
    const {state} = this.around.pages;
    state[row] = (state[row]! & ~PageState.dirty) | PageState.dirtyKnown;
  }

  /**
   * by device of the file system: a page that was written out although nothing had marked it dirty in its life. A write() marks
   * pages by folio_mark_dirty() on some file systems (btrfs, f2fs), by the buffers of a page or by filemap_dirty_folio() on
   * others (ext4, XFS): there it leaves no event.
   */
  readonly writesUnmarked = new Map<number, {input: number; line: number}>();
  /** the row that was cleaned last, where nothing had marked it */
  private neverMarked = -1;

  private wroteUnmarked(ev: TraceEvent, row: number): void {
    const {around, files, writesUnmarked} = this;
    const {pages, capture} = around;
    if (!capture.records(K.MarkDirty)) return;
    const file = files.of(row);
    if (file === undefined || writesUnmarked.has(file.dev) || writesUnmarked.size >= FILE_SYSTEMS_MAX) return;
    if (capture.gaps.within(pages.since[row]!, ev.t) === undefined)
      writesUnmarked.set(file.dev, {input: ev.input, line: ev.line});
  }

  /**
   * By device of the file system: the first and the last write fault that marked one small page twice, as page_mkwrite file
   * systems do. ext4 does not while it is nearly full (ext4_nonda_switch(), fs/ext4/inode.c).
   */
  readonly marksTwice = new Map<number, {first: Deed; last: Deed}>();
  private before: {row: number; task: number; t: number} = {row: -1, task: -1, t: 0.5};

  /** do_shared_fault(), do_wp_page(): page_mkwrite marks the page, then fault_dirty_shared_page() (mm/memory.c). */
  private twice(row: number, deed: Deed): void {
    const {before, around} = this;
    const {task, t} = deed;
    const small = (around.pages.state[row]! & PageState.large) === 0;
    if (
      small &&
      before.row === row &&
      before.task === task &&
      t - before.t <= FAULT_NS &&
      around.pages.pins[row] === 0 &&
      around.pages.gets[row] === 0
    ) {
      const file = this.files.of(row);
      const known = file && this.marksTwice.get(file.dev);
      if (known !== undefined) known.last = deed;
      else if (file !== undefined && this.marksTwice.size < FILE_SYSTEMS_MAX)
        this.marksTwice.set(file.dev, {first: deed, last: deed});
    }
    before.row = row;
    before.task = task;
    before.t = t;
  }

  /** Whether ends of writeback show in the trace. */
  get endsRecorded(): boolean {
    return this.flagsPrinted || this.around.capture.records(K.WritebackEnd);
  }

  private mark(ev: TraceEvent, row: number): void {
    const {around} = this;
    // folio_clear_dirty_for_io() calls folio_mark_dirty() itself when folio_mkclean() found dirty PTEs (mm/page-writeback.c).
    const under = around.pages.writebacks[row];
    const own = this.clearing.get(row) === ev.pid && (under === undefined || under.ofBlocks);
    around.book.dirtied(row, ev, own);
    if (own) return;
    this.clearing.delete(row);
    const deed = around.evidence.deed(ev);
    this.twice(row, deed);
    for (const tell of around.on.dirtied) tell(row, deed);
    const {state} = around.pages;
    state[row]! |= PageState.dirty | PageState.dirtyKnown;
  }
}
