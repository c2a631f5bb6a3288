/**
 * `bpftrace -f json`: one record a line.
 *
 *     {"type": "attached_probes", "data": {"probes": 26}}
 *     {"type": "printf", "data": "43125551176 cpu=1 pid=232 tid=232 comm=bpftrace mm_page_alloc pfn=0xed6c order=0\n"}
 *     {"type": "printf", "data": "... order=0\n\n\tffffffff9bef9486 __alloc_pages+598\n"}          with kstack
 *     {"type": "lost_events", "data": {"events": 8}}                                  0.24 on: {"count": 8} beside it
 *     {"type": "map", "data": {"@pins": {"wl,398": 5}}}
 */

import type {EventSink} from '../../src/events/event.js';
import {ascii, CR, decimal, isDigit, LF, QUOTE, sameBytes, skipSpaces, LBRACE} from '../bytes.js';
import type {OpenOptions, ReaderCounters} from '../form.js';
import {LineReader, MAX_LINE} from '../lines/line-reader.js';
import {isPlainLine, Members, unescape} from './json.js';
import {BpftraceLines} from './lines.js';
import type {Style} from './style.js';

const TYPE = ascii('type');
const DATA = ascii('data');
const PRINTF = ascii('printf');
const LOST = ascii('lost_events');
const EVENTS = ascii('events');
const COUNT = ascii('count');

export class BpftraceJsonReader extends LineReader {
  readonly counters: ReaderCounters;
  private readonly lines: BpftraceLines;
  private readonly members = new Members();
  private readonly inner = new Members();
  /** a record, then what its text is, escapes resolved */
  private work = new Uint8Array(4096);
  /** text of records before that ended within a line */
  private partial = new Uint8Array(0);

  constructor(sink: EventSink, options: OpenOptions, style?: Style) {
    super();
    this.lines = new BpftraceLines(sink, options, style);
    this.counters = this.lines.counters;
  }

  override end(): void {
    super.end();
    this.flush(0);
    this.lines.end();
  }

  protected unread(): void {
    this.lines.unread();
  }

  protected region(buf: Uint8Array, start: number, stop: number, offset: number): void {
    while (start < stop) {
      this.counters.lines++;
      const newline = buf.indexOf(LF, start);
      const end = newline > start && buf[newline - 1] === CR ? newline - 1 : newline;
      if (end - start > MAX_LINE) this.tooLong(buf, start, end);
      else if (start < end && !this.record(buf, start, end, offset + start)) this.unrecognised(buf, start, end);
      start = newline + 1;
    }
  }

  /** False if the line is not a whole record, nor one of the lines that bpftrace prints beside them. */
  private record(buf: Uint8Array, start: number, end: number, offset: number): boolean {
    const {members} = this;
    if (buf[skipSpaces(buf, start, end)] !== LBRACE) return this.lines.line(buf, start, end, start, end, offset);
    if (!members.open(buf, start, end)) return false;
    let typeStart = -1;
    let typeEnd = -1;
    let dataStart = -1;
    let dataEnd = -1;
    while (members.next()) {
      if (sameBytes(buf, members.keyStart, members.keyEnd, TYPE)) {
        typeStart = members.valueStart;
        typeEnd = members.valueEnd;
      } else if (sameBytes(buf, members.keyStart, members.keyEnd, DATA)) {
        dataStart = members.valueStart;
        dataEnd = members.valueEnd;
      }
    }
    if (members.damaged || typeStart < 0 || buf[typeStart] !== QUOTE) return false;
    const is = (name: Uint8Array) => sameBytes(buf, typeStart + 1, typeEnd - 1, name);
    if (is(PRINTF)) {
      if (dataStart < 0 || buf[dataStart] !== QUOTE) return false;
      return this.text(buf, dataStart + 1, dataEnd - 1, start, end, offset);
    }
    if (is(LOST)) this.lines.lost(lostCount(this.inner, buf, dataStart, dataEnd));
    return true;
  }

  /** The text of a printf record: lines, maybe several, maybe not whole. */
  private text(
    buf: Uint8Array,
    start: number,
    end: number,
    recordStart: number,
    recordEnd: number,
    offset: number,
  ): boolean {
    if (this.partial.length === 0 && isPlainLine(buf, start, end)) {
      return this.lines.line(buf, start, end - 2, recordStart, recordEnd, offset);
    }
    // Events point into one buffer: the record as it stands in the input, then its text.
    const record = recordEnd - recordStart;
    const need = record + this.partial.length + end - start;
    if (this.work.length < need) this.work = new Uint8Array(2 * need);
    const {work} = this;
    work.set(buf.subarray(recordStart, recordEnd), 0);
    work.set(this.partial, record);
    let from = record;
    const begin = record + this.partial.length;
    const stop = unescape(buf, start, end, work, begin);
    if (begin > from && this.lines.looksLikeEvent(work, from, begin) && this.lines.looksLikeEvent(work, begin, stop)) {
      // a program that leaves the newline out, as every record is a line of its own
      this.flush(offset);
      from = begin;
    }
    let known = true;
    for (let at = from; (at = work.indexOf(LF, from)) >= 0 && at < stop; from = at + 1) {
      known = this.lines.line(work, from, at, 0, record, offset) && known;
    }
    // a line without an end is bounded as any other
    this.partial = stop - from <= MAX_LINE ? work.slice(from, stop) : new Uint8Array(0);
    return known;
  }

  private flush(offset: number): void {
    const {partial} = this;
    if (partial.length === 0) return;
    this.partial = new Uint8Array(0);
    if (!this.lines.line(partial, 0, partial.length, 0, partial.length, offset)) {
      this.unrecognised(partial, 0, partial.length);
    }
  }
}

/** `{"events": 8}`, `{"count": 8}`; newer releases print large numbers as strings. -1: not said */
function lostCount(members: Members, buf: Uint8Array, start: number, end: number): number {
  if (start < 0 || !members.open(buf, start, end)) return -1;
  while (members.next()) {
    const named =
      sameBytes(buf, members.keyStart, members.keyEnd, EVENTS) ||
      sameBytes(buf, members.keyStart, members.keyEnd, COUNT);
    if (!named) continue;
    const at = buf[members.valueStart] === QUOTE ? members.valueStart + 1 : members.valueStart;
    if (isDigit(buf[at]!)) return decimal(buf, at, members.valueEnd);
  }
  return -1;
}
