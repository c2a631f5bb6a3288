/** What every result says of its run: the tool, the inputs, their clock and kernel, what was lost, how long it took. */
import {qualityOf} from '../quality/counters.js';
import type {Report, ReportInput} from '../report/types.js';
import type {ReadInput, Reading} from './read.js';
import {timesOf} from './times.js';

export type Basis = Pick<Report, 'tool' | 'command' | 'inputs' | 'clock' | 'span' | 'kernel' | 'quality'>;

/** The beginning of a result. */
export function basisOf(reading: Reading, options: {command: string[]; version: string}): Basis {
  const {model: m, inputs} = reading;
  return {
    tool: {name: 'pinscope', version: options.version},
    command: options.command,
    inputs: inputs.map(inputOf),
    clock: clockOf(reading),
    span: timesOf(m, m.first, m.last),
    kernel: {
      release: m.facts.get('kernel') ?? null,
      known_by: m.facts.has('kernel')
        ? 'the trace header'
        : m.era.told === '--kernel'
          ? '--kernel'
          : 'not in the trace',
      signals: kernelSignals(reading),
    },
    quality: qualityOf(reading),
  };
}

/** The end of a result. */
export function endingOf({model: m, inputs, seconds, partial}: Reading): Pick<Report, 'timing' | 'partial'> {
  const bytes = inputs.reduce((sum, i) => sum + i.input.bytesRead, 0);
  const time = Math.max(seconds, 1e-6);
  return {
    timing: {
      seconds: Math.round(time * 1000) / 1000,
      events_per_second: Math.round(m.events / time),
      bytes_per_second: Math.round(bytes / time),
      peak_rss_bytes: process.resourceUsage().maxRSS * 1024,
    },
    ...(partial === undefined ? {} : {partial}),
  };
}

function inputOf({input, form, reader, evidence}: ReadInput): ReportInput {
  return {
    path: input.path,
    format: form.id,
    evidence,
    compression: input.compression,
    bytes: input.bytesRead,
    lines: reader.counters.lines,
    events: reader.counters.events,
    unrecognised: {count: reader.counters.unrecognised, first: reader.counters.firstUnrecognised},
    sha256: input.sha256,
    ...(input.cut === undefined ? {} : {cut: input.cut}),
  };
}

/** What is known of the trace's clock. */
function clockOf({model: m}: Reading): Report['clock'] {
  const name = m.facts.get('clock') ?? null;
  const unit = m.time.unit ?? null;
  if (name !== null) return {name, unit, known_by: 'the trace header'};
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

/** Facts in the trace that tell something of the kernel's version. */
function kernelSignals({model: m}: Reading): string[] {
  const out: string[] = [];
  if (m.era.foll !== undefined) {
    out.push(`FOLL_* numbering of ${m.era.foll === 'new' ? '6.3 and later' : '6.2 and earlier'} (${m.era.told})`);
  }
  if (m.era.rawMapcount) out.push('mapcount=-1 for an unmapped page: 6.10 or later');
  return out;
}
