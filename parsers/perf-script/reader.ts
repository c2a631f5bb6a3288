/**
 * The text of `perf script`: events as in columns.ts, call chains of TAB-indented frames that a blank line ends, LOST
 * records, and `# ` header lines of `perf script --header`. Events may be some lines out of time order.
 *
 *     perf612     386 [001]    18.371710:              page_ref:page_ref_mod_unless: pfn=0x8e39 flags=0x2011c count=3 ...
 *     	ffffffff8133b2d3 __page_ref_mod_unless+0x43 ([kernel.kallsyms])
 *     	    7f6a7ed1638f write+0x4f (/lib/x86_64-linux-gnu/libc.so.6)
 */

import {EventKind, type EventSink} from '../../src/events/event.js';
import {
  COLON,
  decimal,
  find,
  HASH,
  hashBytes,
  HEX,
  isDigit,
  LBRACKET,
  LPAREN,
  RPAREN,
  SPACE,
  skipHex,
  skipSpaces,
  startsWith,
  TAB,
  text,
} from '../bytes.js';
import {After, EventLineReader, type NameColumn} from '../lines/event-lines.js';
import {FlagPrinter} from '../events/page-flags.js';
import {BEYOND_TASKS, leftOut, options, TASKS, told} from '../perf-command.js';
import type {OpenOptions} from '../form.js';
import {headerLine} from '../ftrace/header.js';
import {PerfColumns} from './columns.js';
import {PerfFields} from './fields.js';

const LOST = new TextEncoder().encode('PERF_RECORD_LOST');
const LOST_COUNT = new TextEncoder().encode(' lost ');
const OS_RELEASE = /^# os release : (\S+)/;
const CPUS = /^# nrcpus online : (\d+)/;
const CLOCK = /^# clockid: (\S+)/;
const COMMAND = /^# cmdline : (.+)/;
const MAX_COMMENT = 4000;
const RATES: ReadonlySet<string> = new Set(['-F', '--freq']);
const COUNTS: ReadonlySet<string> = new Set(['-c', '--count']);
const SAMPLED = 'perf took samples of the events only (a sample stands for several: period)';

/** `-a`, `--all-cpus`, also among other letters (`-agF99`). Of any word: behind a filter without its quotes no option is told from a command. */
function asksForAll(word: string): boolean {
  return word === '--all-cpus' || (word.includes('a') && /^-[a-zA-Z]+\d*$/.test(word));
}

/** A frame whose tab became blanks on the way: `        ffffffff81234569 pin_user_pages_fast+0x57 ([kernel.kallsyms])` */
function isFrame(buf: Uint8Array, start: number, end: number): boolean {
  return buf[end - 1] === RPAREN && beginsLikeFrame(buf, start, end);
}

/** So does the line of a task that is called by a number, `        deadbeef     101 [000]`. */
function beginsLikeFrame(buf: Uint8Array, start: number, end: number): boolean {
  const pos = skipSpaces(buf, start, end);
  const stop = skipHex(buf, pos, end);
  return pos - start >= 4 && stop - pos >= 8 && stop < end && buf[stop] === SPACE;
}

/** `  filemap.c:123`, below an event or a frame: `-F +srcline` (map__fprintf_srcline() of tools/perf/util/map.c) */
function isSource(buf: Uint8Array, start: number, end: number): boolean {
  if (buf[start + 1] !== SPACE) return false;
  let pos = start + 2;
  while (pos < end && buf[pos] !== SPACE) pos++;
  if (pos < end) return false;
  while (pos > start && isDigit(buf[pos - 1]!)) pos--;
  return pos < end && pos > start + 3 && buf[pos - 1] === COLON;
}

export class PerfScriptReader extends EventLineReader {
  private readonly columns = new PerfColumns();
  private readonly fields = new PerfFields();
  /** whether perf printed times; its first event line decides */
  private timed: boolean | undefined;
  /** what was not recorded */
  private readonly left: string[] = [];
  protected override readonly names: NameColumn | undefined = 'right';
  protected override readonly endsWithFields = false;

