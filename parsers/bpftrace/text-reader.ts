/** bpftrace's text output, line by line. */

import type {EventSink} from '../../src/events/event.js';
import {CR, LF} from '../bytes.js';
import type {OpenOptions, ReaderCounters} from '../form.js';
import {LineReader, MAX_LINE} from '../lines/line-reader.js';
import {BpftraceLines} from './lines.js';
import type {Style} from './style.js';

export class BpftraceReader extends LineReader {
  readonly counters: ReaderCounters;
  private readonly lines: BpftraceLines;

  constructor(sink: EventSink, options: OpenOptions, style?: Style) {
    super();
    this.lines = new BpftraceLines(sink, options, style);
    this.counters = this.lines.counters;
  }

  override end(): void {
    super.end();
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
      else if (!this.lines.line(buf, start, end, start, end, offset + start)) this.unrecognised(buf, start, end);
      start = newline + 1;
    }
  }
}
