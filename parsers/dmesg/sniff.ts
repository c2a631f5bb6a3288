/** Whether an input is a kernel log with an ftrace dump in it. */

import {find, text} from '../bytes.js';
import type {Sniff} from '../form.js';
import {LineContext} from '../ftrace/context.js';
import {headLines} from '../head-lines.js';
import {saysEmpty} from '../named.js';
import {afterPrefix} from './prefix.js';
import {DUMPING} from './reader.js';

const NO: Sniff = {verdict: 'no', score: 0, evidence: []};
/** Lines with a log's prefix that make a log. */
const FEW = 3;

export function sniffDmesg(head: Uint8Array): Sniff {
  const columns = new LineContext();
  let lines = 0;
  let prefixed = 0;
  let firstPrefixed = 0;
  let events = 0;
  let firstEvent = 0;
  let dump = 0;
  let pages = 0;
  headLines(head, (start, end, line) => {
    if (start === end) return;
    lines++;
    const body = afterPrefix(head, start, end);
    if (body > start) {
      prefixed++;
      firstPrefixed ||= line;
    }
    if (pages === 0 && PAGE_DUMP.test(text(head, body, Math.min(end, body + 200)))) pages = line;
    if (dump === 0 && find(head, body, end, DUMPING) === body) dump = line;
    else if ((body > start || dump > 0) && columns.parse(head, body, end)) {
      events++;
      firstEvent ||= line;
    }
  });
  const evidence: string[] = [];
  if (prefixed > 0) {
    evidence.push(
      `line ${firstPrefixed}: a kernel log's prefix ([seconds] or "kernel:"); ${prefixed} of ${lines} lines have one`,
    );
  }
  if (saysEmpty(head)) {
    evidence.push('the kernel says that its ftrace buffer was empty: enable the events before it happens');
  }
  if (pages > 0) evidence.push(`line ${pages}: the dump of a page`);
  if (dump > 0) evidence.push(`line ${dump}: "Dumping ftrace buffer:"`);
  if (events > 0)
    evidence.push(
      `line ${firstEvent}: an event of ftrace after the prefix; ${events} in the first ${head.length} bytes`,
    );
  if (dump > 0) return {verdict: 'yes', score: 92, evidence};
  if (events > 0 && prefixed >= events) return {verdict: 'yes', score: 88, evidence};
  if (prefixed >= FEW && prefixed * 2 > lines) {
    evidence.push(`no ftrace dump in the first ${head.length} bytes: ftrace_dump_on_oops makes the kernel print one`);
    return {verdict: 'yes', score: 30, evidence};
  }
  if (pages > 0) return {verdict: 'yes', score: 45, evidence};
  return NO;
}

/** `page: refcount:-1023 mapcount:0 ...`, with a pointer before it on older kernels */
const PAGE_DUMP = /^ *page:\s?(?:(?:0x)?[0-9a-f]{8,16} )?(?:ref)?count:-?\d/;
