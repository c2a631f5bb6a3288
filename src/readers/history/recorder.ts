/**
 * Records the lives of followed pages. It stands before the ledger: it hands every event on, and writes down those that
 * are about a followed page together with what the ledger made of them. Other pages cost one look-up an event, and a
 * run that follows nothing has no recorder at all.
 */
import {Context, EventKind as K, type EventSink, type Loss, type TraceEvent} from '../../events/event.js';
import type {Ledger} from '../../ledger/ledger.js';
import {PageState, UNKNOWN_COUNT} from '../../ledger/tables/page-table.js';
import {Stacks} from '../../ledger/tables/stacks.js';
import {textOf} from '../../ledger/tables/tasks.js';
import type {Followed} from './followed.js';
import {type Happening, Life} from './life.js';
import {pagesNamed} from './mention.js';
import {ToldLives} from './told.js';

/** Of the text of a mark. */
const MARK_BYTES = 600;
/** Marks of one page before anything else of it. */
const MARKS_ALONE_MAX = 1000;

function hex(pfn: number): string {
  return `0x${pfn.toString(16)}`;
}

export class Recorder extends ToldLives implements EventSink {
  readonly stacks: Stacks;
  /** happenings of the last event of each CPU: its stack may follow */
  private readonly waiting: (Happening[] | undefined)[] = [];
  /** folios_put_refs() call that runs on a CPU */
  private readonly batches: ({pid: number; line: number; left: number} | undefined)[] = [];

  constructor(m: Ledger, followed: Followed) {
    super(m, followed);
    this.stacks = new Stacks(m.capture.limits);
  }

  // --- events, handed on

  event(ev: TraceEvent): void {
    this.ev = ev;
    this.fresh = [];
    this.at = undefined;
    this.opening = [];
    const {kind} = ev;
    this.mentions[ev.cpu + 1] = kind === K.Mention;
    if (kind === K.Marker || kind === K.Mention) {
      this.mark(ev);
      // of the ledger's events it is none
      if (kind === K.Marker) this.m.event(ev);
      this.ev = undefined;
      this.waiting[ev.cpu + 1] = this.fresh.length > 0 ? this.fresh : undefined;
      return;
    }
    if (kind >= K.RefSet && kind <= K.RefUnfreeze) this.count(ev);
    else if (kind === K.PageAlloc || kind === K.PageFree || kind === K.PageFreeBatched) this.lifetime(ev);
    else if (kind === K.CacheAdd || kind === K.CacheDelete) this.cache(ev);
    else if (kind === K.MarkDirty || kind === K.ClearDirtyForIo) this.dirtiness(ev);
    else {
      if (kind === K.FoliosPut) this.batches[ev.cpu + 1] = {pid: ev.pid, line: ev.line, left: ev.nr};
      this.m.event(ev);
    }
    this.endBatch(ev);
    this.waiting[ev.cpu + 1] = this.fresh.length > 0 ? this.fresh : undefined;
    this.ev = undefined;
  }

  /** A folios_put_refs() call is over once its task does anything but put and free, or has put as many as it was given. */
  private endBatch(ev: TraceEvent): void {
    const batch = this.batches[ev.cpu + 1];
    if (!batch || batch.pid !== ev.pid || ev.context > Context.task) return;
    const {kind} = ev;
    if (kind === K.FoliosPut || kind === K.PageFree || kind === K.PageFreeBatched || kind === K.FolioPutLast) return;
    if (kind !== K.RefModAndTest || --batch.left <= 0) this.batches[ev.cpu + 1] = undefined;
  }

  // --- marks

  /** by CPU: its last event was a mention, which the ledger does not hear of */
  private readonly mentions: (boolean | undefined)[] = [];
  /** marks of pages of which nothing else was seen yet, by PFN */
  private readonly marksAlone = new Map<number, Happening[]>();

  /** A mark of the user that names followed pages stands in their lives; it says nothing of references. */
  private mark(ev: TraceEvent): void {
    const {m, followed} = this;
    const text = textOf(ev.buf, ev.textStart, ev.textEnd, MARK_BYTES);
    const name = textOf(ev.buf, ev.nameStart, ev.nameEnd, MARK_BYTES);
    const seen = new Set<number>();
    for (const {pfns, pointer} of pagesNamed(text)) {
      const frames = pointer ? [m.capture.identity.pfn(...pointer)] : pfns;
      for (const pfn of frames) {
        if (pfn < 0 || seen.has(pfn) || !followed.touches(pfn, 1)) continue;
        seen.add(pfn);
        const h = this.happening(ev, 'mark');
        h.notes.push(name === '' || ev.kind === K.Marker ? text : `${name}: ${text}`);
        if (frames.length > 1)
          h.notes.push(`its number may be decimal or hexadecimal: ${frames.map(hex).join(' or ')}`);
        this.place(pfn, h);
      }
    }
  }

