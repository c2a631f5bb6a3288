/**
 * The model: events in, per-page histories of typed references out.
 *
 * It keeps what is true now (page table, live references, open windows) and tells listeners of every change that a
 * verdict could turn on. It judges nothing. The deltas by kernel version are those of kernel mm/gup.c, 4.9 to 7.2
 * (pin: +1024n, or +n and +1023n; unpin: -1024n, or -(1024n-1) and -1; large folios: +n and -n).
 */
import {believable} from '../events/believable.js';
import {Calls} from './trackers/calls.js';
import {Audit} from '../capture/audit.js';
import {Skew} from '../capture/skew.js';
import {Coverage} from '../capture/coverage.js';
import {Era} from '../capture/era.js';
import {
  Context,
  EVENT_KINDS,
  EventKind as K,
  PageName,
  type EventSink,
  type Loss,
  type TraceEvent,
} from '../events/event.js';
import {Files} from './trackers/files.js';
import {Entries} from '../capture/entries.js';
import {Gaps} from '../capture/gaps.js';
import {GupTracker} from './trackers/gup-tracker.js';
import {Holdings} from './trackers/holdings.js';
import {Identity} from '../capture/identity.js';
import {PageSize} from '../capture/page-size.js';
import {Scout} from '../capture/scout.js';
import {Journal} from './tables/journal.js';
import {Lifetime} from './trackers/lifetime.js';
import {Hooks, type Listener} from './listener.js';
import {Limits} from '../base/limits.js';
import {lengthOf, type LineText, offsetOf, placeOf, TEXT_MAX} from '../events/line-text.js';
import {Losses} from '../capture/losses.js';
import {Mappings} from './trackers/mappings.js';
import {PageState, PageTable, UNKNOWN_COUNT} from './tables/page-table.js';
import {RefCounts} from './trackers/ref-counts.js';
import type {Deed, ReferenceKind} from './tables/references.js';
import {Stacks} from './tables/stacks.js';
import {Tasks, textOf} from './tables/tasks.js';
import type {TimeBase} from '../base/time.js';
import {WritebackTracker} from './trackers/writeback-tracker.js';

/** Most pages with a journal at a time: memory must not follow a machine's pinned memory without bound. */
const JOURNALS_MAX = 60_000;
/** So many events of a machine's pages, over so long a time, are hardly ever all of one task. */
const ONE_TASK_EVENTS = 1000;
const ONE_TASK_NS = 500_000_000;
/** Most facts of headers that are kept. */
const FACTS_MAX = 1000;

export class Model implements EventSink {
  readonly pages = new PageTable();
  readonly identity = new Identity();
  readonly pageSize = new PageSize();
  private readonly scout = new Scout(this.identity, this.pageSize);
  readonly era = new Era();
  readonly gaps = new Gaps();
  readonly losses = new Losses(this.gaps);
  readonly entries = new Entries(this.gaps);
  readonly audit = new Audit();
  readonly skew = new Skew();
  readonly coverage = new Coverage();
  readonly limits = new Limits();
  readonly tasks = new Tasks(this.limits);
  readonly stacks = new Stacks(this.limits);
  readonly files = new Files();
  readonly calls = new Calls();
  readonly facts = new Map<string, string>();
  /** events by kind so far: what the trace records at all */
  readonly seen = new Float64Array(EVENT_KINDS);
  /** inputs that are recordings: their events are records, with numbers but no lines */
  readonly recordings = new Set<number>();
  /** events that a recording says were recorded, whether they happened or not, as `system:name` */
  readonly recordedEvents = new Set<string>();
  /** kinds known to be in the trace from a look at its head, before their first event comes */
  readonly announced = new Uint8Array(EVENT_KINDS);
  /** what rules and collectors listen to */
  readonly on = new Hooks();
  /** hits that kprobe_profile counts as missed, of all probes, as the recorder's header says */
  probesMissedByKernel = 0;
  /** events with numbers that no kernel prints */
  unbelievable = 0;
  /** rows whose every change listeners want to hear of (`counted`), although they hold nothing */
  readonly watched = new Set<number>();
  /** CMA is known to be configured: cma_* events or migratetype 5 were seen */
  cmaKnown = false;

  readonly held: Holdings;
  readonly gup: GupTracker;
  readonly counts: RefCounts;
  readonly dma: Mappings;
  readonly writeback: WritebackTracker;
  readonly lifetime: Lifetime;

  /** time of the event at hand, the first and the last */
  now = 0;
  first = NaN;
  last = -Infinity;
  events = 0;
  private journals = 0;
  /** journals not begun because there were too many */
  journalsRefused = 0;
  private stackTarget: {stack: number} | undefined;
  private readonly stackTargets: ({stack: number} | undefined)[] = [];

