/** What a trace.dat says of how it was recorded, as facts. */
import type {EventSink} from '../../src/events/event.js';
import type {EventFormat} from '../records/format.js';
import {factOf} from '../records/kinds.js';
import type {TraceBuffer, TraceDatFile} from './file.js';

/**
 * A list of formats of so many systems is the kernel's whole list (trace-cmd extract, or record without -e): it does not say
 * what was recorded.
 */
const SYSTEMS_NAMED = 24;
/** Most facts that a file may tell. */
const EVENTS_MAX = 2000;
const STATS_MAX = 128;

export function tellFacts(
  file: TraceDatFile,
  sink: EventSink,
  input: number,
  /** `text`: the latency trace that is read, and no records */
  read: {clock: string | undefined; otherClock: readonly string[]; text?: TraceBuffer},
): void {
  const fact = (name: string, value: string | number | undefined): void => {
    if (value !== undefined && value !== '') sink.fact(input, name, String(value));
  };
  const {meta, uname, buffers} = file;
  if (uname !== undefined) {
    fact('machine', uname.split(/\s+/).at(-1));
    fact('hostname', /^Linux (\S+) \d/.exec(uname)?.[1]);
  }
  fact('clock', read.clock);
  const cpus = new Set(buffers.flatMap((buffer) => buffer.cpus.map(({cpu}) => cpu)));
  fact('cpus', file.cpuCount || cpus.size);
  fact('tool', file.tool === undefined ? undefined : `trace-cmd ${file.tool.trim()}`);
  fact('file_version', `${file.version}${file.packing === 'none' ? '' : `, packed with ${file.packing}`}`);
  fact('sub_buffer_bytes', buffers[0]?.page || undefined);
  if (file.shift_ns !== 0n) fact('added_to_times_ns', String(file.shift_ns));
  if (file.date_ns !== undefined) {
    fact('wall_clock', `times and ${file.date_ns} ns`);
    fact('wall_offset_ns', String(file.date_ns));
  }
  const instances = buffers.filter(({name}) => name !== '').map(({name}) => name);
  if (instances.length > 0) fact('instances', instances.join(' '));
  const texts = buffers.filter((buffer) => buffer.text !== undefined && buffer !== read.text);
  if (texts.length > 0) fact('text_not_read', texts.map(({name}) => name || '(top)').join(' '));
  if (read.otherClock.length > 0) fact('not_read', `instances on another clock: ${read.otherClock.join(' ')}`);
  for (const {buffer, cpu, entries, read: taken, overrun, dropped} of file.stats.slice(0, STATS_MAX)) {
    const where = buffer === '' ? `stats_cpu${cpu}` : `stats_${buffer}_cpu${cpu}`;
    fact(where, `read ${taken}, left ${entries}, overrun ${overrun}, dropped ${dropped}`);
  }
  // a latency trace is printed by the kernel, and says itself what is in it
  if (read.text === undefined)
    for (const format of recordedEvents(file)) {
      const told = factOf(format);
      // of those that trace-cmd's -v leaves out the formats are there as well
      fact(told === 'recorded_event' ? 'listed_event' : told, format.title);
    }
  for (const note of meta.notes.slice(0, 20)) fact('note', note);
  if (file.unknown.size > 0) fact('unknown_options', [...file.unknown].slice(0, 20).join(' '));
}

/** The events that were recorded, whether they happened or not; empty where the file does not tell. */
export function recordedEvents({meta}: TraceDatFile): EventFormat[] {
  const formats = [...meta.formats.values()].filter(({system}) => system !== 'ftrace');
  if (new Set(formats.map(({system}) => system)).size > SYSTEMS_NAMED) return [];
  return formats.slice(0, EVENTS_MAX);
}
