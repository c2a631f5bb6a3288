/**
 * What a prover answers: proven by events, open and why, or refuted by events. And in which order two events were, which most of
 * them ask.
 */
import type {Line, Premise, When} from '../claims/premise.js';
import {Context} from '../events/event.js';
import type {Ledger} from '../ledger/ledger.js';
import type {Deed} from '../ledger/tables/references.js';
import type {Doubt, Silence} from './silence.js';

export type Ruling =
  {state: 'proven'; by: readonly Line[]} | {state: 'open'; why: string; by: readonly Line[]} | {state: 'refuted'};

/** What the provers ask. */
export interface Court {
  m: Ledger;
  silence: Silence;
}

export type Prover<Id extends Premise['id']> = (premise: Extract<Premise, {id: Id}>, court: Court) => Ruling;

/** Provers of some premises. */
export type Provers<Ids extends Premise['id']> = {[Id in Ids]: Prover<Id>};

export const REFUTED: Ruling = {state: 'refuted'};
export const proven = (...by: (Line | undefined)[]): Ruling => ({state: 'proven', by: lines(by)});
export const open = (why: string, ...by: (Line | undefined)[]): Ruling => ({state: 'open', why, by: lines(by)});
export const unless = (doubt: Doubt | null, ...by: (Line | undefined)[]): Ruling =>
  doubt === null ? proven(...by) : open(doubt.why, ...by);

function lines(by: readonly (Line | undefined)[]): Line[] {
  const named: Line[] = [];
  for (const l of by) if (l !== undefined && l.line > 0) named.push({input: l.input, line: l.line});
  return named;
}

/** Times are printed in microseconds: two events on two CPUs this close cannot be ordered. */
const TIE_NS = 1000;

/** From the probe on the entry of a grab or a drop to the change of the count, with an interrupt between. */
export const GRAB_NS = 20_000;

/** The same on a CPU that stands still meanwhile: a virtual one, or a task that is preempted there (PREEMPT_RT). */
export const STALL_NS = 20_000_000;

/** Two events of one kind on one CPU are in the order of that CPU's own stream; else their distance must exceed the skew. */
export function ordered(first: When, second: When, {m}: Court): Ruling {
  if (first.line === second.line && first.line > 0 && first.input === second.input) return proven(first);
  if (second.t < first.t) return REFUTED;
  if (first.cpu === second.cpu && first.cpu >= 0) {
    // at one time the order of the lines is that CPU's own
    const turned = second.t === first.t && second.input === first.input && second.line > 0 && second.line < first.line;
    return turned ? REFUTED : proven(first, second);
  }
  const distance = second.t - first.t;
  const ahead = m.capture.skew.ahead(first.cpu, second.cpu, m.capture.facts.get('clock'));
  if (distance > (m.capture.time.unit === 'ticks' ? 0 : TIE_NS)) {
    if (distance > ahead) return proven(first, second);
    return open(
      `lines ${first.line} and ${second.line} are on two CPUs, whose clocks may differ by more than lies between them: record with trace_clock mono`,
      first,
      second,
    );
  }
  return open(
    `lines ${first.line} and ${second.line} have equal times on two CPUs: their order is not known`,
    first,
    second,
  );
}

/** Whether two deeds are one task's, one after the other. */
export function oneTask(a: Deed, b: Deed): boolean {
  return a.task === b.task && a.context <= Context.task && b.context <= Context.task;
}