  private place(pfn: number, h: Happening): void {
    const row = this.m.pages.findFolio(pfn);
    const life = this.lives.get(pfn) ?? (row < 0 ? undefined : this.lives.get(this.m.pages.pfn[row]!));
    // between two pages of a place it stands with the one before
    const generation = life?.current ?? life?.generations.at(-1);
    if (generation) {
      if (!this.full) generation.happenings.push(h);
      this.fresh.push(h);
      return;
    }
    const at = row < 0 ? pfn : this.m.pages.pfn[row]!;
    const marks = this.marksAlone.get(at) ?? [];
    if (marks.length < MARKS_ALONE_MAX) this.marksAlone.set(at, [...marks, h]);
  }

  /** A life begins with the marks that came before it. */
  protected override add(life: Life, h: Happening): NonNullable<Life['current']> {
    const first = life.generations.length === 0;
    const generation = super.add(life, h);
    const marks = first ? this.marksAlone.get(life.pfn) : undefined;
    if (marks && generation.happenings.length > 0) {
      generation.happenings.unshift(...marks);
      this.marksAlone.delete(life.pfn);
    }
    return generation;
  }

  /** The trace is read: pages of which there are marks only have a life too. */
  end(): void {
    for (const [pfn, marks] of this.marksAlone) {
      const life = this.lives.get(pfn) ?? new Life(pfn, -1, 0);
      life.begin('before-trace', true).happenings.push(...marks);
      this.lives.set(pfn, life);
    }
    this.marksAlone.clear();
  }

  private count(ev: TraceEvent): void {
    const {m} = this;
    const {pages} = m;
    const known = pages.find(ev.pfn);
    const size = known >= 0 && pages.state[known]! & PageState.large ? 2 ** pages.order[known]! : 1;
    if (!this.followed.touches(ev.pfn, size)) {
      m.event(ev);
      return;
    }
    const h = this.happening(ev, 'change');
    this.describe(h, ev);
    this.at = h;
    // What the ledger tells meanwhile (a derived pin, a writeback seen by its flag) is noted before the change itself.
    m.event(ev);
    const row = pages.find(ev.pfn);
    if (row < 0) return; // the ledger does not believe it, or follows no more pages
    const life = this.life(row);
    h.pins = pages.pins[row]!;
    h.large = (pages.state[row]! & PageState.large) !== 0;
    if (pages.state[row]! & PageState.mismatch && pages.expect[row] !== UNKNOWN_COUNT) {
      h.notes.push(`by the changes so far the count would be ${pages.expect[row]}: another CPU's change may be in it`);
    }
    const {generation} = pages;
    if (generation[row] !== life.seen) {
      life.seen = generation[row]!;
      if (pages.state[row]! & PageState.free) {
        this.add(life, h);
        life.close('free', ev.t);
        return;
      }
      life.close('reused', ev.t);
      life.begin('alloc', !this.full);
    }
    this.add(life, h);
  }

  /** What a page_ref event did, from its name and numbers. */
  private describe(h: Happening, ev: TraceEvent): void {
    h.raw = ev.hasCount !== 0 ? ev.count : NaN;
    h.flags = ev.pageFlags;
    if (ev.hasMapcount !== 0) {
      const raw = this.m.capture.era.rawMapcount || ev.mapcount === -1;
      h.mappings = Math.max(0, raw ? ev.mapcount + 1 : ev.mapcount);
    }
    switch (ev.kind) {
      case K.RefSet:
        h.what = 'set';
        h.notes.push(`to ${ev.val}`);
        return;
      case K.RefUnfreeze:
        h.what = 'unfreeze';
        h.notes.push(`to ${ev.val}`);
        return;
      case K.RefFreeze:
        h.what = 'freeze';
        h.notes.push(ev.ret === 0 ? `failed: it holds not just the ${ev.val} expected` : `from ${ev.val} to 0`);
        return;
      case K.RefModUnless:
        if (ev.hasRet !== 0 && ev.ret === 0) {
          h.what = 'refused';
          h.notes.push(`${ev.val > 0 ? '+' : ''}${ev.val} not done: the count was 0`);
          return;
        }
    }
    h.delta = ev.val;
    h.what = ev.val > 0 ? 'taken' : ev.val < 0 ? 'dropped' : 'change';
    if (ev.val === 0) h.notes.push('adds nothing');
    if (ev.val < 0 && ev.hasRet !== 0 && ev.ret === 1 && ev.kind === K.RefModAndTest)
      h.notes.push('the last reference');
    const batch = this.batches[ev.cpu + 1];
    if (batch && ev.kind === K.RefModAndTest && batch.pid === ev.pid && ev.context <= Context.task) {
      h.batch = batch.line;
      h.notes.push(`in the folios_put_refs() of line ${batch.line}`);
    }
  }