  constructor(readonly time: TimeBase) {
    this.identity.onLate = () =>
      this.gaps.add(-Infinity, this.now, 'which pages the pointers before this time name was not known then');
    this.pageSize.onLate = () =>
      this.gaps.add(
        -Infinity,
        this.now,
        'the page size was not known before this time: addresses were read with another',
      );
    this.held = new Holdings(this);
    this.gup = new GupTracker(this);
    this.counts = new RefCounts(this);
    this.dma = new Mappings(this);
    this.writeback = new WritebackTracker(this);
    this.lifetime = new Lifetime(this);
  }

  /** Whether events of a kind are in this trace, as far as known now. */
  records(kind: number): boolean {
    return this.seen[kind]! > 0 || this.announced[kind] === 1;
  }

  /** Takes over what a trial run over the head of the same trace found out. */
  learnFrom(trial: Model): void {
    if (this.era.foll === undefined && trial.era.foll !== undefined) {
      this.era.foll = trial.era.foll;
      this.era.told = trial.era.told;
    }
    this.era.rawMapcount ||= trial.era.rawMapcount;
    this.counts.smallSeen ||= trial.counts.smallSeen;
    this.coverage.learnFrom(trial.coverage);
    this.gup.learnFrom(trial.gup);
    this.identity.learnFrom(trial.identity);
    this.pageSize.learnFrom(trial.pageSize);
  }

  /** the task that all events so far are of; -1 where they are of several, or of tasks that are not named */
  private onlyPid: number | undefined;

  /**
   * The pid of the one task that the trace holds events of, as a trace filtered by pid does; undefined for others. An
   * excerpt too short to tell is not called so.
   */
  get oneTask(): number | undefined {
    if (this.onlyPid === undefined || this.onlyPid <= 0 || this.events < ONE_TASK_EVENTS) return undefined;
    return this.time.unit === 'ns' && this.last - this.first >= ONE_TASK_NS ? this.onlyPid : undefined;
  }

  event(ev: TraceEvent): void {
    const {t, kind} = ev;
    this.events++;
    if (ev.pid !== this.onlyPid) this.onlyPid = this.events === 1 ? ev.pid : -1;
    this.now = t;
    if (t > this.last) this.last = t;
    if (!(t >= this.first)) this.first = t;
    this.losses.seen(ev.cpu, t);
    if (this.boundary !== undefined) this.nextSnapshot(t);
    if (kind === K.Other) return;
    if (!believable(ev)) {
      this.unbelievable++;
      return;
    }
    this.seen[kind]!++;
    if (!this.scout.done) this.scout.event(ev);
    if (this.calls.pending.length > 0) this.gup.settleCalls(ev);
    this.stackTargets[ev.cpu + 1] = undefined;
    if (kind <= K.RefUnfreeze) this.counts.event(ev);
    else this.rare(ev);
    if (this.stackTarget !== undefined) {
      this.stackTargets[ev.cpu + 1] = this.stackTarget;
      this.stackTarget = undefined;
    }
  }

  /** by CPU: the folios_put_refs() call (LRU drain, munmap, exit) that runs there, and how many puts of it may follow */
  private readonly batches: ({pid: number; left: number} | undefined)[] = [];

  /** Whether a put by this event can be one of a batch rather than somebody's put_page(). Each put uses up one. */
  inBatch(ev: TraceEvent): boolean {
    const batch = this.batches[ev.cpu + 1];
    if (batch === undefined || batch.pid !== ev.pid || ev.context > Context.task) return false;
    if (ev.kind === K.RefModAndTest && batch.left-- > 0) return true;
    this.batches[ev.cpu + 1] = undefined;
    return false;
  }

  /** What a task does next, but for freeing the pages of its batch, ends the batch. */
  private endBatch(ev: TraceEvent): void {
    if (ev.kind === K.PageFree || ev.kind === K.PageFreeBatched || ev.kind === K.FolioPutLast) return;
    if (ev.context <= Context.task && this.batches[ev.cpu + 1]?.pid === ev.pid) this.batches[ev.cpu + 1] = undefined;
  }

