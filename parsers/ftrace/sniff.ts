/** Whether an input is tracefs text, and which of its variants tell nothing about pages. */

import {EventKind} from '../../src/events/event.js';
import {COLON, SPACE, text} from '../bytes.js';
import type {Sniff} from '../form.js';
import {headLines} from '../head-lines.js';
import {trial, understood} from '../trial.js';
import {isGraph} from '../prefix/graph.js';
import {LineContext} from './context.js';
import {FtraceReader} from './reader.js';

const NO: Sniff = {verdict: 'no', score: 0, evidence: []};

/** The `raw` option: `101 0 9644221719 type: 707` */
const RAW = /^\d+ \d+ \d+ (?:type: \d+|[0-9a-f]+ )/;

const RECORD_INSTEAD =
  'Record the events that carry pages instead: `pinscope record --print` writes a script that does, for example with\n' +
  '  echo nop > /sys/kernel/tracing/current_tracer\n' +
  '  echo 1 > /sys/kernel/tracing/events/page_ref/enable   (or, without CONFIG_DEBUG_PAGE_REF, probes with arguments)\n' +
  "  echo 'p:unpin_user_page unpin_user_page page=$arg1:x64' >> /sys/kernel/tracing/kprobe_events";

/** Lines looked at for the variants, and for how names are padded. */
const LOOK = 400;

export function sniffFtrace(head: Uint8Array): Sniff {
  const t = trial((sink, options) => new FtraceReader(sink, options), head);
  const {counters, facts} = t;
  const tracer = facts.get('tracer');
  const evidence: string[] = [];
  if (tracer !== undefined) evidence.push(`a line "# tracer: ${tracer}"`);
  if (facts.has('entries_in_buffer')) evidence.push('the header of a tracefs `trace` file');

  let raw = 0;
  let graph = 0;
  let looked = 0;
  headLines(head, (start, end, line) => {
    if (line > LOOK || start === end || head[start] === 35) return;
    looked++;
    const words = text(head, start, Math.min(end, start + 100));
    if (RAW.test(words)) raw++;
    else if (isGraph(words)) graph++;
  });
  if (raw > looked / 2) {
    return {
      verdict: 'refused',
      score: 95,
      evidence: [...evidence, `${raw} of ${looked} lines are of the form "PID CPU TIME type: N"`],
      advice:
        'The `raw` trace option prints numbers of event types without their fields. Switch it off and read the buffer again\n' +
        '  echo noraw > /sys/kernel/tracing/trace_options; cat /sys/kernel/tracing/trace > trace.txt\n' +
        '(the `fields` option is read).',
    };
  }
  if (graph > looked / 2 || (tracer === 'function_graph' && t.decoded === 0)) {
    return {
      verdict: 'refused',
      score: 95,
      evidence: [...evidence, `${graph} of ${looked} lines are of the function_graph tracer`],
      advice: `A function graph without events in it has no arguments, so no page can be known from it. ${RECORD_INSTEAD}`,
    };
  }
  const functions = counters.eventsByName().get('(function)') ?? 0;
  // without an event that takes or drops a reference no rule can judge
  if (
    functions > 0 &&
    counters.torn === 0 &&
    t.kinds.slice(EventKind.RefSet, EventKind.BioRelease + 1).every((n) => n === 0)
  ) {
    return {
      verdict: 'refused',
      score: 95,
      evidence: [...evidence, `${functions} lines of the function tracer, and no event about a page's references`],
      advice: `The function tracer prints no arguments, so no page can be known from it. ${RECORD_INSTEAD}`,
    };
  }
  if (counters.events === 0 && tracer === undefined) return NO;
  if (counters.events === 0 && counters.unrecognised > 0) {
    return {
      verdict: 'refused',
      score: 60,
      evidence: [...evidence, `line ${t.firstUnrecognised} and those after it are no events`],
      advice:
        'The header is that of a tracefs `trace` file, the lines are not. Was the file edited, or cut out of another?',
      damagedAt: t.firstUnrecognised,
    };
  }
  const share = understood(counters);
  if (tracer === undefined && share < 0.5) return NO;
  if (tracer === undefined) {
    const style = nameStyle(head);
    if (style.padded > style.plain) return NO;
    evidence.push('no header: a trace_pipe stream or an excerpt');
  }
  if (counters.events > 0) {
    evidence.push(`${counters.events} of the first ${counters.lines} lines are events as the kernel prints them`);
  }
  return {verdict: 'yes', score: Math.round((tracer === undefined ? 80 : 90) * share) + 5, evidence};
}

/**
 * After an event's name and colon the kernel prints one blank; trace-cmd pads name and colon to 20 columns. Counts the
 * events of either style, names too long to be padded left out.
 */
export function nameStyle(head: Uint8Array): {plain: number; padded: number} {
  const columns = new LineContext();
  let plain = 0;
  let padded = 0;
  headLines(head, (start, end, line) => {
    if (line > LOOK || !columns.parse(head, start, end)) return;
    let pos = columns.body;
    while (pos < end && head[pos] !== COLON && head[pos]! > SPACE) pos++;
    if (pos + 2 >= end || head[pos] !== COLON || pos - columns.body > 18) return;
    if (head[pos + 2] === SPACE) padded++;
    else plain++;
  });
  return {plain, padded};
}
