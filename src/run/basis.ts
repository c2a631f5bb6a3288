/** What every result says of its run: the tool, the inputs, their clock and kernel, what was lost, how long it took. */
import {qualityOf} from './quality.js';
import type {Report, ReportInput} from '../results/report.js';
import type {ReadInput, Reading} from './reading.js';
import {timesOf} from '../words/times.js';

/** A ledger, and the readers that told it. */
export interface Heard {
  ledger: Reading['ledger'];
  inputs: readonly Pick<ReadInput, 'reader'>[];
}

export type Basis = Pick<Report, 'tool' | 'command' | 'inputs' | 'clock' | 'span' | 'kernel' | 'quality'>;

/** The beginning of a result. */
export function basisOf(reading: Reading, options: {command: string[]; version: string}): Basis {
  const {ledger: m, inputs} = reading;
  return {
    tool: {name: 'pinscope', version: options.version},
    command: options.command,
    inputs: inputs.map(inputOf),
    clock: clockOf(reading),
    span: timesOf(m, ...spanOf(reading)),
    kernel: kernelOf(reading),
    quality: qualityOf(reading),
  };
}

function kernelOf(reading: Reading): Report['kernel'] {
  const {ledger: m} = reading;
  const signals = kernelSignals(reading);
  const release = m.capture.facts.get('kernel') ?? null;
  if (release !== null) return {release, range: null, known_by: 'the trace header', signals};
  const range = rangeOf(signals);
  if (range !== null) return {release, range, known_by: 'its events', signals};
  const {given, refuted} = m.capture.era;
  if (given !== undefined && !refuted) return {release: given, range, known_by: '--kernel', signals};
  return {release, range, known_by: 'not in the trace', signals};
}

/** What signals such as `event dma_map_page: 6.12 or later` leave together; null where they contradict each other. */
function rangeOf(signals: readonly string[]): string | null {
  let from: [number, number] | null = null;
  let to: [number, number] | null = null;
  const version = (text: string): [number, number] => text.split('.').map(Number) as [number, number];
  for (const signal of signals) {
    const match = /: (?:(\d\.\d{1,2}) or later|(\d\.\d{1,2}) to (\d\.\d{1,2})|up to (\d\.\d{1,2}))$/.exec(signal);
    const low = match?.[1] ?? match?.[2];
    const high = match?.[3] ?? match?.[4];
    if (low !== undefined && (from === null || order(version(low), from) > 0)) from = version(low);
    if (high !== undefined && (to === null || order(version(high), to) < 0)) to = version(high);
  }
  if (from !== null && to !== null) return order(from, to) > 0 ? null : `${from.join('.')} to ${to.join('.')}`;
  if (from !== null) return `${from.join('.')} or later`;
  return to === null ? null : `up to ${to.join('.')}`;
}

function order(a: readonly [number, number], b: readonly [number, number]): number {
  return a[0] - b[0] || a[1] - b[1];
}

/** First and last event, of whatever name: the ledger hears only of those that it can use. */
export function spanOf({ledger: m, inputs}: Heard): [number, number] {
  let first = m.capture.first;
  let last = m.capture.last;
  for (const {reader} of inputs) {
    const {earliest, latest} = reader.counters;
    if (Number.isFinite(earliest) && !(earliest >= first)) first = earliest;
    if (Number.isFinite(latest) && latest > last) last = latest;
  }
  return [first, last];
}

/** The end of a result. */
export function endingOf({ledger: m, inputs, seconds, partial}: Reading): Pick<Report, 'timing' | 'partial'> {
  const bytes = inputs.reduce((sum, i) => sum + i.input.bytesRead, 0);
  const time = Math.max(seconds, 1e-6);
  return {
    timing: {
      seconds: Math.round(time * 1000) / 1000,
      events_per_second: Math.round(m.capture.events / time),
      bytes_per_second: Math.round(bytes / time),
      peak_rss_bytes: process.resourceUsage().maxRSS * 1024,
    },
    ...(partial === undefined ? {} : {partial}),
  };
}

/** Most names of events that a report tells. */
const NAMES_MAX = 40;

function inputOf({input, form, reader, evidence}: ReadInput): ReportInput {
  return {
    path: input.path,
    format: form.id,
    evidence,
    compression: input.compression,
    bytes: input.bytesRead,
    lines: reader.counters.lines,
    events: reader.counters.events,
    event_names: [...reader.counters.eventsByName()]
      .sort((a, b) => b[1] - a[1])
      .slice(0, NAMES_MAX)
      .map(([name]) => name),
    unrecognised: {count: reader.counters.unrecognised, first: reader.counters.firstUnrecognised},
    ...(input.sha256 === undefined ? {} : {sha256: input.sha256}),
    ...(input.cut === undefined ? {} : {cut: input.cut}),
  };
}

/** What is known of the trace's clock. */
function clockOf({ledger: m}: Reading): Report['clock'] {
  const name = m.capture.facts.get('clock') ?? null;
  const unit = m.capture.time.unit ?? null;
  if (name !== null) return {name, unit, known_by: m.capture.clockFrom};
  return {
    name: null,
    unit,
    known_by:
      unit === 'ticks'
        ? 'integer times: a counting clock (counter, uptime, x86-tsc)'
        : unit === 'ns'
          ? 'times in seconds or nanoseconds'
          : 'no events',
  };
}

/**
 * Events that exist only from, or only up to, some version (read in the trees of 4.9 to 7.2, not in every release between).
 * A kprobe event can be given any name, so each is a signal, not a proof.
 */
const VERSION_SIGNALS: readonly [RegExp, string][] = [
  [/^dma_map_phys$/, '6.18 or later'],
  [/^dma_map_page$/, '6.12 or later'],
  [/^try_grab_folio_fast$/, '6.12 or later'],
  [/^try_grab_page$/, '5.7 to 6.8'],
  [/^put_compound_head$/, '5.7 to 5.17'],
  [/^gup_put_folio$/, '5.19 or later'],
  [/^(?:writeback_dirty_folio|folio_wait_writeback)$/, '5.17 or later'],
  [/^(?:writeback_dirty_page|wait_on_page_writeback)$/, 'up to 5.15'],
  [/^mm_vmscan_write_folio$/, '6.1 or later'],
  [/^mm_vmscan_writepage$/, 'up to 5.17'],
];

/** Facts in the trace that tell something of the kernel's version. */
function kernelSignals({ledger: m, inputs}: Reading): string[] {
  const out: string[] = [];
  if (m.capture.era.foll !== undefined) {
    out.push(
      `FOLL_* numbering of ${m.capture.era.foll === 'new' ? '6.3 and later' : '6.2 and earlier'} (${m.capture.era.told})`,
    );
  }
  if (m.capture.era.rawMapcount) out.push('mapcount=-1 for an unmapped page: 6.10 or later');
  for (const name of new Set(inputs.flatMap(({reader}) => [...reader.counters.eventsByName().keys()]))) {
    for (const [pattern, version] of VERSION_SIGNALS) if (pattern.test(name)) out.push(`event ${name}: ${version}`);
  }
  return out;
}