  constructor(sink: EventSink, options: OpenOptions) {
    super(sink, options);
    this.table.context.printer = FlagPrinter.libtraceevent;
  }

  protected special(buf: Uint8Array, start: number, end: number): boolean {
    if (start === end) {
      // ends a call chain
      this.endStack();
      return true;
    }
    const first = buf[start];
    if (first === TAB) return this.frame(buf, start + 1, end);
    if (first === SPACE && isFrame(buf, start, end)) return this.frame(buf, start, end);
    if (first === SPACE && isSource(buf, start, end)) return true;
    if (first === HASH && !this.columns.parse(buf, start, end)) {
      this.comment(buf, start, end);
      return true;
    }
    return false;
  }

  private comment(buf: Uint8Array, start: number, end: number): void {
    const line = text(buf, start, Math.min(end, start + MAX_COMMENT));
    const {input} = this.options;
    let m: RegExpExecArray | null;
    if ((m = OS_RELEASE.exec(line))) {
      this.sink.fact(input, 'kernel', m[1]!);
      this.table.context.setKernel(m[1]);
    } else if ((m = CPUS.exec(line))) {
      // the header of another recording
      if (this.counters.events > 0)
        this.sink.loss({input, line: this.counters.lines, cpu: -1, count: -1, what: 'again'});
      this.sink.fact(input, 'cpus', m[1]!);
    } else if ((m = CLOCK.exec(line))) this.sink.fact(input, 'clock', m[1]!);
    else if ((m = COMMAND.exec(line))) this.command(m[1]!.trim().split(/ +/));
    else {
      // facts of `pinscope record`
      const release = headerLine(buf, start, end, this.counters.lines, input, this.sink);
      if (release !== undefined) this.table.context.setKernel(release);
    }
  }

  /** `/usr/bin/perf record -a -e page_ref:* -F 99 -- fio job`: the words stand there without their quotes */
  private command(words: readonly string[]): void {
    if (words[1] !== 'record') return;
    const command: string[] = [];
    const asked = options(words, command);
    const {input} = this.options;
    const task = asked.find(([option]) => TASKS[option] !== undefined);
    if (task) this.sink.fact(input, 'pid_filter', `${TASKS[task[0]]} ${task[1]}`);
    // without -a it records the command that it starts, if it starts one
    else if (command.length > 0 && !words.some(asksForAll) && !asked.some(([o]) => BEYOND_TASKS.has(o)))
      this.sink.fact(input, 'pid_filter', "the command's");
    const left = leftOut(asked);
    const sampled = asked.find(([option, value]) => RATES.has(option) || (COUNTS.has(option) && value !== '1'));
    if (sampled) left.push(`perf took samples of the events only (${sampled.join(' ')})`);
    const cpus = asked.find(([option]) => option === '-C' || option === '--cpu');
    if (cpus) left.push(`perf recorded some CPUs only (${cpus.join(' ')})`);
    const filter = asked.find(([option]) => option === '--filter');
    // as pinscope's own recorder leaves itself out
    if (filter && filter[1] !== 'common_pid') left.push(`events were filtered (${filter.join(' ')})`);
    this.tellLeft(left);
  }

  /** `ffffffff8133b2d3 __page_ref_mod_unless+0x43 ([kernel.kallsyms])` after the TAB and blanks */
  private frame(buf: Uint8Array, pos: number, end: number): boolean {
    pos = skipSpaces(buf, pos, end);
    const ipEnd = skipHex(buf, pos, end);
    if (ipEnd === pos) return false;
    if (this.after === After.nothing) this.beginStack(this.lastCpu, this.lastPid);
    if (this.after !== After.stack) return true;
    // frames of user space say nothing about pages: kernel addresses have all 16 digits and the top bit
    if (ipEnd - pos < 16 || HEX[buf[pos]!]! < 8) return true;
    const symbol = skipSpaces(buf, ipEnd, end);
    if (symbol >= end || buf[symbol] === LBRACKET || buf[symbol] === LPAREN) {
      this.sink.stackFrame(buf, pos, ipEnd);
      return true;
    }
    let stop = symbol;
    while (stop < end && buf[stop] !== SPACE) stop++;
    this.sink.stackFrame(buf, symbol, stop);
    return true;
  }

