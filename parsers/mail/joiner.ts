/**
 * Events put together from the lines that a mail program broke them into: an event at hand that the next lines complete,
 * and columns that a break cut off from the event below them.
 */
import {SPACE} from '../bytes.js';
import {MAX_LINE} from '../lines/line-reader.js';
import type {LooseColumns} from '../loose-columns.js';
import {frameStart} from '../loose-lines.js';
import type {EventStart} from './event-start.js';
import type {MailNotes} from './notes.js';
import {copy, type Recovered} from './recovered.js';
import {beginsWithName, Joint, joint} from './wrapped.js';

/** A line longer than this is no columns that were cut off. */
const MAX_HEAD = 120;
/** Pieces of one line: lists are long. */
const MAX_PIECES = 64;
const NONE = new Uint8Array(0);

export class Joiner {
  /** the event line at hand, which the next line may complete */
  private pending: Recovered | undefined;
  private pendingDepth = 0;
  private pendingWidth = 0;
  /** its last piece ends in a blank */
  private pendingBlank = false;
  private pieces = 0;
  /** the line before, if it may be the columns of an event that a break cut off */
  private head: Uint8Array = NONE;
  private headLine = 0;
  private headOffset = 0;
  private headDepth = 0;

  constructor(
    private readonly columns: LooseColumns,
    private readonly starts: EventStart,
    private readonly notes: MailNotes,
    /** width at which all lines were cut (fold.ts); 0: they were not */
    private readonly fold: number,
  ) {}

  /** Adds a line to the event above it, if it clearly completes that. */
  goesOn(buf: Uint8Array, start: number, end: number, depth: number, width: number): boolean {
    const {pending, columns, notes} = this;
    const folded = this.fold > 0 && this.pendingWidth === this.fold;
    if (!pending || this.pieces >= MAX_PIECES || depth > this.pendingDepth) return false;
    const {bytes} = pending;
    // columns alone, broken before the name
    const bare = columns.parseWhole(bytes, 0, bytes.length) && columns.bare;
    let how: number = Joint.none;
    if (folded) {
      // the blank at which a line was cut stands at its end, or at the next one's beginning
      if (!this.starts.stands(buf, start, end) && frameStart(buf, start, end) < 0)
        how = this.pendingBlank ? Joint.blank : Joint.nothing;
    } else if (bare) {
      if (beginsWithName(buf, start, end)) how = Joint.blank;
    } else if (!this.starts.at(buf, start, end)) how = joint(bytes, bytes.length, this.pendingWidth, buf, start, end);
    if (how === Joint.none) return false;
    if (bytes.length + end - start > MAX_LINE) return false;
    const rest = copy(buf, start, end);
    const gap = how === Joint.blank ? 1 : 0;
    const joined = new Uint8Array(bytes.length + gap + rest.length);
    joined.set(bytes);
    if (gap > 0) joined[bytes.length] = SPACE;
    joined.set(rest, bytes.length + gap);
    pending.bytes = joined;
    this.pendingWidth = width;
    this.pendingBlank = buf[end - 1] === SPACE;
    this.pieces++;
    notes.joined++;
    notes.joinedLine ||= pending.line;
    return true;
  }

  /** Number of the line at which the event at hand begins. */
  get begunAt(): number {
    return this.pending?.line ?? 0;
  }

  /** The event at hand, which no further line completes. */
  take(): Recovered | undefined {
    const {pending} = this;
    this.pending = undefined;
    return pending;
  }

  /**
   * Whether the line `buf[start..end)` has an event, by itself or with the line before it: it is then the one at hand.
   * `depth` is the number of its quote marks, `width` its length with them.
   */
  begins(
    buf: Uint8Array,
    start: number,
    end: number,
    line: number,
    offset: number,
    depth: number,
    width: number,
  ): boolean {
    const {starts, notes} = this;
    const whole = starts.at(buf, start, end);
    if (whole) start = starts.begin;
    const joined = this.fromHead(buf, start, end, depth, whole);
    if (joined) {
      this.holds({bytes: joined, line: this.headLine, offset: this.headOffset, what: 'event'}, 2, depth, width);
      notes.joined++;
      notes.joinedLine ||= this.headLine;
      this.head = NONE;
      return true;
    }
    this.head = whole || end - start > MAX_HEAD ? NONE : copy(buf, start, end);
    this.headLine = line;
    this.headOffset = offset;
    this.headDepth = depth;
    if (whole) this.holds({bytes: copy(buf, start, end), line, offset, what: 'event'}, 1, depth, width);
    this.pendingBlank = buf[end - 1] === SPACE;
    return whole;
  }

  private holds(event: Recovered, pieces: number, depth: number, width: number): void {
    const {notes} = this;
    this.pending = event;
    this.pieces = pieces;
    this.pendingDepth = depth;
    this.pendingWidth = width;
    if (depth === 0) return;
    notes.quoted++;
    notes.quotedLine ||= event.line;
  }

  /** The line before and this one as one event, where that has a task and a time that this line alone has not. */
  private fromHead(buf: Uint8Array, start: number, end: number, depth: number, whole: boolean): Uint8Array | undefined {
    const {head, columns} = this;
    // what is broken off a quoted line may stand without its marks
    if (head.length === 0 || depth > this.headDepth) return undefined;
    if (whole && columns.timeForm >= 0 && columns.pid >= 0) return undefined;
    for (const gap of [1, 0]) {
      const joined = new Uint8Array(head.length + gap + end - start);
      joined.set(head);
      if (gap > 0) joined[head.length] = SPACE;
      joined.set(buf.subarray(start, end), head.length + gap);
      const read = columns.parseWhole(joined, 0, joined.length) || columns.parseRest(joined, 0, joined.length);
      const better = whole ? columns.pid >= 0 : columns.cpu >= 0 || columns.pid >= 0;
      if (read && better && columns.timeForm >= 0 && columns.nameEnd > columns.nameStart) return joined;
    }
    // what was read last is what the caller goes on with
    if (whole) this.starts.at(buf, start, end);
    return undefined;
  }
}
