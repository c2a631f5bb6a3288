/**
 * Records the lives of followed pages. It stands before the model: it hands every event on, and writes down those that
 * are about a followed page together with what the model made of them. Other pages cost one look-up an event, and a
 * run that follows nothing has no recorder at all.
 */
import type {DmaWindow} from '../model/dma.js';
import {Context, DmaDir, EventKind as K, type EventSink, type Loss, type TraceEvent} from '../model/event.js';
import type {Drop, Listener} from '../model/listener.js';
import type {Model} from '../model/model.js';
import {PageState, UNKNOWN_COUNT} from '../model/page-table.js';
import type {Reference} from '../model/references.js';
import {Stacks} from '../model/stacks.js';
import type {Writeback} from '../model/writeback.js';
import type {Followed} from './followed.js';
import {type Happening, Life, type LifeWindow} from './life.js';

/** Most happenings kept, over all lives: some 500 MB with what is printed of them. */
const HAPPENINGS_MAX = 200_000;

const DIRECTIONS: Record<number, string> = {
  [DmaDir.bidirectional]: 'BIDIRECTIONAL',
  [DmaDir.toDevice]: 'TO_DEVICE',
  [DmaDir.fromDevice]: 'FROM_DEVICE',
};

export class Recorder implements EventSink, Listener {
  /** by PFN; a folio's life is at its head */
  readonly lives = new Map<number, Life>();
  readonly stacks: Stacks;
  /** happenings that were not kept, because there were too many */
  notKept = 0;
  private kept = 0;
  private ev: TraceEvent | undefined;
  /** the happening that the event at hand is, if it is a change of the count, an alloc or the like */
  private at: Happening | undefined;
  /** happenings of the last event of each CPU: its stack may follow */
  private readonly waiting: (Happening[] | undefined)[] = [];
  private fresh: Happening[] = [];
  /** windows that the happening at hand opens, until it has its place in a life */
  private opening: LifeWindow[] = [];
  /** folios_put_refs() call that runs on a CPU */
  private readonly batches: ({pid: number; line: number; left: number} | undefined)[] = [];

  constructor(
    private readonly m: Model,
    private readonly followed: Followed,
  ) {
    this.stacks = new Stacks(m.limits);
  }

  // --- events, handed on

  event(ev: TraceEvent): void {
    this.ev = ev;
    this.fresh = [];
    this.at = undefined;
    this.opening = [];
    const {kind} = ev;
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
    // What the model tells meanwhile (a derived pin, a writeback seen by its flag) is noted before the change itself.
    m.event(ev);
    const row = pages.find(ev.pfn);
    if (row < 0) return; // the model does not believe it, or follows no more pages
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
      const raw = this.m.era.rawMapcount || ev.mapcount === -1;
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
    const pfn = m.pfnOf(ev);
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
    const row = m.pages.findFolio(m.pfnOf(ev));
    if (row < 0 || !this.follows(row)) return;
    this.add(this.life(row), this.happening(ev, ev.kind === K.MarkDirty ? 'dirty' : 'clean'));
  }