  private rare(ev: TraceEvent): void {
    if (ev.vmemmapHi !== 0) this.identity.told(ev.vmemmapHi, ev.vmemmapLo, 'argument');
    this.endBatch(ev);
    switch (ev.kind) {
      case K.Grab:
        this.coverage.saw(ev.fn);
        this.gup.grab(ev);
        break;
      case K.GrabReturn:
        this.gup.grabReturn(ev);
        break;
      case K.GupPut:
        this.gup.put(ev);
        break;
      case K.AddPin:
        this.gup.addPin(ev);
        break;
      case K.UnpinCall:
        this.gup.unpinCall(ev);
        break;
      case K.FoliosPut:
        this.batches[ev.cpu + 1] = {pid: ev.pid, left: ev.nr};
        break;
      case K.PinCall:
      case K.PinReturn:
        this.gup.pinCall(ev);
        break;
      case K.WritebackStart:
      case K.WritebackEnd:
      case K.ClearDirtyForIo:
      case K.MarkDirty:
        this.writeback.event(ev);
        break;
      case K.PageAlloc:
      case K.PageFree:
      case K.PageFreeBatched:
      case K.FolioPutLast:
        this.lifetime.event(ev);
        break;
      case K.CacheAdd:
      case K.CacheDelete:
        this.files.event(ev, this);
        break;
      default:
        if (ev.kind >= K.DmaMap && ev.kind <= K.IommuUnmap) this.dma.event(ev);
        else if (
          ev.kind === K.DmaMapSgReturn ||
          ev.kind === K.BlockIssue ||
          ev.kind === K.BlockComplete ||
          ev.kind === K.IommuFault
        )
          this.dma.event(ev);
    }
  }

  /** time of the last event before the header of another snapshot */
  private boundary: number | undefined;

  private nextSnapshot(t: number): void {
    const from = this.boundary!;
    this.boundary = undefined;
    if (t > from)
      this.gaps.add(from, t, 'another snapshot of the buffer begins: what was between the two is not there');
  }

  loss(loss: Loss): void {
    this.losses.add(loss);
  }

  /** What an event of an input is called where it is pointed to. */
  noun(input: number): 'line' | 'record' {
    return this.recordings.has(input) ? 'record' : 'line';
  }

  fact(_input: number, name: string, value: string): void {
    if (name === 'recorded_event') {
      if (this.recordedEvents.size < FACTS_MAX) this.recordedEvents.add(value);
      return;
    }
    if (this.facts.size < FACTS_MAX || this.facts.has(name)) this.facts.set(name, value);
    else this.limits.hit('facts');
    this.coverage.fact(name, value);
    if (name === 'probe_missed') {
      // one for each probe that missed: `gup_put_folio 390`
      const missed = Number(value.slice(value.lastIndexOf(' ') + 1));
      if (Number.isSafeInteger(missed) && missed > 0) this.probesMissedByKernel += missed;
    }
    if (name === 'kernel') {
      if (this.era.told !== '--kernel') this.era.fromRelease(value, 'the trace header');
      this.pageSize.fromRelease(value);
      if (/arm64|aarch64|riscv|loongarch|ppc64|s390x/.test(value)) this.identity.mayAssume = false;
    }
    if (name === 'machine') {
      this.pageSize.fromMachine(value);
      if (!/^(?:x86_64|amd64)$/.test(value)) this.identity.mayAssume = false;
    }
    if (name === 'page_size') this.pageSize.fromBytes(value);
    if (name === 'tracer' && this.events > 0) this.boundary = this.last;
    if (name === 'entries_in_buffer') this.entries.header(Number(value));
    if (name === 'entries_written' || name === 'entries_in_buffer') {
      this.losses.overwritten =
        Number(this.facts.get('entries_written') ?? 0) > Number(this.facts.get('entries_in_buffer') ?? Infinity);
    }
    if (name === 'vmemmap_base') {
      const base = parseHex(value);
      if (base !== undefined) this.identity.told(Number(base >> 32n), Number(base & 0xffffffffn), 'header');
    }
  }

  /** Adds listeners; each hears of everything from now on, in the order they were added. */
  listen(listeners: readonly Listener[]): void {
    for (const listener of listeners) this.on.add(listener);
  }

  /** Call after the last event. */
  end(): void {
    this.gup.end();
    this.losses.end();
    for (const ended of this.on.ended) ended(this.last);
  }

  // --- identity

  /** The PFN an event names, -1 when it names none that can be resolved. */
  pfnOf(ev: TraceEvent): number {
    if (ev.pageName === PageName.pfn) return ev.pfn;
    if (ev.pageName === PageName.pointer) return this.identity.pfn(ev.ptrHi, ev.ptrLo);
    return -1;
  }

  // --- what listeners and trackers need of an event later

  /** by input: what reads a line of it again by its place; where there is nothing, the text itself is kept */
  readonly lineReaders: (((offset: number, length: number, cut: boolean) => string) | undefined)[] = [];

  /** The event's line as evidence, bounded. */
  lineOf(ev: TraceEvent): LineText {
    if (this.lineReaders[ev.input] !== undefined) return placeOf(ev);
    return textOf(ev.buf, ev.lineStart, ev.lineEnd, TEXT_MAX);
  }

