/**
 * Losses as traces tell them (`CPU:1 [LOST 12 EVENTS]`, PERF_RECORD_LOST, a header's counts of what was overwritten), made
 * into gaps: from the last event that was seen of the CPU to its next one, of the same input: another has a buffer of its own.
 */
import type {Loss} from '../events/event.js';
import type {Gaps} from './gaps.js';

/** Most losses of one CPU that are kept apart while none of its events comes. */
const OPEN_MAX = 100;

interface OpenLoss {
  input: number;
  cpu: number;
  from: number;
  why: string;
  line: number;
  /** its end is the next event, of whatever CPU */
  cut?: true;
}

interface Seen {
  latest: number;
  /** by CPU + 1: whether it left an event, and the times of its first and last */
  cpus: true[];
  first: number[];
  onCpu: number[];
}

/** Of an event: its input, CPU and time. */
interface Shown {
  readonly input: number;
  readonly cpu: number;
  readonly t: number;
}

/** More than there are CPUs. */
const CPUS = 1 << 16;

function keyOf(input: number, cpu: number): number {
  return input * CPUS + cpu + 1;
}

export class Losses {
  /** events that the markers count */
  events = 0;
  /** places where who shows the trace left lines out */
  cuts = 0;
  /** inputs whose ring buffer was overwritten: each CPU's events begin somewhere in the middle */
  private readonly begunLate: true[] = [];
  /** by CPU (-1: none is named): markers, events that they count, markers without a count, and cut beginnings */
  readonly byCpu = new Map<number, {markers: number; events: number; unknown: number; starts: number}>();
  /** losses whose end is the next event of their input and CPU, by both; of those that name no CPU any event of the input is the end */
  private readonly open = new Map<number, OpenLoss[]>();
  /** by input: its latest event, and that of each CPU */
  private readonly seenOf: Seen[] = [];
  private readonly withEvents: boolean[] = [];

  constructor(private readonly gaps: Gaps) {}

  /** An event of a CPU came: its open losses end here. */
  seen({input, cpu, t}: Shown): void {
    if (this.open.size > 0) this.close(input, cpu, t);
    const seen = this.of(input);
    if (seen.cpus[cpu + 1] !== true) {
      seen.cpus[cpu + 1] = this.withEvents[cpu + 1] = true;
      seen.first[cpu + 1] = t;
      if (this.begunLate[input])
        this.gaps.add(-Infinity, t, `the beginning of the trace was overwritten (CPU ${cpu} begins here)`, cpu);
    }
    seen.onCpu[cpu + 1] = t;
    seen.latest = t;
  }

  private of(input: number): Seen {
    return (this.seenOf[input] ??= {latest: -Infinity, cpus: [], first: [], onCpu: []});
  }

  /** A ring buffer was overwritten: each CPU's events begin somewhere in the middle. */
  get overwritten(): boolean {
    return this.begunLate.length > 0;
  }

  /** The ring buffer of an input was overwritten. */
  beganLate(input: number): void {
    this.begunLate[input] = true;
  }

  /** CPUs that left an event, of whatever kind. */
  get cpus(): number {
    let cpus = 0;
    for (let at = 1; at < this.withEvents.length; at++) if (this.withEvents[at] === true) cpus++;
    return cpus;
  }

  add(loss: Loss): void {
    const {input, cpu, count, line} = loss;
    const {latest, first, onCpu} = this.of(input);
    if (loss.what === 'cut') {
      // not the recording's fault: between the events around the mark
      this.cuts++;
      this.begin({input, cpu: -1, from: latest, why: `lines were left out here (line ${line})`, line, cut: true});
      return;
    }
    if (loss.what === 'again') {
      this.begin({input, cpu: -1, from: latest, why: `another recording begins at line ${line}`, line, cut: true});
      return;
    }
    if (loss.what === 'unread') {
      this.begin({
        input,
        cpu: -1,
        from: latest,
        why: `${loss.record === true ? 'record' : 'line'} ${line} was not understood: it may have been an event`,
        line,
        cut: true,
      });
      return;
    }
    this.tally(loss);
    if (count > 0) this.events += count;
    if (loss.what === 'start') {
      // A header counts what was overwritten and names no CPU: each CPU's own first event tells where it begins.
      if (cpu < 0) this.beganLate(input);
      else if (loss.record === true && line === 0)
        this.gaps.add(
          -Infinity,
          first[cpu + 1] ?? Infinity,
          `the beginning of CPU ${cpu} may not be in the recording`,
          cpu,
        );
      else this.begin({input, cpu, from: -Infinity, why: `the beginning of CPU ${cpu}'s buffer was overwritten`, line});
      return;
    }
    const where = cpu >= 0 ? `CPU ${cpu}` : 'a CPU that is not named';
    const number = count > 0 ? `${count} events` : 'events';
    if (loss.what === 'somewhere') {
      this.gaps.add(-Infinity, Infinity, `${number} of ${where} were lost, and nothing tells where`, cpu);
      return;
    }
    const from = loss.since ?? (cpu >= 0 ? (onCpu[cpu + 1] ?? -Infinity) : -Infinity);
    const told =
      loss.record !== true ? `line ${line}` : line > 0 ? `before record ${line}` : 'at the end of the recording';
    this.begin({input, cpu, from, why: `${number} of ${where} were lost (${told})`, line});
  }

  /** The trace ends. */
  end(): void {
    for (const open of this.open.values())
      for (const loss of open) this.gaps.add(loss.from, Infinity, loss.why, loss.cpu, loss.line);
    this.open.clear();
  }

  private begin(loss: OpenLoss): void {
    const key = keyOf(loss.input, loss.cpu);
    const open = this.open.get(key);
    if (!open) this.open.set(key, [loss]);
    else if (open.length < OPEN_MAX) open.push(loss);
    // No event came since the others: it ends where they end.
    else open.at(-1)!.from = Math.min(open.at(-1)!.from, loss.from);
  }

  private close(input: number, cpu: number, t: number): void {
    for (const of of [cpu, -1]) {
      const open = this.open.get(keyOf(input, of));
      if (!open) continue;
      this.open.delete(keyOf(input, of));
      // A loss that names no CPU (bpftrace) is told late and out of order: what comes within the next second may be missing too.
      for (const loss of open.toReversed())
        this.gaps.add(loss.from, of >= 0 || loss.cut ? t : t + 1e9, loss.why, loss.cpu, loss.line);
    }
  }

  private tally({cpu, what, count}: Loss): void {
    let tally = this.byCpu.get(cpu);
    if (!tally) this.byCpu.set(cpu, (tally = {markers: 0, events: 0, unknown: 0, starts: 0}));
    if (what === 'start') tally.starts++;
    else {
      tally.markers++;
      if (count > 0) tally.events += count;
      else tally.unknown++;
    }
  }
}