  stackBegin(cpu: number, pid: number): boolean {
    this.stackCpu = cpu;
    this.forModel = this.m.stackBegin(cpu, pid);
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

  // --- what the model tells

  taken(row: number, reference: Reference): void {
    if (!this.follows(row)) return;
    const life = this.life(row);
    const {kind, knownBy} = reference;
    if (!Number.isFinite(reference.t)) {
      const h = this.happening(this.ev!, 'taken');
      h.kind = kind;
      h.knownBy = knownBy;
      h.notes.push(
        life.current
          ? `${reference.n} that no event showed: the count holds it, so events are missing`
          : `${reference.n} from before the trace: the first count printed holds it`,
      );
      this.openWindow(life, this.add(life, h), kind, reference, h);
      return;
    }
    const h = this.happeningOf(life, reference.input, reference.line) ?? this.deedWithoutCount(life, 'taken');
    if (!h) return;
    h.kind = kind;
    h.knownBy = knownBy;
    h.pins = this.m.pages.pins[row]!;
    const hint = this.ev && this.m.calls.hints[this.m.calls.slot(this.ev.cpu, this.ev.context)];
    if (
      hint &&
      hint.pid === this.ev!.pid &&
      hint.line !== reference.line &&
      hint.from === 'grab' &&
      knownBy === 'probe'
    )
      h.notes.push(`probe at line ${hint.line}`);
    if (reference.n > 1 && Number.isNaN(h.delta)) h.notes.push(`${reference.n} at once`);
    const flags = this.flagNames(reference.gupFlags);
    if (flags !== '') h.notes.push(flags);
    if (reference.sub >= 0 && reference.sub !== this.m.pages.pfn[row]) {
      const more = reference.n > 1 ? ` and ${reference.n - 1} more` : '';
      h.notes.push(`of page 0x${reference.sub.toString(16)}${more} of the folio`);
    }
    this.openWindow(life, life.current, kind, reference, h);
  }

  dropped(drop: Drop): void {
    const {row, deed, kind} = drop;
    if (!this.follows(row)) return;
    const life = this.life(row);
    const h = this.happeningOf(life, deed.input, deed.line) ?? this.deedWithoutCount(life, 'dropped');
    if (!h) return;
    h.kind = kind;
    h.knownBy = this.howDropped(drop, h);
    h.pins = this.m.pages.pins[row]!;
    if (drop.n > 1 && Number.isNaN(h.delta)) h.notes.push(`${drop.n} at once`);
    if (drop.probe) h.notes.push(`probe at line ${drop.probe.line}`);
    if (drop.unmatched > 0) {
      const all = drop.unmatched === drop.n ? '' : `${drop.unmatched} of `;
      h.notes.push(`${all}${drop.n > 1 ? `the ${drop.n} drops` : 'a drop'} that no ${kind} in view explains`);
    }
    for (const {reference, n} of drop.from) {
      const window = life.windowOf(reference);
      if (n < drop.n) h.notes.push(`${n} of line ${reference.line}`);
      if (!window) continue;
      if (Number.isFinite(reference.t)) {
        h.pair ??= {with: window.from, how: drop.paired};
        window.from.pair ??= {with: h, how: drop.paired};
      }
      if (reference.n === 0) life.closeWindow(window, h);
    }
  }

  withdrawn(reference: Reference): void {
    const life = this.lives.get(this.m.pages.pfn[reference.row]!);
    const opened = life?.opened(reference);
    if (!opened || reference.n > 0) return;
    const {window, generation} = opened;
    window.from.notes.push('gone without a drop: the grab was undone, it was of another kind, or events are missing');
    const {windows} = generation;
    // The grab that failed is nearly always the last thing that was opened.
    const at = windows.lastIndexOf(window);
    if (at >= 0) windows.splice(at, 1);
  }

  dmaOpened(window: DmaWindow): void {
    const {m} = this;
    for (const {life, pfn} of this.livesOf(window)) {
      const h = this.happening(this.ev!, 'dma-map');
      const device = window.device >= 0 ? m.dma.devices[window.device]!.name : 'IOMMU';
      const direction = DIRECTIONS[window.dir];
      const where = pfn === life.pfn ? '' : `page 0x${pfn.toString(16)} of the folio`;
      const bytes = window.size > 0 ? `${window.size} bytes` : '';
      h.notes.push([device, direction, bytes, where].filter((part) => part !== undefined && part !== '').join(', '));
      const owner = this.ownerWords(window, pfn);
      if (owner !== '') h.notes.push(owner);
      const label = [device, direction].filter((part) => part !== undefined).join(' ');
      this.openWindow(life, this.add(life, h), 'dma', window, h, label);
    }
  }

  dmaClosed(window: DmaWindow): void {
    for (const {life} of this.livesOf(window)) {
      const opened = life.opened(window);
      const open = opened?.window;
      const h = this.happening(this.ev!, 'dma-unmap');
      if (open) {
        life.closeWindow(open, h);
        h.pair = {with: open.from, how: 'same address and direction'};
        open.from.pair = {with: h, how: 'same address and direction'};
      }
      // After the page is gone its mapping's end still belongs to it.
      if (!life.current && opened) opened.generation.happenings.push(h);
      else this.add(life, h);
    }
  }

  writebackStarted(row: number, writeback: Writeback): void {
    if (!this.follows(row)) return;
    const life = this.life(row);
    const h = this.happening(this.ev!, 'writeback-start');
    if (!writeback.exact) h.notes.push('at or before this: the first event that prints the flag');
    this.openWindow(life, this.add(life, h), 'writeback', writeback, h);
  }

  writebackEnded(row: number, writeback: Writeback): void {
    if (!this.follows(row) || !writeback.end) return;
    const life = this.life(row);
    const h = this.happening(this.ev!, 'writeback-end');
    if (!writeback.exact) h.notes.push('at or before this: the first event without the flag');
    const open = life.windowOf(writeback);
    if (open) {
      life.closeWindow(open, h);
      h.pair = {with: open.from, how: 'same page'};
      open.from.pair = {with: h, how: 'same page'};
    }
    this.add(life, h);
  }

  // --- small things

  private follows(row: number): boolean {
    const {pages} = this.m;
    const size = pages.state[row]! & PageState.large ? 2 ** pages.order[row]! : 1;
    return this.followed.touches(pages.pfn[row]!, size);
  }

  private life(row: number): Life {
    const {pages} = this.m;
    const pfn = pages.pfn[row]!;
    let life = this.lives.get(pfn);
    if (!life) this.lives.set(pfn, (life = new Life(pfn, row, pages.generation[row]!)));
    return life;
  }

  /** Lives that a mapping covers, each with the first followed page of it in the mapping. */
  private livesOf(window: DmaWindow): {life: Life; pfn: number}[] {
    const {pages} = this.m;
    const found = new Map<Life, number>();
    for (const run of window.runs) {
      for (const pfn of this.followed.within(run.pfn, run.pages)) {
        const row = pages.findFolio(pfn);
        if (row < 0) continue;
        const life = this.life(row);
        if (!found.has(life)) found.set(life, pfn);
      }
    }
    return [...found].map(([life, pfn]) => ({life, pfn}));
  }

  private ownerWords(window: DmaWindow, pfn: number): string {
    const {pages} = this.m;
    const row = pages.find(pfn);
    for (let link = row >= 0 ? pages.dma[row] : undefined; link; link = link.next) {
      if (link.window !== window) continue;
      const words = {
        pin: 'made under a pin',
        get: 'made under a get_user_pages reference',
        writeback: "the writeback's own",
        ambiguous: "made under a pin, or the writeback's own",
        none: 'made under neither pin nor get',
      };
      return words[link.owner];
    }
    return '';
  }

  private happening(ev: TraceEvent, what: string): Happening {
    return {
      what,
      t: ev.t,
      cpu: ev.cpu,
      task: this.m.tasks.of(ev),
      context: ev.context,
      input: ev.input,
      line: ev.line,
      delta: NaN,
      raw: NaN,
      pins: 0,
      large: false,
      flags: -1,
      mappings: NaN,
      batch: 0,
      stack: -1,
      kind: null,
      knownBy: null,
      notes: [],
      pair: null,
    };
  }

  private get full(): boolean {
    return this.kept >= HAPPENINGS_MAX;
  }

  /** Adds to the generation that lives now; begins one where there is none. */
  private add(life: Life, h: Happening): NonNullable<Life['current']> {
    const {pages} = this.m;
    const state = pages.state[life.row]!;
    if (!life.current) {
      life.seen = pages.generation[life.row]!;
      const first = life.generations.length === 0;
      const allocated = h.what === 'alloc' || (h.what === 'set' && (state & PageState.lifeSeen) !== 0);
      life.begin(allocated ? 'alloc' : first && !(state & PageState.lifeSeen) ? 'before-trace' : 'unknown', !this.full);
    }
    const generation = life.current!;
    if (state & PageState.large) generation.order = Math.max(generation.order, pages.order[life.row]!);
    if (this.full) {
      this.notKept++;
      return generation;
    }
    this.kept++;
    generation.happenings.push(h);
    this.fresh.push(h);
    if (h === this.at) {
      for (const window of this.opening) life.addWindow(generation, window);
      this.opening = [];
    }
    return generation;
  }

  /** The happening of a line: the one at hand, or one whose stack has just come. */
  private happeningOf(life: Life, input: number, line: number): Happening | undefined {
    if (this.at && this.at.line === line && this.at.input === input) return this.at;
    const list = life.current?.happenings ?? [];
    for (let i = list.length - 1; i >= 0 && i > list.length - 50; i--) {
      if (list[i]!.line === line && list[i]!.input === input) return list[i];
    }
    return undefined;
  }

  /** A probe alone: it is the change, as far as the trace shows. */
  private deedWithoutCount(life: Life, what: string): Happening | undefined {
    if (!this.ev) return undefined;
    const h = this.happening(this.ev, what);
    this.add(life, h);
    return h;
  }

  private openWindow(
    life: Life,
    generation: Life['current'],
    kind: 'pin' | 'get' | 'dma' | 'writeback',
    of: DmaWindow | Reference | Writeback,
    from: Happening,
    label?: string,
  ): void {
    if (this.full) return;
    const {comm, pid} = this.m.tasks.get(from.task);
    const window: LifeWindow = {kind, label: label ?? `${kind} by ${comm}/${pid}`, of, from, to: null};
    if (from === this.at) this.opening.push(window);
    else {
      const into = generation ?? life.current;
      if (into) life.addWindow(into, window);
    }
  }

  private howDropped(drop: Drop, h: Happening): string {
    if (drop.probe || !(h.delta < 0)) return 'probe';
    if (drop.kind === 'pin') return h.large ? 'stack' : 'delta';
    return 'count';
  }

  private flagNames(flags: number): string {
    if (flags < 0) return '';
    const {era} = this.m;
    const names = [
      era.isWrite(flags) ? 'FOLL_WRITE' : '',
      era.isLongterm(flags) ? 'FOLL_LONGTERM' : '',
      era.isRemote(flags) ? 'FOLL_REMOTE' : '',
    ];
    return names.filter((name) => name !== '').join('|');
  }
}