  private lifetime(ev: TraceEvent): void {
    const {m} = this;
    const {pages} = m;
    const pfn = m.capture.pfnOf(ev);
    const size = 2 ** Math.max(0, ev.order);
    if (pfn < 0 || !this.followed.touches(pfn, size)) {
      m.event(ev);
      return;
    }
    const alloc = ev.kind === K.PageAlloc;
    const h = this.happening(ev, alloc ? 'alloc' : 'free');
    if (ev.order > 0) h.notes.push(`order ${ev.order}: ${size} pages`);
    this.at = h;
    const known = pages.find(pfn);
    if (known >= 0) this.life(known); // with the generation that this event may end
    m.event(ev);
    if (known < 0 && !alloc && this.freeAlone(ev, pfn, h)) return;
    // Every life in the block: of its head, and of tails that were pages of their own before.
    for (const life of this.livesIn(pfn, size)) {
      const {row} = life;
      const head = pages.pfn[row] === pfn;
      if (pages.generation[row] === life.seen) {
        // the other half of an allocation that page_ref_set began; a second line for the same free is none
        if (alloc && head) this.add(life, h);
        continue;
      }
      life.seen = pages.generation[row]!;
      if (!alloc) {
        this.add(life, head ? h : {...h, notes: [...h.notes, `freed with the block at 0x${pfn.toString(16)}`]});
        life.close('free', ev.t);
        continue;
      }
      const begun = life.current?.happenings;
      if (head && begun?.length === 1 && begun[0]!.what === 'set') {
        this.add(life, h); // page_ref_set began it; tails that were set too came between
        continue;
      }
      life.close('reused', ev.t);
      if (head) {
        life.begin('alloc', !this.full);
        this.add(life, h);
      }
    }
  }

  /** A free is an event of its page too where it is the first one; the page is known from here on. */
  private freeAlone(ev: TraceEvent, pfn: number, h: Happening): boolean {
    const {pages} = this.m;
    const row = pages.row(pfn, ev.t);
    if (row < 0) return false;
    const life = this.life(row);
    const generation = this.add(life, h);
    generation.order = Math.max(0, ev.order);
    generation.orderKnown = true;
    life.close('free', ev.t);
    pages.state[row] = PageState.lifeSeen | PageState.free;
    return true;
  }

  private *livesIn(pfn: number, size: number): Iterable<Life> {
    const row = this.m.pages.find(pfn);
    if (row >= 0) yield this.life(row);
    if (size > this.lives.size) {
      for (const life of this.lives.values()) if (life.pfn > pfn && life.pfn < pfn + size) yield life;
      return;
    }
    for (let i = 1; i < size; i++) {
      const life = this.lives.get(pfn + i);
      if (life) yield life;
    }
  }

  private cache(ev: TraceEvent): void {
    const {m} = this;
    if (ev.pfn < 0 || !this.followed.touches(ev.pfn, 2 ** Math.max(0, ev.order))) {
      m.event(ev);
      return;
    }
    m.event(ev);
    const row = m.pages.find(ev.pfn);
    if (row < 0) return;
    const file = m.files.of(row);
    const h = this.happening(ev, ev.kind === K.CacheAdd ? 'cache-add' : 'cache-delete');
    const life = this.life(row);
    const generation = this.add(life, h);
    if (file) generation.file = file;
    const known = generation.file;
    if (known) {
      const dev = `${Math.floor(known.dev / 2 ** 20)}:${known.dev % 2 ** 20}`;
      h.notes.push(`device ${dev}, inode ${known.ino}, page index ${known.index}`);
    }
  }

  private dirtiness(ev: TraceEvent): void {
    const {m} = this;
    m.event(ev);
    const row = m.pages.findFolio(m.capture.pfnOf(ev));
    if (row < 0 || !this.follows(row)) return;
    this.add(this.life(row), this.happening(ev, ev.kind === K.MarkDirty ? 'dirty' : 'clean'));
  }

  stackBegin(cpu: number, pid: number): boolean {
    this.stackCpu = cpu;
    this.forModel = this.mentions[cpu + 1] !== true && this.m.stackBegin(cpu, pid);
    this.forMe = this.waiting[cpu + 1] !== undefined;
    if (this.forMe) this.stacks.begin();
    return this.forModel || this.forMe;
  }

  private stackCpu = -1;
  private forModel = false;
  private forMe = false;

  stackFrame(buf: Uint8Array, start: number, end: number): void {
    if (this.forModel) this.m.stackFrame(buf, start, end);
    if (this.forMe) this.stacks.frame(buf, start, end);
  }

  stackEnd(): void {
    if (this.forModel) this.m.stackEnd();
    if (!this.forMe) return;
    const stack = this.stacks.end();
    for (const h of this.waiting[this.stackCpu + 1] ?? []) h.stack = stack;
    this.waiting[this.stackCpu + 1] = undefined;
  }

  loss(loss: Loss): void {
    this.m.loss(loss);
  }

  fact(input: number, name: string, value: string): void {
    this.m.fact(input, name, value);
  }
}
