/**
 * The byte scanner of tracefs text, `trace` and `trace_pipe`: no allocation, no string, no pattern for a line that
 * nobody keeps. What the columns before an event say is in context.ts; payloads are decoded in events/.
 */

import {EventKind} from '../../src/events/event.js';
import {COLON, EQUALS, GREATER, HASH, hashBytes, LESS, LF, MINUS, SPACE, startsWith} from '../bytes.js';
import {After, EventLineReader, type NameColumn} from '../lines/event-lines.js';
import {mention, type EventEntry} from '../events/table.js';
import {LineContext, TimeForm} from './context.js';
import {headerLine, lossLine} from './header.js';

const CPU_COLON = new TextEncoder().encode('CPU:');
const ENTRIES = new TextEncoder().encode('# entries-in-buffer/');
const KERNEL_STACK = new TextEncoder().encode('<stack trace>');
const USER_STACK = new TextEncoder().encode('<user stack trace>');

export class FtraceReader extends EventLineReader {
  private readonly columns = new LineContext();
  protected override readonly names: NameColumn | undefined = 'left';

  /** The task and CPU of the columns become the event's. */
  private take(): void {
    const {ev, columns} = this;
    ev.pid = columns.pid;
    ev.tgid = columns.tgid;
    ev.cpu = columns.cpu;
    ev.context = columns.context;
  }

  /** Lines without the columns of an event. False if the line is none of them. */
  protected special(buf: Uint8Array, start: number, end: number): boolean {
    const first = start < end ? buf[start]! : LF;
    const input = this.options.input;
    if (first === LF) return true;
    if (first === SPACE) {
      // ` => symbol`; a comm may look so too, but then a dash stands in its column
      const frame = buf[start + 1] === EQUALS && buf[start + 2] === GREATER && buf[start + 3] === SPACE;
      if (!frame || (start + 16 < end && buf[start + 16] === MINUS)) return false;
      if (this.after === After.stack) this.frame(buf, start + 4, end);
      return true;
    }
    if (first === HASH) {
      // a comm of eight characters or more fills its column in the latency format
      if (this.columns.parse(buf, start, end)) return false;
      this.endStack();
      if (startsWith(buf, start, end, ENTRIES)) this.counters.beginSection();
      const release = headerLine(buf, start, end, this.counters.lines, input, this.sink);
      if (release) this.table.context.setKernel(release);
      return true;
    }
    if (first === LETTER_C && startsWith(buf, start, end, CPU_COLON)) {
      if (!lossLine(buf, start, end, this.counters.lines, input, this.sink)) return false;
      this.endStack();
      return true;
    }
    return false;
  }

  /** `symbol+0x10/0x90 [mod]`, without ` <ffffffff81..>` of the sym-addr option */
  private frame(buf: Uint8Array, start: number, end: number): void {
    if (buf[end - 1] === GREATER) {
      let bracket = end - 1;
      while (bracket > start && buf[bracket] !== LESS) bracket--;
      if (bracket > start && buf[bracket - 1] === SPACE) end = bracket - 1;
    }
    this.sink.stackFrame(buf, start, end);
  }

  protected eventLine(buf: Uint8Array, start: number, end: number, offset: number): void {
    const columns = this.columns;
    if (!columns.parse(buf, start, end)) {
      if (this.after === After.text) return;
      this.endStack();
      this.unrecognised(buf, start, end);
      return;
    }
    this.endStack();
    this.learn(buf, start, columns);
    const ev = this.ev;
    const counters = this.counters;
    ev.line = counters.lines;
    ev.offset = offset + start;
    ev.lineStart = start;
    ev.lineEnd = end;
    ev.commStart = columns.commStart;
    ev.commEnd = columns.commEnd;
    this.take();
    ev.t = this.time(buf);
    counters.time(ev);

    const body = columns.body;
    if (buf[body] === LESS) {
      const kernel = startsWith(buf, body, end, KERNEL_STACK);
      if (kernel || startsWith(buf, body, end, USER_STACK)) {
        counters.stacks++;
        // frames of user space say nothing about pages
        if (kernel) this.beginStack(ev.cpu, ev.pid);
        else this.after = After.skippedStack;
        return;
      }
    }
    counters.events++;
    let pos = body;
    while (pos < end && buf[pos] !== COLON && buf[pos]! > SPACE) pos++;
    if (pos < end && buf[pos] === COLON && pos > body && (pos + 1 === end || buf[pos + 1] === SPACE)) {
      const entry = this.table.entry(buf, body, pos, hashBytes(buf, body, pos));
      entry.count++;
      ev.nameStart = body;
      ev.nameEnd = pos;
      this.payload(entry, buf, Math.min(pos + 2, end), end);
    } else if (pos + 2 < end && buf[pos] === SPACE && buf[pos + 1] === LESS && buf[pos + 2] === MINUS) {
      // `try_grab_folio <-follow_page_pte` of the function tracer
      this.functionLines ??= this.table.named('(function)');
      this.functionLines.count++;
      ev.kind = EventKind.Other;
      this.give();
    } else {
      // printk-msg-only, trace_marker_raw: text without a name
      this.textLines ??= this.table.named('(text)');
      this.textLines.count++;
      ev.nameStart = ev.nameEnd = body;
      this.tornName(buf, body, end);
      mention(this.table.context, buf, body, end, ev);
      this.give();
      this.after = After.text;
    }
  }

  private functionLines: EventEntry | undefined;
  private textLines: EventEntry | undefined;

  private time(buf: Uint8Array): number {
    const columns = this.columns;
    switch (columns.timeForm) {
      case TimeForm.ticks:
        return this.clock.fromTicks(buf, columns.ticksStart, columns.ticksEnd);
      case TimeForm.relative:
        return this.clock.fromRelative(columns.seconds, columns.fraction_ns);
      default:
        return this.clock.fromSeconds(columns.seconds, columns.fraction_ns);
    }
  }
}

const LETTER_C = 67;
