/**
 * The columns before an event, known again. A trace has some dozens of tasks on some CPUs, a few texts of flags, and a new
 * second now and then: each is read once by its form, and compared from then on.
 *
 *     ␣␣␣␣␣␣␣␣␣␣␣␣bash-102␣␣␣␣␣(␣␣␣␣102)␣[001]␣ .....  ␣␣␣␣23. 898148 :␣           tracefs
 *     ␣␣␣␣␣␣␣␣␣␣␣␣bash-505␣␣␣[000]              ␣␣␣␣29. 470794 :␣␣                 trace-cmd
 *     ␣␣␣␣␣␣␣␣␣perf612␣␣␣␣␣386␣[001]            ␣␣␣␣18. 369990 :␣␣␣␣␣␣␣␣           perf script
 *     `---------------- head -----------------´ `flags´`- seconds -´
 */

import type {TraceEvent} from '../../src/events/event.js';
import {COLON, DOT, isDigit, LF, SPACE} from '../bytes.js';

/** What a form has read of a line's columns, as positions in its bytes. */
export interface ReadColumns {
  commStart: number;
  commEnd: number;
  pid: number;
  tgid: number;
  cpu: number;
  context: number;
  /** where the columns of task and CPU end */
  headEnd: number;
  /** the flags, which begin there; both 0 where there are none */
  flagsStart: number;
  flagsEnd: number;
  /** the decimal point of the time and the colon after it; 0 where the time is printed otherwise */
  dot: number;
  colon: number;
}

/** Longest head that is kept, in bytes. */
const HEAD_BYTES = 64;
const HEAD_WORDS = HEAD_BYTES / 4;
const HEADS = 512;
const FLAGS = 256;
/** Widest column of seconds whose every byte is compared. */
const SECONDS_BYTES = 8;

export class QuickColumns {
  /** µs of the line just read; its seconds are `seconds` */
  us = 0;
  seconds = 0;

  // the shape of the columns, of the line that was learnt last
  private headLength = 0;
  private flagsLength = 0;
  private toDot = 0;

  // by slot of a head: its words (the last one ends with it), and what it says
  private readonly words = new Int32Array(HEADS * HEAD_WORDS);
  private readonly lengths = new Uint8Array(HEADS);
  private readonly says = new Int32Array(HEADS * 5);
  private head = -1;

  // by slot of flags
  private readonly flagFirst = new Int32Array(FLAGS);
  private readonly flagLast = new Int32Array(FLAGS);
  private readonly flagContext = new Int8Array(FLAGS);
  private readonly flagKnown = new Uint8Array(FLAGS);

  private secondsFirst = 0;
  private secondsLast = 0;

  /**
   * The columns at `start`: task, CPU and context into `ev`, the time into `seconds` and `us`. Answers the position after
   * the colon of the time, or -1 if anything is new. `buf` goes on for a kilobyte.
   */
  read(buf: Uint8Array, view: DataView, start: number, ev: TraceEvent): number {
    const {headLength, flagsLength} = this;
    if (headLength === 0) return -1;
    if (!this.known(view, start, this.head) && !this.find(view, start)) return -1;
    const flags = start + headLength;
    if (flagsLength > 0) {
      const slot = this.flagSlot(view, flags);
      if (slot < 0) return -1;
      ev.context = this.flagContext[slot]!;
    } else ev.context = -1;
    const dot = flags + this.toDot;
    if (
      view.getInt32(flags + flagsLength, true) !== this.secondsFirst ||
      view.getInt32(dot - 4, true) !== this.secondsLast ||
      !this.micros(buf, dot)
    )
      return -1;
    const at = this.head * 5;
    const {says} = this;
    ev.pid = says[at]!;
    ev.tgid = says[at + 1]!;
    ev.cpu = says[at + 2]!;
    ev.commStart = start + says[at + 3]!;
    ev.commEnd = start + says[at + 4]!;
    return dot + 8;
  }

  /** `.898148:` */
  private micros(buf: Uint8Array, dot: number): boolean {
    const a = buf[dot + 1]! - 48;
    const b = buf[dot + 2]! - 48;
    const c = buf[dot + 3]! - 48;
    const d = buf[dot + 4]! - 48;
    const e = buf[dot + 5]! - 48;
    const f = buf[dot + 6]! - 48;
    if (a >>> 0 > 9 || b >>> 0 > 9 || c >>> 0 > 9 || d >>> 0 > 9 || e >>> 0 > 9 || f >>> 0 > 9) return false;
    if (buf[dot] !== DOT || buf[dot + 7] !== COLON) return false;
    this.us = a * 100000 + b * 10000 + c * 1000 + d * 100 + e * 10 + f;
    return true;
  }

