/**
 * What was recorded, and what may be concluded from it: kinds of events, losses and gaps, certificates by function, the
 * audit's laws, the clock, the kernel, and which page a pointer names. It knows no page's history.
 */
import {believable} from '../events/believable.js';
import {EVENT_KINDS, EventKind as K, type Loss, PageName, type TraceEvent} from '../events/event.js';
import {Limits} from '../base/limits.js';
import type {TimeBase} from '../base/time.js';
import {Audit, type Unseen} from './audit.js';
import {DropSums} from './drop-sums.js';
import {Coverage} from './coverage.js';
import {Entries} from './entries.js';
import {Era} from './era.js';
import {Gaps} from './gaps.js';
import {Identity} from './identity.js';
import {Losses} from './losses.js';
import {PageSize} from './page-size.js';
import {Scout} from './scout.js';
import {ONE_CLOCK, Skew} from './skew.js';
import {untold} from './times.js';

/** So many events of a machine's pages, over so long a time, are hardly ever all of one task. */
const ONE_TASK_EVENTS = 1000;
const ONE_TASK_NS = 500_000_000;
/** So long no CPU leaves an event: a machine may be idle, and tracing may have been off (`echo 0 > tracing_on`, perf's --control). */
const QUIET_NS = 300_000_000;
/** Facts of a header that one boot has once (src/run/boots.ts refuses two inputs that differ in them). */
const ONE_OF_A_BOOT: ReadonlySet<string> = new Set(['kernel', 'machine', 'hostname', 'boot_id']);
/** Most facts of headers that are kept. */
const FACTS_MAX = 1000;

/**
 * What announces a kind of events. `listed`: its format is in a trace.dat, which trace-cmd writes of negated events too
 * (`record -e kmem -v -e kmem:mm_page_free`). `enabled`: it was seen, or a perf.data has it as an attr.
 */
export const Announced = {no: 0, listed: 1, enabled: 2} as const;

export class Capture {
  readonly limits = new Limits();
  readonly identity = new Identity();
  readonly pageSize = new PageSize();
  readonly era = new Era();
  readonly gaps = new Gaps();
  readonly losses = new Losses(this.gaps);
  /** spans without any event, between two that came */
  readonly quiet = new Gaps();
  readonly entries = new Entries(this.gaps);
  readonly audit = new Audit();
  readonly drops = new DropSums(this.audit);
  readonly skew = new Skew();
  readonly coverage = new Coverage();
  readonly facts = new Map<string, string>();
  /** by input: the clock that it tells */
  readonly clocks: string[] = [];
  /** by input: since what its times count, where that is something of its own */
  readonly origins: string[] = [];
  /** events by kind so far: what the trace records at all */
  readonly seen = new Float64Array(EVENT_KINDS);
  /** by input: kinds that it records, as far as was seen or it says */
  readonly kindsOf: Uint8Array[] = [];
  /** of several inputs: spans in which no input runs that records some kind of event */
  readonly notRunning = new Map<Unseen, Gaps>();
  /** inputs that are recordings: their events are records, with numbers but no lines */
  readonly recordings = new Set<number>();
  /** events that a recording says were recorded, whether they happened or not, as `system:name` */
  readonly recordedEvents = new Set<string>();
  /** by kind: what is known of it from a look at the trace's head, before its first event comes (`Announced`) */
  readonly announced = new Uint8Array(EVENT_KINDS);
  /** hits that kprobe_profile counts as missed, of all probes, as the recorder's header says */
  probesMissedByKernel = 0;
  /** on s390 the kernel's addresses lie below 2^63, as no pointer does that is read here (vmemmap in arch/s390/boot/startup.c) */
  lowPointers = false;
  /** events with numbers that no kernel prints */
  unbelievable = 0;
  /** time of the event at hand, the first and the last */
  now = 0;
  first = NaN;
  last = -Infinity;
  private readonly scout = new Scout(this.identity, this.pageSize);
  /** an event of the idle task came: no filter by task leaves out what interrupts do while nothing else runs */
  idleSeen = false;
  /** the task that all events so far are of, the idle one's apart; -1 where they are of several, or of tasks that are not named */
  private onlyPid: number | undefined;
  /** time of the last event before the header of another snapshot */
  private boundary: number | undefined;

