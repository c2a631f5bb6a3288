/**
 * The columns before an event, known again. A trace has some dozens of tasks on some CPUs, a few texts of flags, and a new
 * second now and then: each is read once by its form, and compared from then on.
 *
 *     ␣␣␣␣␣␣␣␣␣␣␣␣bash-102␣␣␣␣␣(␣␣␣␣102)␣[001]␣ .....  ␣␣␣␣23. 898148 :␣           tracefs
 *     ␣␣␣␣␣␣␣␣␣␣␣␣bash-505␣␣␣[000]              ␣␣␣␣29. 470794 :␣␣                 trace-cmd
 *     ␣␣␣␣␣␣␣␣␣perf612␣␣␣␣␣386␣[001]            ␣␣␣␣18. 369990 :␣␣␣␣␣␣␣␣           perf script
 *     `---------------- head -----------------´ `flags´`- seconds -´
 */

import {COLON, DOT, isDigit, LF, SPACE} from '../bytes.js';
import {DEC2, Texts} from './texts.js';

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
  seconds: number;
  /** the decimal point of the time and the colon after it; 0 where the time is printed otherwise */
  dot: number;
  colon: number;
}

const HEADS = 512;
/** Longest head that is kept, in doubles. */
const HEAD_DOUBLES = 8;
/** What a head says. */
export const Head = {pid: 0, tgid: 1, cpu: 2, comm: 3, commEnd: 4} as const;
export const HEAD_SAYS = 5;
const FLAGS = 256;
/** Widest column of seconds whose every byte is compared. */
const SECONDS_BYTES = 8;

export class QuickColumns {
  /** tasks and CPUs, with what each says */
  readonly heads = new Texts(HEADS, HEAD_DOUBLES, HEAD_SAYS);
  /** of the line just read: the slot of its head, its context, its µs */
  head = 0;
  context = -1;
  us = 0;

  // the shape of the columns, of the line that was learnt last
  private headLength = 0;
  private flagsLength = 0;
  private toDot = 0;

  // by slot of flags
  private readonly flagFirst = new Int32Array(FLAGS);
  private readonly flagLast = new Int32Array(FLAGS);
  private readonly flagContext = new Int8Array(FLAGS);
  private readonly flagKnown = new Uint8Array(FLAGS);

  private secondsFirst = 0;
  private secondsLast = 0;

  /**
   * The columns at `start`. Answers the position after the colon of the time, or -1 if anything is new. `buf` goes on for a
   * kilobyte.
   */
  read(buf: Uint8Array, view: DataView, start: number): number {
    let length = this.heads.at(view, start, this.head);
    if (length === 0 && (length = this.find(view, start)) === 0) return -1;
    const flags = start + length;
    const {flagsLength} = this;
    if (flagsLength > 0) {
      const slot = this.flagSlot(view, flags);
      if (slot < 0) return -1;
      this.context = this.flagContext[slot]!;
    } else this.context = -1;
    const dot = flags + this.toDot;
    if (
      view.getInt32(flags + flagsLength, true) !== this.secondsFirst ||
      view.getInt32(dot - 4, true) !== this.secondsLast
    )
      return -1;
    return this.micros(buf, view, dot) ? dot + 8 : -1;
  }

  /** `.898148:` */
  private micros(buf: Uint8Array, view: DataView, dot: number): boolean {
    const a = DEC2[view.getUint16(dot + 1, true)]!;
    const b = DEC2[view.getUint16(dot + 3, true)]!;
    const c = DEC2[view.getUint16(dot + 5, true)]!;
    if ((a | b | c) < 0 || buf[dot] !== DOT || buf[dot + 7] !== COLON) return false;
    this.us = a * 10000 + b * 100 + c;
    return true;
  }

  /** Another head than that of the line before. Answers its length, or 0. */
  private find(view: DataView, start: number): number {
    if (this.headLength === 0) return 0;
    const slot = this.heads.find(view, start, this.hash(view, start));
    if (slot < 0) return 0;
    this.head = slot;
    return this.heads.lengths[slot]!;
  }

