/**
 * The slow, obviously right reader of tracefs text: split2 for lines, patterns for their columns, strings for the rest.
 * It serves as the oracle that the byte scanner is held against, and where lines come one by one.
 *
 * Bytes are taken as Latin-1, one character a byte, so that positions in a line are byte positions.
 */

import {Readable} from 'node:stream';
import split2 from 'split2';
import {Context, EventKind, TraceEvent, type EventSink} from '../../../src/events/event.js';
import type {TimeBase} from '../../../src/base/time.js';
import {EventEntry} from '../../events/table.js';
import {isTornEvent, isTornProbe} from '../../lines/torn.js';
import {headerLine, lossLine} from '../header.js';
import {readPayload} from './payload.js';

const COLUMNS =
  /^-(\d{1,10}) +(?:\( *(\d+|-*)\) *)?\[(\d+)\] *(?:\( *(\d+|-*)\) *)?(?:([.A-Za-z0-9#]{3,8}|-0[xX][0-9a-fA-F]{1,2}) +)?(\d+)(?:\.(\d{1,9}))?:(?: (?<body>[^]*)|$)/;
const LATENCY =
  /^-(\d{1,10}) +(?:\( *(\d+|-*)\) *)?(\d+)(?!\d) *(?:((?!\d)[.A-Za-z0-9#]{3,8}|-0[xX][0-9a-fA-F]{1,2})(?![.A-Za-z0-9#]) *)?(\d+)(?!\d)(?:\.(\d{1,9}):(?: |$)|:(?: |$)|us.:(?: |$))(?<body>[^]*)/;
const CONTEXTS: Record<string, number> = {
  '.': Context.task,
  s: Context.softirq,
  h: Context.hardirq,
  H: Context.hardirq,
  z: Context.nmi,
  Z: Context.nmi,
};

export interface SlowCounts {
  lines: number;
  events: number;
  unrecognised: number;
}

interface Columns {
  commStart: number;
  commEnd: number;
  pid: number;
  tgid: number;
  cpu: number;
  context: number;
  seconds: bigint;
  fraction: string | undefined;
  relative: boolean;
  body: number;
}

export class SlowFtraceReader {
  readonly counts: SlowCounts = {lines: 0, events: 0, unrecognised: 0};
  private readonly ev = new TraceEvent();
  private since612 = false;
  private text = false;
  private inStack: 'no' | 'wanted' | 'skipped' = 'no';
  private given = new Set<number>();
  private offset = 0;

  constructor(
    private readonly sink: EventSink,
    private readonly input: number,
    private readonly time: TimeBase,
  ) {
    this.ev.input = input;
  }

  /** Reads chunks of bytes to their end. */
  async read(chunks: Iterable<Uint8Array>): Promise<SlowCounts> {
    const latin1 = function* (): Generator<string> {
      for (const chunk of chunks)
        yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString('latin1');
    };
    const lines = Readable.from(latin1()).pipe(split2('\n'));
    for await (const line of lines) this.line(line as string);
    this.endStack();
    return this.counts;
  }

  /** One line, without its newline. */
  line(whole: string): void {
    const line = whole.endsWith('\r') ? whole.slice(0, -1) : whole;
    const bytes = Buffer.from(line, 'latin1');
    const offset = this.offset;
    this.offset += whole.length + 1;
    this.counts.lines++;
    if (whole.includes('\0')) {
      this.endStack();
      this.inStack = 'skipped';
      this.counts.unrecognised++;
      return;
    }
    if (line === '') return;
    if (line.startsWith(' => ') && line[16] !== '-') {
      if (this.inStack === 'wanted') {
        const frame = line.slice(4).replace(/ <[^<]*>$/, '');
        this.sink.stackFrame(bytes, 4, 4 + frame.length);
      }
      return;
    }
    const columns = columnsOf(line);
    if (!columns && line.startsWith('#')) {
      this.endStack();
      headerLine(bytes, 0, bytes.length, this.counts.lines, this.input, this.sink);
      return;
    }
    if (line.startsWith('CPU:') && lossLine(bytes, 0, bytes.length, this.counts.lines, this.input, this.sink)) {
      this.endStack();
      return;
    }
    if (!columns) {
      if (this.text) return;
      this.endStack();
      this.counts.unrecognised++;
      return;
    }
    this.endStack();
    this.event(line, bytes, columns, offset);
  }

  private endStack(): void {
    if (this.inStack === 'wanted') this.sink.stackEnd();
    this.inStack = 'no';
    this.text = false;
  }

  private event(line: string, bytes: Uint8Array, columns: Columns, offset: number): void {
    const {ev} = this;
    ev.buf = bytes;
    ev.line = this.counts.lines;
    ev.offset = offset;
    [ev.lineStart, ev.lineEnd] = [0, line.length];
    [ev.commStart, ev.commEnd] = [columns.commStart, columns.commEnd];
    [ev.pid, ev.tgid, ev.cpu, ev.context] = [columns.pid, columns.tgid, columns.cpu, columns.context];
    if (columns.relative) {
      ev.t = this.time.fromSeconds(Number(columns.seconds / 1000000n), Number(columns.seconds % 1000000n) * 1000);
    } else if (columns.fraction === undefined) ev.t = this.time.fromInteger(columns.seconds, 'ticks');
    else ev.t = this.time.fromSeconds(Number(columns.seconds), Number(columns.fraction.padEnd(9, '0')));
    const body = line.slice(columns.body);
    if (body.startsWith('<stack trace>')) {
      this.inStack = this.given.has(ev.cpu) && this.sink.stackBegin(ev.cpu, ev.pid) ? 'wanted' : 'skipped';
      return;
    }
    if (body.startsWith('<user stack trace>')) {
      this.inStack = 'skipped';
      return;
    }
    this.counts.events++;
    const named = /^([^\0- :]+):(?: |$)/.exec(body);
    this.given.delete(ev.cpu);
    if (!named) {
      this.text = !/^[^\0- :]* <-/.test(body);
      return;
    }
    [ev.nameStart, ev.nameEnd] = [columns.body, columns.body + named[1]!.length];
    const payload = columns.body + named[0].length;
    this.since612 = readPayload(named[1]!, line, payload, ev, this.since612);
    if (isTornLine(named[1]!, line, payload, bytes)) ev.kind = EventKind.Other;
    if (ev.kind === EventKind.Other) return;
    this.given.add(ev.cpu);
    this.text = ev.kind === EventKind.Marker;
    this.sink.event(ev);
  }
}

/** Whether the end of a payload is missing (lines/torn.ts). */
function isTornLine(name: string, line: string, start: number, bytes: Uint8Array): boolean {
  const payload = line.slice(start).replace(/^ +/, '');
  const from = line.length - payload.length;
  if (/^[(_]/.test(payload)) return isTornProbe(bytes, from, line.length, true);
  return isTornEvent(new EventEntry(name, bytes).kind, bytes, from, line.length);
}

/** `d.h2.`, or the number it was made of: `-0x9` */
function contextOf(flags: string | undefined): number {
  if (flags === undefined) return Context.unknown;
  if (!flags.startsWith('-')) return CONTEXTS[flags[2]!] ?? Context.unknown;
  const bits = Number(flags.slice(1));
  if (bits & 0x40) return Context.nmi;
  if (bits & 0x08) return Context.hardirq;
  return bits & 0x10 ? Context.softirq : Context.task;
}

function columnsOf(line: string): Columns | undefined {
  const indent = /^ */.exec(line)![0].length;
  // the kernel's own columns, then any dash within a comm's length, the last first
  const dashes = [16, 8];
  for (let at = indent + 16; at >= indent; at--) dashes.push(at);
  for (const [i, dash] of dashes.entries()) {
    if (line[dash] !== '-') continue;
    const after = line.slice(dash);
    const m = COLUMNS.exec(after) ?? LATENCY.exec(after);
    if (!m) continue;
    const latency = !/^-\d+ +(?:\([^)]*\) *)?\[/.test(after);
    const flags = latency ? m[4] : m[5];
    const tgid = latency ? m[2] : (m[4] ?? m[2]);
    const relative = latency && /us.:/.test(after.slice(0, after.length - m.groups!['body']!.length).slice(-5));
    return {
      commStart: Math.min(indent, dash),
      commEnd: dash,
      pid: Number(m[1]),
      tgid: tgid === undefined || !/^\d/.test(tgid) ? -1 : Number(tgid),
      cpu: Number(m[3]) <= 8191 ? Number(m[3]) : -1,
      context: contextOf(flags),
      seconds: BigInt((latency ? m[5] : m[6])!),
      fraction: latency ? m[6] : m[7],
      relative,
      body: line.length - (m.groups!['body'] ?? '').length,
      ...(i < 2 ? {} : {}),
    };
  }
  return withoutPid(line, indent);
}

/** `<redacted>    [005] ..s..   166.485548: name: ` */
function withoutPid(line: string, indent: number): Columns | undefined {
  const bracket = line.indexOf('[', indent);
  if (bracket < 0 || bracket >= indent + 40) return undefined;
  const comm = line.slice(indent, bracket);
  if (comm !== '' && (!comm.endsWith(' ') || /\d *$/.test(comm))) return undefined;
  const m = WITHOUT_PID.exec(line.slice(bracket));
  if (!m) return undefined;
  const body = m.groups!['body']!;
  if (!/^[^ :]+:(?: |$)/.test(body)) return undefined;
  return {
    commStart: indent,
    commEnd: indent + comm.replace(/ +$/, '').length,
    pid: -1,
    cpu: Number(m[1]) <= 8191 ? Number(m[1]) : -1,
    tgid: m[2] === undefined || !/^\d/.test(m[2]) ? -1 : Number(m[2]),
    context: contextOf(m[3]),
    seconds: BigInt(m[4]!),
    fraction: m[5]!,
    relative: false,
    body: line.length - body.length,
  };
}

const WITHOUT_PID =
  /^\[(\d+)\] *(?:\( *(\d+|-*)\) *)?(?:([.A-Za-z0-9#]{3,8}|-0[xX][0-9a-fA-F]{1,2}) +)?(\d+)\.(\d{1,9}): (?<body>[^]*)/;
