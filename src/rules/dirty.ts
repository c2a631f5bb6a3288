/**
 * The two rules about dirtying that comes too late: after writeback cleaned the page under the pin, and after the pin.
 *
 * Both turn on who marks the page dirty. An ordinary write fault calls folio_mark_dirty() twice for a page of a file
 * (page_mkwrite, then fault_dirty_shared_page(), mm/memory.c) and the munmap of a dirty PTE calls it for a page that is
 * dirty already or was written through the page table; set_page_dirty() of a driver calls it once. A single call by the
 * unpinning task on a page known clean is therefore the driver's.
 */
import type {Said} from '../claims/claim.js';
import type {Moment} from '../ledger/moment.js';
import {before, held, never, noFault, ofFile, type Premise, stillHeld, told} from '../claims/premise.js';
import {Context} from '../events/event.js';
import type {Listener} from '../ledger/listener.js';
import {momentOf} from '../ledger/moment.js';
import type {Deed, Reference} from '../ledger/tables/references.js';
import type {Rule, RuleContext} from './types.js';

/** What the order of the two deeds has to be, in words. */
const UNPINNED_FIRST = 'it was unpinned before it was marked dirty';
const NO_WRITE = 'no write() of the program marked it';
const BY_WRITE = 'a write() of the task may have marked it, as it does once on some file systems (btrfs, f2fs)';
const CLEANED_FIRST = 'it was cleaned before it was marked dirty';

/** A second marking of the page by the same task this soon after is the other half of one write fault. */
const FAULT_NS = 1_000_000;
/** Later, up to here, it may be: on an emulated or overcommitted machine a CPU stands still within a fault. */
const SLOW_NS = 100_000_000;
/** Most pages of which it is kept who took them since they were cleaned. */
const TOUCHED_MAX = 100_000;
/** In the place of one task: several took the page. */
const SEVERAL = -2;
/** Functions of a write fault, a write(), or a read that begins (block/bio.c): where stacks are traced they settle it. */
const ORDINARY = [
  'handle_mm_fault',
  '__handle_mm_fault',
  'do_wp_page',
  'wp_page_shared',
  'do_shared_fault',
  'generic_perform_write',
  'iomap_file_buffered_write',
  'unmap_page_range',
  'zap_pte_range',
  'bio_set_pages_dirty',
];
/** Functions by which those who unpin mark what a device wrote (mm/gup.c, block/bio.c; set_page_dirty_lock(), mm/page-writeback.c). */
const FOR_A_DEVICE = [
  'set_page_dirty_lock',
  'folio_mark_dirty_lock',
  'unpin_user_page',
  'bio_check_pages_dirty',
  'bio_dirty_fn',
  'bio_release_pages',
  '__bio_release_pages',
];

export const dirtyAfterWriteback: Rule = {
  meta: {
    id: 'dirty-after-writeback',
    title:
      'of a file was written by the device and marked dirty at unpin, after writeback had cleaned it under that pin',
    severity: 'error',
    needs: ['pins', 'unpins', 'writeback', 'dirty', 'dma-map'],
    helpedBy: [],
    meaning:
      'The file system cleaned the page, dropped what it keeps for dirty pages (buffers, reservations, delayed allocation), ' +
      'and then finds it dirty again without having been asked through page_mkwrite(). ext4 says "does not have buffers ' +
      'attached"; data can be lost on copy-on-write file systems.',
    proof:
      'The pin, a device-writable mapping under it, the writeback within it, and the dirtying by the unpinning task before the unpin.',
    premises: [
      {id: 'held', says: 'it was a pin'},
      {id: 'of-file', says: 'the page was of a file'},
      {id: 'still-held', says: 'the pin was held then'},
      {id: 'no-fault', says: 'no write fault of the program explains it'},
      {id: 'told', says: NO_WRITE},
      {id: 'before', says: CLEANED_FIRST},
      {id: 'never', says: 'it was not written back in between'},
      {id: 'never', says: 'it was not mapped in between'},
    ],
    lookAlikes: [
      'A store into the page, or a write() to its file, by the program meanwhile: the file system is told, and marks the page itself.',
    ],
    kernelDoc: 'Documentation/core-api/pin_user_pages.rst, case 1 (file-backed pages); fs/ext4/inode.c ext4_writepages',
  },
  judge: (context) => new LateDirty(context, 'dirty-after-writeback'),
};

