/** Whether an input is what bpftrace printed, as text or as JSON. */

import {HASH, hashBytes, LBRACE, QUOTE, skipSpaces, SLASH, SPACE, TAB, text} from '../bytes.js';
import {EventTable} from '../events/table.js';
import type {Sniff} from '../form.js';
import {headLines} from '../head-lines.js';
import {payloadOf} from './events.js';
import {Members} from './json.js';
import {isOutput, MapOutput} from './output.js';
import {LinePrefix} from './prefix.js';

const NO: Sniff = {verdict: 'no', score: 0, evidence: []};

/** What to do with a bpftrace program whose output names no pages. */
const ADVICE =
  'Maps and histograms hold sums, not events. Print one line an event, for example\n' +
  '  kprobe:unpin_user_page { printf("%llu cpu=%d pid=%d tid=%d comm=%s unpin_user_page page=0x%llx\\n", nsecs, cpu, pid, tid, comm, arg0); }\n' +
  'or let `pinscope record` write the program.';

export function sniffText(head: Uint8Array): Sniff {
  const prefix = new LinePrefix();
  const table = new EventTable();
  const maps = new MapOutput();
  let program = 0;
  let recorder = 0;
  let attaching = 0;
  let timed = 0;
  let untimed = 0;
  let unknown = 0;
  let mapLines = 0;
  let others = 0;
  let firstEvent = 0;
  let firstMap = 0;
  let sample = '';
  headLines(head, (start, end, line) => {
    if (start === end || head[start] === TAB || head[start] === SPACE) return;
    if (head[start] === HASH) {
      if (recorder === 0 && RECORDER.test(text(head, start, Math.min(end, start + 40)))) recorder = line;
      return;
    }
    if (program === 0 && others + timed + untimed === 0) {
      // comments of a program stand before its clauses
      if (head[start] === SLASH) return;
      if (PROGRAM.test(text(head, start, Math.min(end, start + 200)))) program = line;
    }
    if (head[start] === LBRACE) {
      // a JSON record, or a structure
      others++;
      return;
    }
    if (maps.continues(head, start, end) || maps.begins(head, start, end)) {
      mapLines++;
      firstMap ||= line;
      return;
    }
    if (attaching === 0 && ATTACHING.test(text(head, start, Math.min(end, start + 40)))) {
      attaching = line;
      return;
    }
    if (!prefix.parse(head, start, end)) {
      if (!isOutput(head, start, end)) others++;
      return;
    }
    const {nameStart, nameEnd} = prefix;
    const entry = table.entry(head, nameStart, nameEnd, hashBytes(head, nameStart, nameEnd));
    const known = payloadOf(entry).read !== 'nothing';
    if (!known) {
      if (prefix.hasTime && prefix.pairs >= 2) unknown++;
      else others++;
      return;
    }
    if (prefix.hasTime && prefix.pairs > 0) timed++;
    else if (prefix.hasTime || prefix.pairs > 0) untimed++;
    else {
      others++;
      return;
    }
    if (firstEvent === 0) {
      firstEvent = line;
      sample = entry.name;
    }
  });
  if (program > 0 && attaching + timed === 0) {
    return {
      verdict: 'refused',
      score: 90,
      evidence: [`line ${program} is a clause of a bpftrace program, not what it prints`],
      advice: 'Run it and give its output: bpftrace PROGRAM >trace.txt',
    };
  }
  const evidence: string[] = [];
  if (recorder > 0) evidence.push(`line ${recorder}: \`pinscope record\` ran bpftrace`);
  if (attaching > 0) evidence.push(`line ${attaching}: bpftrace's "Attaching ... probes"`);
  const events = timed + untimed;
  if (events > 0) {
    evidence.push(
      `line ${firstEvent}: ${timed > 0 ? 'a time, key=value pairs' : 'key=value pairs'}, then the event's name (${sample}); ` +
        `${events} such line${events === 1 ? '' : 's'} in the first ${head.length} bytes`,
    );
  }
  if (mapLines > 0) evidence.push(`line ${firstMap}: a bpftrace map (@...)`);
  const convinced = timed > 0 || (attaching > 0 && (events > 0 || unknown > 0)) || (untimed > 0 && untimed > others);
  if (convinced) return {verdict: 'yes', score: attaching > 0 || recorder > 0 || timed > others ? 95 : 60, evidence};
  if (attaching > 0 && mapLines + others > 0) {
    evidence.push(`no line with an event's name and key=value pairs in the first ${head.length} bytes`);
    return {verdict: 'refused', score: 80, evidence, advice: ADVICE};
  }
  if (mapLines > 0 && others === 0) return {verdict: 'refused', score: 60, evidence, advice: ADVICE};
  if (attaching > 0 || recorder > 0) return {verdict: 'yes', score: 70, evidence};
  return NO;
}

/** `kprobe:unpin_user_page { printf(...); }`, `BEGIN { ...` */
const PROGRAM =
  /^(?:BEGIN|END|(?:k|kret|u|uret)probe:\S+|tracepoint:\S+|k(?:ret)?func:\S+|f(?:entry|exit):\S+) *(?:\/[^{]*\/ *)?\{/;
/** What `pinscope record` writes before the output of the tool it ran. */
const RECORDER = /^# pinscope-record: tool=bpftrace/;
const ATTACHING = /^Attach(?:ing|ed) \d+ probes?/;

/** Types of records (src/output.cpp). */
const TYPES = new Set([
  'attached_probes',
  'lost_events',
  'printf',
  'map',
  'hist',
  'lhist',
  'stats',
  'time',
  'cat',
  'join',
  'syscall',
  'value',
  'helper_error',
  'runtime_error',
]);

export function sniffJson(head: Uint8Array): Sniff {
  const members = new Members();
  const records = new Map<string, number>();
  let first = 0;
  let damagedAt = 0;
  let others = 0;
  headLines(head, (start, end, line) => {
    const at = skipSpaces(head, start, end);
    if (at === end) return;
    if (head[at] !== LBRACE || !members.open(head, at, end)) {
      others++;
      return;
    }
    let type = '';
    while (members.next()) {
      if (head[members.valueStart] === QUOTE && text(head, members.keyStart, members.keyEnd) === 'type') {
        type = text(head, members.valueStart + 1, members.valueEnd - 1);
      }
    }
    if (members.damaged) damagedAt ||= line;
    else if (TYPES.has(type)) {
      records.set(type, (records.get(type) ?? 0) + 1);
      first ||= line;
    } else others++;
  });
  let total = 0;
  for (const n of records.values()) total += n;
  if (total === 0 || others > total) return NO;
  const kinds = [...records].map(([type, n]) => `${type} ${n}`).join(', ');
  const evidence = [`line ${first}: a JSON record of bpftrace; ${total} in the first ${head.length} bytes (${kinds})`];
  const printed = records.get('printf') ?? 0;
  const sniff: Sniff = {verdict: 'yes', score: 97, evidence};
  if (damagedAt > 0) sniff.damagedAt = damagedAt;
  if (printed > 0 || total - (records.get('attached_probes') ?? 0) === 0) return sniff;
  return {...sniff, verdict: 'refused', score: 80, advice: ADVICE};
}
