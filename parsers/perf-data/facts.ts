/** What a perf.data says of how it was recorded, as facts. */
import type {EventSink} from '../../src/events/event.js';
import {factOf} from '../records/kinds.js';
import type {Attr} from './attr.js';
import type {PerfDataFile} from './file.js';

/** Most facts that a file may tell. */
const EVENTS_MAX = 2000;
const NOTES_MAX = 20;

export function tellFacts(file: PerfDataFile, sink: EventSink, input: number): void {
  const fact = (name: string, value: string | number | undefined): void => {
    if (value !== undefined && value !== '') sink.fact(input, name, String(value));
  };
  fact('machine', file.machine);
  fact('hostname', file.hostname);
  fact(
    'clock',
    file.attrs.find(({clock}) => clock !== undefined)?.clock ?? (file.attrs.length > 0 ? 'perf' : undefined),
  );
  if (file.attrs.some(({isTracepoint, isCounted, timeAt}) => isTracepoint && !isCounted && timeAt < 0))
    fact('order', 'none');
  fact('cpus', file.cpus);
  fact('tool', file.perf === undefined ? undefined : `perf ${file.perf}`);
  fact('command_line', file.words.join(' '));
  if (file.wall) {
    fact('wall_clock', `${file.wall.wall_ns} ns at ${file.wall.clock_ns} ns of the trace's clock`);
    fact('wall_offset_ns', String(BigInt(file.wall.wall_ns) - BigInt(file.wall.clock_ns)));
  }
  for (const {config, name} of recordedEvents(file)) {
    const format = file.meta.formats.get(config);
    fact(format ? factOf(format) : 'recorded_event', format?.title ?? name);
  }
  for (const note of file.meta.notes.slice(0, NOTES_MAX)) fact('note', note);
}

/** The tracepoints and probes that were recorded, whether they happened or not. */
function recordedEvents({attrs}: PerfDataFile): Attr[] {
  return attrs.filter(({isTracepoint, isCounted}) => isTracepoint && !isCounted).slice(0, EVENTS_MAX);
}