export const dirtyAfterUnpin: Rule = {
  meta: {
    id: 'dirty-after-unpin',
    title: "was marked dirty for its pin's own data only after that pin was dropped",
    severity: 'warning',
    needs: ['pins', 'unpins', 'dirty'],
    helpedBy: [{need: 'writeback', misses: 'whether the page was clean: only late marking of clean pages matters'}],
    meaning:
      "Between unpin and set_page_dirty() nothing keeps the page: it can be reclaimed or truncated as clean and the device's " +
      'data is lost. unpin_user_pages_dirty_lock() does both in the right order.',
    proof:
      'The write pin (or a device-writable mapping), its unpin, and the one marking of the clean page by the same task after it.',
    premises: [
      {id: 'held', says: 'it was a pin'},
      {id: 'of-file', says: 'the page was of a file'},
      {id: 'no-fault', says: 'no write fault of the program explains it'},
      {id: 'told', says: NO_WRITE},
      {id: 'before', says: UNPINNED_FIRST},
      {id: 'never', says: 'it was not written back in between'},
      {id: 'never', says: 'it was not mapped in between'},
    ],
    lookAlikes: [
      "A write fault or write() by the program; a later pin's own dirtying; a page that was dirty all along.",
    ],
    kernelDoc: 'Documentation/core-api/pin_user_pages.rst (set_page_dirty_lock before unpin)',
  },
  judge: (context) => new LateDirty(context, 'dirty-after-unpin'),
};

interface Watched {
  pin: Reference;
  unpin: Deed;
  device: number;
  generation: number;
  /** the page at its unpin */
  page: Moment;
  /** pages unpinned, at once or one by one */
  n: number;
}

/** A marking that may be half of a fault: told when nothing explains it. */
interface Candidate {
  row: number;
  /** the first marking */
  mark: Deed;
  /** how many in a row by that task */
  marks: number;
  watched: Watched | undefined;
  /**
   * It was marked in an unpin call that marks; or its count shows that the task did not take it since, as a write fault and a
   * write() do before they mark a page.
   */
  own: boolean;
  /** the next marking by the task, where it came later than FAULT_NS and may be of the same fault */
  again: Deed | undefined;
}

const WATCHED_MAX = 200_000;

class LateDirty implements Listener {
  private readonly m;
  /** rows whose write pin was dropped while the page was clean (dirty-after-unpin) */
  private readonly unpinned = new Map<number, Watched>();
  /** by row: pages of a large folio whose pins went one by one, while others of it are pinned still (dirty-after-unpin) */
  private readonly partly = new Map<number, number>();
  private readonly candidates = new Map<number, Candidate>();
  /** by row that was cleaned under a pin: the task that took it since, and when last (dirty-after-writeback) */
  private readonly touched = new Map<number, {task: number; t: number}>();
  /** what was kept of earlier pages was forgotten then */
  private forgotten = -Infinity;

  constructor(
    private readonly context: RuleContext,
    private readonly rule: 'dirty-after-writeback' | 'dirty-after-unpin',
  ) {
    this.m = context.ledger;
  }

  dirtied(row: number, mark: Deed): void {
    const {m} = this;
    // get_user_pages() faults a page in that it is to write to: marks within such a call are that fault's, however far apart.
    if (mark.context <= Context.task && m.calls.pins.has(m.evidence.tasks.get(mark.task).pid)) {
      this.unpinned.delete(row);
      return;
    }
    const waiting = this.candidates.get(row);
    if (waiting) {
      // Twice by one task: a write fault. It also settles what comes after.
      const later = waiting.mark.task === mark.task ? mark.t - waiting.mark.t : Infinity;
      if (later <= FAULT_NS) {
        waiting.marks++;
        if (waiting.watched === undefined || waiting.watched.n <= 2) this.candidates.delete(row);
        this.unpinned.delete(row);
        return;
      }
      if (later <= SLOW_NS) waiting.again = mark;
      this.settle(waiting);
    }
    const clean = m.pages.isClean(row);
    if (this.rule === 'dirty-after-unpin') {
      const watched = this.unpinned.get(row);
      if (!watched) return;
      if (watched.generation !== m.pages.generation[row] || watched.unpin.task !== mark.task) {
        if (watched.unpin.task !== mark.task) this.unpinned.delete(row);
        return;
      }
      this.unpinned.delete(row);
      const own = m.counts.complete() && m.pages.lastTime[row]! <= watched.unpin.t;
      if (clean) this.candidates.set(row, {row, mark, marks: 1, watched, own, again: undefined});
      return;
    }
    if (!clean || m.pages.writebacks[row] !== undefined) return;
    for (let r = m.pages.references[row]; r; r = r.next) {
      // no device has written it yet: a read that begins marks its pages before they are mapped (bio_set_pages_dirty(), block/bio.c)
      if (r.kind === 'pin' && r.cleaned !== undefined && r.deviceWrote) {
        const untaken = m.counts.complete() && !this.mayHaveTaken(row, mark.task, r.cleaned.t);
        const own = untaken || this.inUnpin(mark);
        if (!own && this.begins(row, mark, r.cleaned)) return;
        this.candidates.set(row, {row, mark, marks: 1, watched: undefined, own, again: undefined});
        return;
      }
    }
  }