  private known(view: DataView, start: number, head: number): boolean {
    if (head < 0) return false;
    const {words, headLength} = this;
    const at = head * HEAD_WORDS;
    const whole = headLength >> 2;
    for (let i = 0; i < whole; i++) if (view.getInt32(start + 4 * i, true) !== words[at + i]) return false;
    return view.getInt32(start + headLength - 4, true) === words[at + whole];
  }

  private find(view: DataView, start: number): boolean {
    const slot = this.slotOf(view, start);
    if (this.lengths[slot] !== this.headLength || !this.known(view, start, slot)) return false;
    this.head = slot;
    return true;
  }

  private slotOf(view: DataView, start: number): number {
    let hash = view.getInt32(start + this.headLength - 4, true);
    for (let i = 0; i < this.headLength >> 2; i++) hash = Math.imul(hash, 31) + view.getInt32(start + 4 * i, true);
    hash ^= hash >>> 17;
    return (hash ^ (hash >>> 9)) & (HEADS - 1);
  }

  /** The slot of the flags at `pos`, or -1 if they were not met before. */
  private flagSlot(view: DataView, pos: number): number {
    const first = view.getInt32(pos, true);
    const last = view.getInt32(pos + this.flagsLength - 4, true);
    const slot = slotOfFlags(first, last);
    return this.flagFirst[slot] === first && this.flagLast[slot] === last && this.flagKnown[slot] === this.flagsLength
      ? slot
      : -1;
  }

  /** Learns the columns of the line at `start`, as its form has read them, if they are of a kind that `read` can compare. */
  learn(buf: Uint8Array, view: DataView, start: number, columns: ReadColumns): void {
    const headLength = columns.headEnd - start;
    const flagsLength = columns.flagsEnd - columns.flagsStart;
    const secondsStart = columns.headEnd + flagsLength;
    const width = columns.dot - secondsStart;
    if (columns.dot === 0 || columns.colon - columns.dot !== 7 || columns.dot + 8 > buf.length) return;
    if (headLength < 8 || headLength > HEAD_BYTES - 4 || width < 4 || width > SECONDS_BYTES) return;
    if (flagsLength > 0 && (flagsLength < 4 || flagsLength > 8 || columns.flagsStart !== columns.headEnd)) return;
    let pos = secondsStart;
    while (buf[pos] === SPACE) pos++;
    if (pos === secondsStart) return;
    let seconds = 0;
    for (; pos < columns.dot; pos++) {
      if (!isDigit(buf[pos]!)) return;
      seconds = seconds * 10 + (buf[pos]! - 48);
    }
    for (let i = start; i < columns.headEnd; i++) if (buf[i] === LF) return;
    this.headLength = headLength;
    this.flagsLength = flagsLength;
    this.toDot = flagsLength + width;
    this.seconds = seconds;
    this.secondsFirst = view.getInt32(secondsStart, true);
    this.secondsLast = view.getInt32(columns.dot - 4, true);
    this.learnHead(view, start, columns);
    if (flagsLength === 0) return;
    const first = view.getInt32(columns.headEnd, true);
    const last = view.getInt32(columns.flagsEnd - 4, true);
    const slot = slotOfFlags(first, last);
    this.flagFirst[slot] = first;
    this.flagLast[slot] = last;
    this.flagContext[slot] = columns.context;
    this.flagKnown[slot] = flagsLength;
  }

  private learnHead(view: DataView, start: number, columns: ReadColumns): void {
    const {headLength, words, says} = this;
    const slot = this.slotOf(view, start);
    const whole = headLength >> 2;
    for (let i = 0; i < whole; i++) words[slot * HEAD_WORDS + i] = view.getInt32(start + 4 * i, true);
    words[slot * HEAD_WORDS + whole] = view.getInt32(start + headLength - 4, true);
    this.lengths[slot] = headLength;
    says[slot * 5] = columns.pid;
    says[slot * 5 + 1] = columns.tgid;
    says[slot * 5 + 2] = columns.cpu;
    says[slot * 5 + 3] = columns.commStart - start;
    says[slot * 5 + 4] = columns.commEnd - start;
    this.head = slot;
  }

  /** Forgets the shape: no line is known until one is learnt. */
  forget(): void {
    this.headLength = 0;
  }
}

function slotOfFlags(first: number, last: number): number {
  return (Math.imul(first, 0x9e3779b1) + Math.imul(last, 0x85ebca6b)) >>> 24;
}