  /** The columns of a line as perf prints them by default, or what `-F` left of them. */
  private columnsOf(buf: Uint8Array, start: number, end: number): PerfColumns | PerfFields | undefined {
    const {columns, fields} = this;
    if (this.timed !== false && columns.parse(buf, start, end)) {
      this.timed = true;
      return columns;
    }
    if (!fields.parse(buf, start, end)) return undefined;
    this.timed ??= fields.hasTime;
    // One newline in a task's name begins a line with anything: it does not forge an event's time.
    return this.timed && !fields.hasTime ? undefined : fields;
  }

  /** Without times there is the order of the lines, which is that of perf's buffers. */
  private inOrder(): number {
    const {sink, options} = this;
    if (this.counters.events === 1) {
      sink.fact(options.input, 'clock', 'line order');
      sink.fact(options.input, 'clock_unit', 'ticks');
      sink.fact(options.input, 'order', 'none');
    }
    return options.time.fromInteger(BigInt(this.counters.events), 'ticks');
  }

  protected eventLine(buf: Uint8Array, start: number, end: number, offset: number): void {
    this.endStack();
    const columns = this.columnsOf(buf, start, end);
    if (!columns) {
      this.unrecognised(buf, start, end);
      return;
    }
    const ev = this.ev;
    const counters = this.counters;
    const body = columns.body;
    if (startsWith(buf, body, end, LOST)) {
      const count = find(buf, body, end, LOST_COUNT);
      this.sink.loss({
        input: this.options.input,
        line: counters.lines,
        cpu: columns.cpu,
        count: count < 0 ? -1 : decimal(buf, count + LOST_COUNT.length, end),
        what: 'lost',
      });
      this.after = After.skippedStack;
      return;
    }
    // what its columns say hangs on how the line ends
    if (columns === this.columns && !beginsLikeFrame(buf, start, end)) this.learn(buf, start, columns);
    counters.events++;
    ev.line = counters.lines;
    ev.offset = offset + start;
    ev.lineStart = start;
    ev.lineEnd = end;
    ev.commStart = columns.commStart;
    ev.commEnd = columns.commEnd;
    ev.pid = this.lastPid = columns.pid;
    ev.tgid = columns.tgid;
    ev.cpu = this.lastCpu = columns.cpu;
    ev.context = -1;
    // --reltime: its first event is at 0
    if (counters.events === 1 && this.timed !== false && columns.seconds === 0 && columns.fraction_ns === 0)
      this.sink.fact(this.options.input, 'clock_origin', 'first of its events');
    ev.t = this.timed === false ? this.inOrder() : this.clock.fromSeconds(columns.seconds, columns.fraction_ns);
    counters.time(ev);
    // `page_ref:page_ref_mod: `: colons within, a blank after the last
    let pos = body;
    while (pos < end && buf[pos]! > SPACE && !(buf[pos] === COLON && (pos + 1 >= end || buf[pos + 1] === SPACE))) pos++;
    if (pos === body || pos >= end || buf[pos] !== COLON) {
      this.table.named('(text)').count++;
      this.tornName(buf, body, end);
      ev.kind = EventKind.Other;
      this.give();
      return;
    }
    const entry = this.table.entry(buf, body, pos, hashBytes(buf, body, pos));
    entry.count++;
    ev.nameStart = body;
    ev.nameEnd = pos;
    this.payload(entry, buf, Math.min(pos + 2, end), end);
    if (columns.period > 1 && ev.kind !== EventKind.Other && !this.left.includes(SAMPLED)) this.tellLeft([SAMPLED]);
  }

  /** What was not recorded, as far as it is known by now. */
  private tellLeft(more: readonly string[]): void {
    this.left.push(...more);
    if (this.left.length > 0) this.sink.fact(this.options.input, 'left_out', told(this.left));
  }
}
