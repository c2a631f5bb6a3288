/** Where an event begins in a line of a mail. */
import {ascii, find, TAB} from '../bytes.js';
import {afterPrefix} from '../dmesg/prefix.js';
import type {LooseColumns} from '../loose-columns.js';
import type {PerfColumns} from '../perf-script/columns.js';
import {LineNumber} from '../prefix/layers.js';

const POINT = ascii('.');

export class EventStart {
  /** where the columns that were read last begin */
  begin = 0;
  private readonly number = new LineNumber();

  constructor(
    private readonly columns: LooseColumns,
    private readonly perf: PerfColumns,
  ) {}

  /**
   * Whether a line has columns of an event, maybe behind a log's prefix, or at least a name we know with pairs: they are
   * read, and begin at `begin`.
   */
  at(buf: Uint8Array, start: number, end: number): boolean {
    const {columns} = this;
    while (start < end && buf[start] === TAB) start++;
    this.begin = start;
    // `12:   wrk-701 [001]`: who greps a trace and mails that
    const numbered = this.number.strip(buf, start, end);
    if (numbered > start && this.standsWithTask(buf, numbered, end)) {
      this.begin = start = numbered;
    }
    const logged = afterPrefix(buf, start, end);
    const isLogged = (): boolean => logged > start && columns.parseWhole(buf, logged, end);
    // `[  516.125676] ` of a log: a comm may not begin within it
    const stamped = logged > start && find(buf, start, logged, POINT) >= 0 && isLogged();
    if (!stamped && columns.parseWhole(buf, start, end)) return true;
    if (stamped || isLogged()) {
      this.begin = logged;
      return true;
    }
    return columns.parseRest(buf, start, end);
  }

  /** Whether a line has all columns of an event, as the kernel and its tools print them. */
  stands(buf: Uint8Array, start: number, end: number): boolean {
    return this.at(buf, start, end) && this.columns.timeForm >= 0 && this.columns.cpu >= 0;
  }

  /** A pid before `[cpu]` is no line number: what is left of the line has to have a task of its own. */
  private standsWithTask(buf: Uint8Array, start: number, end: number): boolean {
    const {columns, perf} = this;
    return (columns.parseWhole(buf, start, end) && columns.pid >= 0) || perf.parse(buf, start, end);
  }
}
