/** Whether an input is a mail, or text pasted from one, with trace lines in it. */

import type {Sniff} from '../form.js';
import {LooseColumns} from '../loose-columns.js';
import {PerfColumns} from '../perf-script/columns.js';
import {trial} from '../trial.js';
import {EventStart} from './event-start.js';
import {foldOf} from './fold.js';
import type {MailNotes} from './notes.js';
import {MailReader} from './reader.js';

const NO: Sniff = {verdict: 'no', score: 0, evidence: []};
const FOLDED = 98;
/** Header fields that make a mail. */
const FEW_FIELDS = 2;

function counted(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}

/** Why a mail holds nothing that can be used. */
function whyNone(events: number, cut: number): string {
  if (events === 0 && cut === 0) return 'no event in the first lines';
  return cut > 0 ? 'its events are cut off before what they say' : 'no event about pages among them';
}

export function sniffMail(head: Uint8Array): Sniff {
  const columns = new LooseColumns();
  const starts = new EventStart(columns, new PerfColumns());
  const fold = foldOf(head, (buf, start, end) => starts.stands(buf, start, end));
  const sniff = sniffWith(head, fold);
  return fold > 0 ? {...sniff, open: (sink, options) => new MailReader(sink, options, fold)} : sniff;
}

function sniffWith(head: Uint8Array, fold: number): Sniff {
  let notes: MailNotes | undefined;
  const t = trial((sink, options) => {
    const reader = new MailReader(sink, options, fold);
    notes = reader.notes;
    return reader;
  }, head);
  const n = notes!;
  const {events} = t.counters;
  const evidence: string[] = [];
  if (fold > 0) evidence.push(`lines are cut at column ${fold}, as a terminal cuts them: put together again`);
  const headed = n.headerFields >= FEW_FIELDS;
  if (headed) evidence.push(`line ${n.headerLine}: the header of a mail`);
  if (n.encoding !== '') evidence.push(`line ${n.encodedLine}: ${n.encoding} text`);
  if (n.quoted > 0)
    evidence.push(`line ${n.quotedLine}: an event behind quote marks (>); ${counted(n.quoted, 'such line')}`);
  if (n.joined > 0)
    evidence.push(`line ${n.joinedLine}: an event broken over several lines; ${counted(n.joined, 'break')}`);
  if (n.untimed > 0) evidence.push(`${counted(n.untimed, 'event')} without their time`);
  if (n.repeated > 0) evidence.push(`${counted(n.repeated, 'line')} that repeat earlier ones: one event each`);
  if (events > 0)
    evidence.push(
      `${counted(events, 'event')} in the first ${counted(t.counters.lines, 'line')}, ${counted(n.prose, 'line')} of other text`,
    );
  if (headed && t.decoded > 0) return {verdict: 'yes', score: 96, evidence};
  if (headed) {
    evidence.push(whyNone(events, t.counters.unrecognised));
    return {verdict: 'yes', score: 40, evidence};
  }
  if (t.decoded === 0) return NO;
  // other forms take what is left of the lines for whole ones
  if (fold > 0) return {verdict: 'yes', score: FOLDED, evidence};
  if (n.quoted > 0 && n.quoted * 2 >= events) return {verdict: 'yes', score: 88, evidence};
  if (n.encoding !== '') return {verdict: 'yes', score: 80, evidence};
  // pasted without any sign of a mail: only if other forms make less of it
  return n.untimed > 0 || n.joined > 0 || n.prose > 1 ? {verdict: 'yes', score: 62, evidence} : NO;
}