  constructor(readonly time: TimeBase) {
    this.identity.onLate = () =>
      this.gaps.add(-Infinity, this.now, 'which pages the pointers before this time name was not known then');
    this.pageSize.onLate = () =>
      this.gaps.add(
        -Infinity,
        this.now,
        'the page size was not known before this time: addresses were read with another',
      );
  }

  /** Takes note of an event. False where it says nothing about pages, or what no kernel would: then it is not for the ledger. */
  event(ev: TraceEvent): boolean {
    const {t, kind} = ev;
    const count = ++this.limits.events;
    if (ev.pid === 0) this.idleSeen = true;
    else if (ev.pid !== this.onlyPid) this.onlyPid = this.onlyPid === undefined ? ev.pid : -1;
    this.now = t;
    if (t - this.last > QUIET_NS && this.time.unit === 'ns' && count > 1)
      this.quiet.add(
        this.last + 1,
        t - 1,
        `no CPU left an event for a while before line ${ev.line}: tracing may have been off`,
      );
    if (t > this.last) this.last = t;
    if (!(t >= this.first)) this.first = t;
    this.losses.seen(ev);
    if (this.boundary !== undefined) this.nextSnapshot(t);
    if (kind === K.Other) return false;
    if (!believable(ev)) {
      this.unbelievable++;
      this.gaps.add(t, t, `line ${ev.line} has numbers that no kernel prints: it is not read`, ev.cpu, ev.line);
      return false;
    }
    this.seen[kind]!++;
    (this.kindsOf[ev.input] ??= new Uint8Array(EVENT_KINDS))[kind] = 1;
    if (!this.scout.done) this.scout.event(ev);
    return true;
  }

  /** Whether events of a kind are in this trace, as far as known now. */
  records(kind: number): boolean {
    return this.seen[kind]! > 0 || this.announced[kind] !== Announced.no;
  }

  /** Whether events of a kind would be in this trace if they had happened: one that is only listed may have been left out. */
  certifies(kind: number): boolean {
    return this.seen[kind]! > 0 || this.announced[kind] === Announced.enabled;
  }

  /** Whether page_ref events show changes of counts, all of them or some. */
  get showsCounts(): boolean {
    return this.records(K.RefModAndTest) || this.records(K.RefMod);
  }

  /** The PFN an event names, -1 when it names none that can be resolved. */
  pfnOf(ev: TraceEvent): number {
    if (ev.pageName === PageName.pfn) return ev.pfn;
    if (ev.pageName === PageName.pointer) return this.identity.pfn(ev.ptrHi, ev.ptrLo);
    return -1;
  }

  /** The PFN of a list's entry, -1 when it is not printed, or names none that can be resolved. */
  listedPfn(ev: TraceEvent, i: number): number {
    if (i >= ev.listLength) return -1;
    return ev.listName === PageName.pfn ? ev.listPfn[i]! : this.identity.pfn(ev.listPtrHi[i]!, ev.listPtrLo[i]!);
  }

  /** Events so far. */
  get events(): number {
    return this.limits.events;
  }

  /**
   * The pid of the one task that the trace holds events of, as a trace filtered by pid does; undefined for others. An
   * excerpt too short to tell is not called so.
   */
  get oneTask(): number | undefined {
    if (this.idleSeen || this.onlyPid === undefined || this.onlyPid < 0) return undefined;
    if (this.events < ONE_TASK_EVENTS) return undefined;
    return this.time.unit === 'ns' && this.last - this.first >= ONE_TASK_NS ? this.onlyPid : undefined;
  }

  /** Whether events of several tasks came, beside those of the idle one. */
  get hasSeveralTasks(): boolean {
    return this.onlyPid !== undefined && this.onlyPid < 0;
  }

  /** CPUs of the machine, as a header counts them, that left no event: idle, or not recorded (tracing_cpumask, perf -C). */
  get silentCpus(): number {
    const cpus = Number(this.facts.get('cpus') ?? 0);
    const seen = this.losses.cpus;
    return seen > 0 && cpus > seen ? cpus - seen : 0;
  }

  /** In words: what was not recorded though it belongs to what was; undefined where nothing says so. */
  get leftOut(): string | undefined {
    return this.facts.get('left_out');
  }

  /** Whether the recording is of some tasks only, or leaves out other things that happened. */
  get isPartial(): boolean {
    return this.facts.has('pid_filter') || this.leftOut !== undefined;
  }