  /** The text of a line that was kept, as far as TEXT_MAX. */
  lineText(input: number, line: LineText): string {
    if (typeof line === 'string') return line;
    const length = lengthOf(line);
    return this.lineReaders[input]!(offsetOf(line), length, length === TEXT_MAX);
  }

  /** The event at hand as a deed: its line is kept. Its stack is filled in when it comes. */
  deed(ev: TraceEvent): Deed {
    const deed: Deed = {
      t: ev.t,
      cpu: ev.cpu,
      task: this.tasks.of(ev),
      context: ev.context,
      input: ev.input,
      line: ev.line,
      text: this.lineOf(ev),
      stack: -1,
    };
    this.wantStack(deed);
    return deed;
  }

  /** The stack that follows the event at hand is put into `target`. */
  wantStack(target: {stack: number}): void {
    this.stackTarget = target;
  }

  stackBegin(cpu: number, _pid: number): boolean {
    const wanted = this.stackTargets[cpu + 1] !== undefined;
    if (wanted) {
      this.stacks.begin();
      this.stackCpu = cpu;
    }
    return wanted;
  }

  private stackCpu = -1;

  stackFrame(buf: Uint8Array, start: number, end: number): void {
    this.stacks.frame(buf, start, end);
  }

  stackEnd(): void {
    const target = this.stackTargets[this.stackCpu + 1];
    const stack = this.stacks.end();
    if (target && stack >= 0) {
      target.stack = stack;
      this.gup.stackKnown(target, stack);
    }
    this.stackTargets[this.stackCpu + 1] = undefined;
  }

  // --- journal

  /** Notes a change in the journal of a row that has one, or begins one. */
  note(row: number, ev: TraceEvent, what: number, delta: number, kind: number, partner: number): void {
    const {pages} = this;
    let journal = pages.journals[row];
    if (!journal) {
      journal = this.beginJournal(row);
      if (!journal) return;
    }
    const count = pages.count[row]!;
    const raw = count === UNKNOWN_COUNT ? NaN : count;
    const task = this.tasks.of(ev);
    journal.add(what, ev.t, ev.cpu, task, ev.input, ev.line, delta, raw, pages.pins[row]!, kind, partner);
  }

  private beginJournal(row: number): Journal | undefined {
    if (this.journals >= JOURNALS_MAX) {
      this.journalsRefused++;
      return undefined;
    }
    this.journals++;
    return (this.pages.journals[row] = new Journal());
  }

  /** Forgets the journal of a row that no longer matters. */
  forget(row: number): void {
    if (this.pages.journals[row] === undefined) return;
    this.pages.journals[row] = undefined;
    this.journals--;
  }

  /** Whether a folio holds a reference of a kind that covers a page of it. */
  holds(row: number, kind: ReferenceKind, pfn: number): boolean {
    const {pages} = this;
    if ((kind === 'pin' ? pages.pins[row]! : pages.gets[row]!) <= 0) return false;
    if ((pages.state[row]! & PageState.large) === 0) return true;
    for (let r = pages.references[row]; r; r = r.next) {
      if (r.kind === kind && (r.sub < 0 || (pfn >= r.sub && pfn < r.sub + r.n))) return true;
    }
    return false;
  }

  /**
   * Whether a folio holds a reference of a kind on a page of it: 'maybe' where one is held of the folio, and the page it is
   * of is not known for certain.
   */
  covers(row: number, kind: ReferenceKind, pfn: number): 'yes' | 'maybe' | 'no' {
    const {pages} = this;
    if ((kind === 'pin' ? pages.pins[row]! : pages.gets[row]!) <= 0) return 'no';
    if ((pages.state[row]! & PageState.large) === 0) return 'yes';
    let maybe = (pages.state[row]! & PageState.unlisted) !== 0;
    for (let r = pages.references[row]; r; r = r.next) {
      if (r.kind !== kind) continue;
      if (r.sub < 0 || !r.subCertain) maybe = true;
      else if (pfn >= r.sub && pfn < r.sub + r.n) return 'yes';
    }
    return maybe ? 'maybe' : 'no';
  }

  /** Whether anything about a page could still decide a verdict: references, windows, writeback. */
  matters(row: number): boolean {
    const {pages} = this;
    return (
      pages.references[row] !== undefined ||
      pages.dma[row] !== undefined ||
      pages.writebacks[row] !== undefined ||
      (pages.state[row]! & PageState.underWriteback) !== 0
    );
  }
}

function parseHex(text: string): bigint | undefined {
  return /^0x[0-9a-f]{1,16}$/i.test(text) ? BigInt(text) : undefined;
}
