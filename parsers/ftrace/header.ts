/**
 * Lines of tracefs text that are no events: comments as facts, losses.
 *
 *     # tracer: nop
 *     # entries-in-buffer/entries-written: 6680/13360   #P:2
 *     # nop latency trace v1.1.5 on 6.12.117-gupl
 *     # latency: 0 us, #5835/5835, CPU#0 | (M:desktop VP:0, KP:0, SP:0 HP:0 #P:2)
 *     ##### CPU 1 buffer started ####
 *     CPU:1 [LOST 2292 EVENTS]            CPU:1 [LOST EVENTS]           (kernel)
 *     CPU:1 [2292 EVENTS DROPPED]         CPU:1 [EVENTS DROPPED]        (trace-cmd)
 *     # pinscope-record: clock=mono
 */

import type {EventSink} from '../../src/events/event.js';
import {text} from '../bytes.js';
import {MAX_CPU} from '../form.js';
import {recorderFact} from '../recorder-fact.js';

/** Header lines are short; of a longer comment this much is looked at. */
const MAX_COMMENT = 4096;

const WRITTEN = /^# entries-in-buffer\/entries-written: (\d+)\/(\d+) +#P:(\d+)/;
const LATENCY_RELEASE = /^# (\S+) latency trace v\S+ on (\S+)/;
const LATENCY_COUNTS = /^# latency: \d+ us, #(\d+)\/(\d+), CPU#\d+ \|.*#P:(\d+)\)/;
const STARTED = /^##### CPU (\d+) buffer started ####/;
const TRACER = /^# tracer: (\S+)/;
const LOST = /^CPU:(\d+) \[(?:LOST(?: (\d+))? EVENTS|(?:(-?\d+) )?EVENTS DROPPED)\]\s*$/;

/** A line that begins with `#`. Answers the kernel's release if the line tells it. */
export function headerLine(
  buf: Uint8Array,
  start: number,
  end: number,
  line: number,
  input: number,
  sink: EventSink,
): string | undefined {
  const comment = text(buf, start, Math.min(end, start + MAX_COMMENT));
  let m: RegExpExecArray | null;
  if ((m = WRITTEN.exec(comment)) || (m = LATENCY_COUNTS.exec(comment))) {
    sink.fact(input, 'entries_in_buffer', m[1]!);
    sink.fact(input, 'entries_written', m[2]!);
    sink.fact(input, 'cpus', m[3]!);
    const gone = Number(m[2]) - Number(m[1]);
    // the oldest events were overwritten; the header does not say on which CPU
    if (gone > 0) sink.loss({input, line, cpu: -1, count: gone, what: 'start'});
  } else if ((m = LATENCY_RELEASE.exec(comment))) {
    sink.fact(input, 'kernel', m[2]!);
    return m[2];
  } else if ((m = STARTED.exec(comment)) && Number(m[1]) <= MAX_CPU) {
    sink.loss({input, line, cpu: Number(m[1]), count: -1, what: 'start'});
  } else if ((m = TRACER.exec(comment))) {
    sink.fact(input, 'tracer', m[1]!);
  } else {
    const told = recorderFact(comment);
    if (told) sink.fact(input, told.name, told.value);
    if (told?.name === 'kernel') return told.value;
  }
  return undefined;
}

/** A line that begins with `CPU:`. False if it tells of no loss. `several`: of one of several buffers that stand there together. */
export function lossLine(
  buf: Uint8Array,
  start: number,
  end: number,
  line: number,
  input: number,
  sink: EventSink,
  several = false,
): boolean {
  const m = LOST.exec(text(buf, start, Math.min(end, start + 100)));
  if (!m) return false;
  const cpu = Number(m[1]);
  const count = m[2] ?? m[3];
  if (cpu > MAX_CPU) return false;
  const number = count === undefined || count.startsWith('-') ? -1 : Number(count);
  sink.loss({input, line, cpu, count: number, what: 'lost', ...(several ? {since: -Infinity} : {})});
  return true;
}