  /** Why nothing that needs order or distance is proven by the times, in words; null where they tell both. */
  get untold(): string | null {
    return untold(this.facts);
  }

  /** What an event of an input is called where it is pointed to. */
  noun(input: number): 'line' | 'record' {
    return this.recordings.has(input) ? 'record' : 'line';
  }

  /** Takes over what a trial run over the head of the same trace found out. */
  learnFrom(trial: Capture): void {
    this.era.learnFrom(trial.era);
    this.coverage.learnFrom(trial.coverage);
    this.identity.learnFrom(trial.identity);
    this.pageSize.learnFrom(trial.pageSize);
  }

  private nextSnapshot(t: number): void {
    const from = this.boundary!;
    this.boundary = undefined;
    if (t > from)
      this.gaps.add(from, t, 'another snapshot of the buffer begins: what was between the two is not there');
  }

  loss(loss: Loss): void {
    this.losses.add(loss);
  }

  /** The user says which clock the trace has. Where it names one that differs by CPU itself, that counts more. */
  clockTold(name: string): void {
    this.facts.set('clock', name);
    this.clockFrom = '--clock';
  }

  /** what --clock said, where the trace says otherwise */
  clockRefuted: string | undefined;

  /** who says which clock the trace has */
  clockFrom: '--clock' | 'the trace header' = 'the trace header';

  /** A fact of a header, such as `kernel` or `page_size`. */
  fact(input: number, name: string, value: string): void {
    if (name === 'clock') this.clocks[input] = value;
    if (name === 'clock_origin') this.origins[input] = value;
    if (name === 'clock' && this.clockFrom === '--clock') {
      const given = this.facts.get('clock');
      // a doubt of the user's counts, but no more is proven by his word than by the trace's
      if (ONE_CLOCK.has(value)) return;
      if (given !== value) this.clockRefuted = given;
      this.clockFrom = 'the trace header';
    }
    if (name === 'recorded_event' || name === 'recorded_return' || name === 'listed_event') {
      if (this.recordedEvents.size < FACTS_MAX) this.recordedEvents.add(value);
      this.coverage.fact(name, value);
      return;
    }
    if (ONE_OF_A_BOOT.has(name)) this.ofBoot(name, value);
    if (this.facts.size < FACTS_MAX || this.facts.has(name)) this.facts.set(name, value);
    else this.limits.hit('facts');
    this.coverage.fact(name, value);
    if (name === 'probe_missed') {
      // one for each probe that missed: `gup_put_folio 390`
      const missed = Number(value.slice(value.lastIndexOf(' ') + 1));
      if (Number.isSafeInteger(missed) && missed > 0) this.probesMissedByKernel += missed;
    }
    if (name === 'kernel') {
      this.era.fromRelease(value, 'the trace header');
      this.pageSize.fromRelease(value);
      if (value.includes('s390x')) this.lowPointers = true;
      if (/arm64|aarch64|riscv|loong|p(?:ower)?pc64|mips|sparc64|s390x/.test(value)) this.identity.mayAssume = false;
    }
    if (name === 'machine') {
      this.pageSize.fromMachine(value);
      if (value === 's390x') this.lowPointers = true;
      if (!/^(?:x86_64|amd64)$/.test(value)) this.identity.mayAssume = false;
    }
    if (name === 'page_size') this.pageSize.fromBytes(value);
    if (name === 'tracer' && this.events > 0) this.boundary = this.last;
    if (name === 'entries_in_buffer') this.entries.header(input, Number(value));
    if (name === 'entries_written' && this.entries.written(Number(value))) this.losses.beganLate(input);
    if (name === 'vmemmap_base') {
      const base = parseHex(value);
      if (base !== undefined) this.identity.told(Number(base >> 32n), Number(base & 0xffffffffn), 'header');
    }
  }

  /** Two recordings of two boots, one behind the other in an input: pages of the one are not those of the other. */
  private ofBoot(name: string, value: string): void {
    const before = this.facts.get(name);
    if (before === undefined || before === value) return;
    this.gaps.add(-Infinity, Infinity, `recordings of two boots are read as one: ${name} ${before}, and ${value}`);
  }

  /** Call after the last event. */
  end(): void {
    this.losses.end();
  }
}

function parseHex(text: string): bigint | undefined {
  return /^0x[0-9a-f]{1,16}$/i.test(text) ? BigInt(text) : undefined;
}