  /** Whether a task that marks a page has pinned it since it was cleaned for a device that has not got it yet: its read begins. */
  private begins(row: number, {task}: Deed, cleaned: Deed): boolean {
    for (let r = this.m.pages.references[row]; r; r = r.next)
      if (r.kind === 'pin' && r.task === task && r.t >= cleaned.t && r.device < 0) return true;
    return false;
  }

  /** Whether a page is marked in an unpin call that marks its pages (unpin_user_pages_dirty_lock(), mm/gup.c). */
  private inUnpin({task, cpu, context, t}: Deed): boolean {
    const {calls, evidence} = this.m;
    return calls.unpinning({pid: evidence.tasks.get(task).pid, cpu, context, t})?.marks === true;
  }

  /** Whether a task may have taken a page since a time at which it was cleaned. */
  private mayHaveTaken(row: number, task: number, since: number): boolean {
    const taken = this.touched.get(row);
    if (taken === undefined) return this.forgotten >= since;
    return taken.t >= since && (taken.task === task || taken.task === SEVERAL);
  }

  /** Somebody takes a page that was cleaned under a pin. */
  counted(row: number, deed: () => Deed, delta: number): void {
    if (delta <= 0 || this.rule !== 'dirty-after-writeback') return;
    let r = this.m.pages.references[row];
    while (r !== undefined && r.cleaned === undefined) r = r.next;
    if (r?.cleaned === undefined) return;
    const {task, t, context} = deed();
    if (context > Context.task) return;
    const before = this.touched.get(row);
    // who took it before it was cleaned last does not matter, and makes no several
    if (before !== undefined && before.t >= r.cleaned.t) {
      if (before.task !== task) before.task = SEVERAL;
      before.t = t;
      return;
    }
    if (this.touched.size >= TOUCHED_MAX) {
      this.touched.clear();
      this.forgotten = t;
    }
    this.touched.set(row, {task, t});
  }

  dropped(drop: Parameters<NonNullable<Listener['dropped']>>[0]): void {
    if (drop.kind !== 'pin') return;
    const {m} = this;
    const {row} = drop;
    if (this.rule === 'dirty-after-writeback') {
      const candidate = this.candidates.get(row);
      if (!candidate) return;
      this.candidates.delete(row);
      // The unpinning task marked it on its way to the unpin: unpin_user_pages_dirty_lock(), bio_dirty_fn(), or by hand. What an
      // interrupt of it drops is another I/O's than the one that it was about to begin.
      const {task, context} = candidate.mark;
      if (task !== drop.deed.task || (context <= Context.task && drop.deed.context > Context.task)) return;
      const pin = drop.from.find((f) => f.reference.cleaned !== undefined)?.reference;
      if (!pin?.cleaned || !pin.deviceWrote || candidate.mark.t < pin.cleaned.t) return;
      this.tell({
        ...candidate,
        watched: {
          pin,
          unpin: drop.deed,
          device: pin.device,
          generation: m.pages.generation[row]!,
          page: momentOf(m, row),
          n: drop.n,
        },
      });
      return;
    }
    const waiting = this.candidates.get(row);
    if (waiting) this.settle(waiting);
    if (drop.marksToo) this.unpinned.delete(row);
    const before = this.partly.get(row) ?? 0;
    this.partly.delete(row);
    if (drop.marksToo || m.pages.is(row, 'swapBacked')) return;
    if (m.pages.pins[row]! > 0) {
      if (this.partly.size < WATCHED_MAX) this.partly.set(row, before + drop.n);
      else m.capture.limits.hit('kept-by-rules');
      return;
    }
    const pin = drop.from[0]?.reference;
    if (!pin) return;
    const writes = pin.deviceWrote || (pin.gupFlags >= 0 && m.capture.era.isWrite(pin.gupFlags));
    const clean = m.pages.isClean(row);
    // Clean because it was cleaned under this pin: what the device wrote is in it, and nobody has said so yet.
    if (!writes || !clean || pin.cleaned === undefined) return;
    if (this.unpinned.size >= WATCHED_MAX) m.capture.limits.hit('kept-by-rules');
    else {
      this.unpinned.set(row, {
        pin,
        unpin: drop.deed,
        device: pin.device,
        generation: m.pages.generation[row]!,
        page: momentOf(m, row),
        n: before + drop.n,
      });
    }
  }