  private hash(view: DataView, start: number): number {
    let hash = view.getInt32(start + this.headLength - 4, true);
    for (let i = 0; i < this.headLength >> 2; i++) hash = Math.imul(hash, 31) + view.getInt32(start + 4 * i, true);
    return hash ^ (hash >>> 17);
  }

  /** The slot of the flags at `pos`, or -1 if they were not met before. */
  private flagSlot(view: DataView, pos: number): number {
    const first = view.getInt32(pos, true);
    const last = view.getInt32(pos + this.flagsLength - 4, true);
    const slot = slotOfFlags(first, last);
    if (this.areFlags(first, last, slot)) return slot;
    return this.areFlags(first, last, slot ^ 1) ? slot ^ 1 : -1;
  }

  private areFlags(first: number, last: number, slot: number): boolean {
    return this.flagFirst[slot] === first && this.flagLast[slot] === last && this.flagKnown[slot] === this.flagsLength;
  }

  /**
   * Learns the columns of the line at `start`, as its form has read them. False if they are of a kind that `read` cannot
   * compare.
   */
  learn(buf: Uint8Array, view: DataView, start: number, columns: ReadColumns): boolean {
    const headLength = columns.headEnd - start;
    const flagsLength = columns.flagsEnd - columns.flagsStart;
    const secondsStart = columns.headEnd + flagsLength;
    const width = columns.dot - secondsStart;
    if (columns.dot === 0 || columns.colon - columns.dot !== 7 || columns.dot + 8 > buf.length) return false;
    if (headLength < 8 || headLength > HEAD_DOUBLES * 8 || width < 4 || width > SECONDS_BYTES) return false;
    if (flagsLength > 0 && (flagsLength < 4 || flagsLength > 8 || columns.flagsStart !== columns.headEnd)) return false;
    let pos = secondsStart;
    while (buf[pos] === SPACE) pos++;
    if (pos === secondsStart) return false;
    for (; pos < columns.dot; pos++) if (!isDigit(buf[pos]!)) return false;
    for (let i = start; i < columns.headEnd; i++) if (buf[i] === LF) return false;
    this.headLength = headLength;
    if (!this.learnHead(buf, view, start, columns)) return false;
    this.flagsLength = flagsLength;
    this.toDot = flagsLength + width;
    this.secondsFirst = view.getInt32(secondsStart, true);
    this.secondsLast = view.getInt32(columns.dot - 4, true);
    if (flagsLength > 0) this.learnFlags(view, columns);
    return true;
  }

  private learnHead(buf: Uint8Array, view: DataView, start: number, columns: ReadColumns): boolean {
    const {heads} = this;
    if (this.find(view, start) > 0) return true;
    const slot = heads.put(buf, view, start, columns.headEnd, this.hash(view, start));
    if (slot < 0) return false;
    const at = slot * HEAD_SAYS;
    heads.values[at + Head.pid] = columns.pid;
    heads.values[at + Head.tgid] = columns.tgid;
    heads.values[at + Head.cpu] = columns.cpu;
    heads.values[at + Head.comm] = columns.commStart - start;
    heads.values[at + Head.commEnd] = columns.commEnd - start;
    this.head = slot;
    return true;
  }

  private learnFlags(view: DataView, columns: ReadColumns): void {
    if (this.flagSlot(view, columns.headEnd) >= 0) return;
    const first = view.getInt32(columns.headEnd, true);
    const last = view.getInt32(columns.flagsEnd - 4, true);
    let slot = slotOfFlags(first, last);
    if (this.flagKnown[slot] !== 0) slot ^= 1;
    this.flagFirst[slot] = first;
    this.flagLast[slot] = last;
    this.flagContext[slot] = columns.context;
    this.flagKnown[slot] = this.flagsLength;
  }
}

function slotOfFlags(first: number, last: number): number {
  return (Math.imul(first, 0x9e3779b1) + Math.imul(last, 0x85ebca6b)) >>> 24;
}
