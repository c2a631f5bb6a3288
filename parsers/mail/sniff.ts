/** Whether an input is a mail, or text pasted from one, with trace lines in it. */

import type {Sniff} from '../form.js';
import {trial} from '../trial.js';
import {MailReader, type MailNotes} from './reader.js';

const NO: Sniff = {verdict: 'no', score: 0, evidence: []};
/** Header fields that make a mail. */
const FEW_FIELDS = 2;

export function sniffMail(head: Uint8Array): Sniff {
  let notes: MailNotes | undefined;
  const t = trial((sink, options) => {
    const reader = new MailReader(sink, options);
    notes = reader.notes;
    return reader;
  }, head);
  const n = notes!;
  const {events} = t.counters;
  const evidence: string[] = [];
  const headed = n.headerFields >= FEW_FIELDS;
  if (headed) evidence.push(`line ${n.headerLine}: the header of a mail`);
  if (n.encoding !== '') evidence.push(`line ${n.encodedLine}: ${n.encoding} text`);
  if (n.quoted > 0) evidence.push(`line ${n.quotedLine}: an event behind quote marks (>); ${n.quoted} such lines`);
  if (n.joined > 0) evidence.push(`line ${n.joinedLine}: an event broken over several lines; ${n.joined} breaks`);
  if (n.untimed > 0) evidence.push(`${n.untimed} events without their time`);
  if (events > 0)
    evidence.push(`${events} events in the first ${t.counters.lines} lines, ${n.prose} lines of other text`);
  if (headed && t.decoded > 0) return {verdict: 'yes', score: 96, evidence};
  if (headed) {
    evidence.push(events > 0 ? 'every event is cut off before what it says' : 'no event in the first lines');
    return {verdict: 'yes', score: 40, evidence};
  }
  if (t.decoded === 0) return NO;
  if (n.quoted > 0 && n.quoted * 2 >= events) return {verdict: 'yes', score: 88, evidence};
  if (n.encoding !== '') return {verdict: 'yes', score: 80, evidence};
  // pasted without any sign of a mail: only if other forms make less of it
  return n.untimed > 0 || n.joined > 0 || n.prose > 1 ? {verdict: 'yes', score: 62, evidence} : NO;
}