  taken(row: number, reference: Reference): void {
    if (reference.kind !== 'pin') return;
    this.unpinned.delete(row);
    this.partly.delete(row);
  }

  freed(row: number): void {
    this.unpinned.delete(row);
    this.partly.delete(row);
    const waiting = this.candidates.get(row);
    if (waiting) this.settle(waiting);
  }

  ended(): void {
    for (const waiting of [...this.candidates.values()]) this.settle(waiting);
  }

  private settle(candidate: Candidate): void {
    this.candidates.delete(candidate.row);
    const {marks, watched} = candidate;
    // One fault marks twice; a driver marks each page of a large folio once, however many those are.
    if (watched && (marks === 1 || (marks > 2 && marks >= watched.n))) this.tell(candidate);
  }

  /** Who unpins marks the page then and there; a write() of the program does not take it unseen, or leaves no event. */
  private noWrite({file}: Moment, own: boolean): Premise {
    const {m} = this;
    if (own) return told(NO_WRITE, true, '');
    // a marking whose probe was missed proves nothing of the file system
    const unmarked =
      m.capture.probesMissedByKernel === 0 ? file && m.writeback.writesUnmarked.get(file.dev) : undefined;
    const since = this.rule === 'dirty-after-unpin' ? 'its unpin' : 'it was cleaned';
    const why = m.counts.complete()
      ? `the page was taken or put since ${since}`
      : 'no page_ref events show that nobody took the page before it was marked';
    return told(NO_WRITE, unmarked !== undefined, `${why}: ${BY_WRITE}`, ...(unmarked ? [unmarked] : []));
  }

  private tell({mark, marks, watched, own: shown, again}: Candidate): void {
    if (!watched) return;
    const {pin, unpin, device, page} = watched;
    const {cleaned} = pin;
    if (cleaned === undefined) return;
    const {m} = this;
    const stack = m.evidence.stacks.get(mark.stack);
    const through = (functions: readonly string[]): boolean =>
      stack.some((frame) => functions.some((f) => frame.startsWith(f)));
    if (through(ORDINARY)) return;
    const late = this.rule === 'dirty-after-unpin';
    const own = shown || through(FOR_A_DEVICE);
    const says = (): Said => ({
      rule: this.rule,
      severity: late ? 'warning' : 'error',
      pfn: page.pfn,
      order: page.order,
      premises: [
        held([pin], page),
        ofFile(page, pin, cleaned),
        ...(late ? [] : [stillHeld(pin, page, mark)]),
        ...(late || !own ? [noFault(page, mark, marks, again, own)] : []),
        this.noWrite(page, own),
        late ? before(UNPINNED_FIRST, unpin, mark) : before(CLEANED_FIRST, cleaned, mark),
        never('written back', page, late ? unpin.t : cleaned.t, mark.t),
      ],
      start: mark.t,
      end: late ? mark.t : unpin.t,
      deed: `${unpin.task}.${pin.task}.${device}`,
      args: {distance: late ? mark.t - unpin.t : mark.t - cleaned.t, facts: {}},
      tasks: [...(pin.task >= 0 ? [{role: 'pin', task: pin.task}] : []), {role: 'dirty', task: mark.task}],
      stacks: [
        {role: 'pin', stack: pin.stack},
        {role: 'dirty', stack: mark.stack},
      ],
      device,
      evidence: [
        ...(pin.line > 0 ? [{role: 'pin', deed: pin}] : []),
        {role: 'writeback-start', deed: cleaned},
        {role: 'dirty', deed: mark},
        {role: 'unpin', deed: unpin},
      ].sort((a, b) => a.deed.t - b.deed.t),
      countsBefore: null,
      countsAfter: null,
    });
    this.context.claim({page, at: mark.t, says});
  }
}
