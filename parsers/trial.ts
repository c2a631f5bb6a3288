/** A trial run of a reader over the first bytes of an input: what it makes of them. */

import {EVENT_KINDS, EventKind, type EventSink} from '../src/events/event.js';
import {TimeBase} from '../src/base/time.js';
import {LF} from './bytes.js';
import type {OpenOptions, ReaderCounters, TraceReader} from './form.js';

/** No form needs more than this to be known by. */
const TRIAL_BYTES = 1 << 16;

export interface Trial {
  counters: ReaderCounters;
  /** events by kind */
  kinds: number[];
  facts: Map<string, string>;
  losses: number;
  /** 1-based number of the first line that was not understood; 0 when all were */
  firstUnrecognised: number;
  /** events that name pages: anything but markers and names that nobody decodes */
  decoded: number;
}

export function trial(open: (sink: EventSink, options: OpenOptions) => TraceReader, head: Uint8Array): Trial {
  const kinds = Array.from({length: EVENT_KINDS}, () => 0);
  const facts = new Map<string, string>();
  let losses = 0;
  let decoded = 0;
  const sink: EventSink = {
    event(ev) {
      kinds[ev.kind]!++;
      if (ev.kind !== EventKind.Marker) decoded++;
    },
    stackBegin: () => false,
    stackFrame() {},
    stackEnd() {},
    loss({what}) {
      if (what !== 'unread') losses++;
    },
    fact(_input, name, value) {
      if (!facts.has(name)) facts.set(name, value);
    },
  };
  const reader = open(sink, {input: 0, time: new TimeBase()});
  const sample = wholeLines(head);
  reader.push(sample, sample.length);
  if (sample.length === head.length) reader.end();
  const {counters} = reader;
  return {counters, kinds, facts, losses, decoded, firstUnrecognised: counters.firstUnrecognised[0]?.line ?? 0};
}

/** The first lines of `head`, without the one that its end, or ours, cuts. */
function wholeLines(head: Uint8Array): Uint8Array {
  if (head.length <= TRIAL_BYTES) {
    return head;
  }
  const newline = head.lastIndexOf(LF, TRIAL_BYTES - 1);
  return head.subarray(0, newline < 0 ? TRIAL_BYTES : newline + 1);
}

/** How much of what was tried was understood, 0 to 1; blank input is 0. */
export function understood(counters: ReaderCounters): number {
  return counters.lines === 0 ? 0 : 1 - counters.unrecognised / counters.lines;
}
