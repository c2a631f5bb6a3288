/** Shapes of tracefs text that no capture in the oracle's lines has, each with what it says. */

import {describe, expect, it} from 'vitest';
import {ftrace} from '../../parsers/ftrace/index.js';
import {Context} from '../../src/events/event.js';
import {read, type Seen} from './collect.js';

const PAYLOAD = 'page_ref_mod: pfn=0x12da00 flags=uptodate|lru count=2 mapcount=0 mapping=00000000a1b2c3d4 mt=1 val=1';

function one(columns: string): Seen {
  const {seen, reader} = read(ftrace, `${columns}${PAYLOAD}\n`);
  expect(reader.counters.unrecognised).toBe(0);
  const events = seen.filter((s) => s['kind']);
  expect(events).toHaveLength(1);
  return events[0]!;
}

describe('columns of the kernel', () => {
  it.each([
    [
      '4.9 to 5.8, pid 5 wide, 4 flags',
      '            bash-77    [000] d.s3  1234.567890: ',
      {pid: 77, cpu: 0, context: Context.softirq},
    ],
    [
      '5.15 on, 5 flags',
      '            fio-1234    [003] d.h2.  1234.567890: ',
      {pid: 1234, cpu: 3, context: Context.hardirq},
    ],
    [
      'preemption depth of two digits',
      '            bash-77    [000] d..10  1234.567890: ',
      {pid: 77, context: Context.task},
    ],
    ['pids that widen the column', '            bash-4194304 [127] .....  1234.567890: ', {pid: 4194304, cpu: 127}],
    ['noirq-info', '            bash-100     [001]     14.225552: ', {pid: 100, cpu: 1, context: Context.unknown}],
    ['noirq-info and five digits of seconds', '            bash-100     [001]  12345.225552: ', {pid: 100, cpu: 1}],
    ['record-tgid', '            bash-103     (    101) [001] ...1.    15.327913: ', {pid: 103, tgid: 101}],
    [
      'record-tgid, unknown',
      '           <...>-103     (-------) [001] ...1.    15.327913: ',
      {pid: 103, tgid: -1, comm: '<...>'},
    ],
    ['record-tgid of 4.13 to 4.17', '            bash-103   [001] (  101) d..1    15.327913: ', {pid: 103, tgid: 101}],
    ['NMI', '          <idle>-0       [002] d.Z1.    15.327913: ', {pid: 0, comm: '<idle>', context: Context.nmi}],
    ['a comm with blanks', '    my own thread-5      [000] .....    15.327913: ', {comm: 'my own thread', pid: 5}],
    [
      'a comm with dashes and digits',
      '     a-1 [000] -2-3      [001] .....    15.327913: ',
      {comm: 'a-1 [000] -2', pid: 3, cpu: 1},
    ],
    [
      'a comm with a colon and brackets',
      '  kworker/0:1[2]-9       [000] .....    15.327913: ',
      {comm: 'kworker/0:1[2]', pid: 9},
    ],
    [
      'a comm that looks like columns',
      '  x-9 [7] 1.2: -33      [001] .....    15.327913: ',
      {comm: 'x-9 [7] 1.2: ', pid: 33, cpu: 1},
    ],
    [
      'a comm of bytes that are no UTF-8',
      '        \xff\xfe\x80-bad-5      [000] .....    15.327913: ',
      {comm: '\xff\xfe\x80-bad', pid: 5},
    ],
    ['re-indented', 'bash-77 [000] d..1  1234.567890: ', {comm: 'bash', pid: 77, cpu: 0}],
    ['latency-format', '     fio-1234      3d..2.   42us+: ', {comm: 'fio', pid: 1234, cpu: 3, t: 42000}],
    [
      'latency-format without flags',
      '     fio-1234      3   42us : ',
      {pid: 1234, cpu: 3, t: 42000, context: Context.unknown},
    ],
    [
      'verbose latency-format',
      '            bash     101   1 16 00000000 [0000000000b7fd11] 12058.129ms (+0.001ms): ',
      {comm: 'bash', pid: 101, cpu: 1, context: Context.softirq},
    ],
  ])('%s', (_name, columns, expected) => {
    expect(one(columns)).toMatchObject({kind: 'RefMod', pfn: 0x12da00, ...expected});
  });

  it('keeps every ns of a time, and the distance between two', () => {
    const {seen} = read(
      ftrace,
      `            bash-1       [000] .....  1234.999999: ${PAYLOAD}\n            bash-1       [000] .....  1236.000001: ${PAYLOAD}\n`,
    );
    expect((seen[1]!['t'] as number) - (seen[0]!['t'] as number)).toBe(1_000_002_000);
  });

  it('reads counting clocks beyond 2^53 exactly', () => {
    const line = (t: string): string => `            bash-1       [000] .....  ${t}: ${PAYLOAD}\n`;
    const {seen} = read(ftrace, line('18446744073709551000') + line('18446744073709551007'));
    const times = seen.filter((s) => s['kind']).map((s) => s['t'] as number);
    expect(times[1]! - times[0]!).toBe(7);
    expect(seen).toContainEqual({fact: 'clock_unit', value: 'ticks'});
  });
});

describe('lines that are no events', () => {
  it('tells of losses and facts', () => {
    const {seen, reader} = read(
      ftrace,
      [
        '# tracer: nop',
        '# entries-in-buffer/entries-written: 7514/15084   #P:2',
        '# nop latency trace v1.1.5 on 6.12.117-gupl',
        '# pinscope-record: clock=mono',
        'CPU:1 [LOST 2292 EVENTS]',
        'CPU:0 [LOST EVENTS]',
        '##### CPU 1 buffer started ####',
        '',
      ].join('\n'),
    );
    expect(reader.counters.unrecognised).toBe(0);
    expect(seen).toContainEqual({fact: 'kernel', value: '6.12.117-gupl'});
    expect(seen).toContainEqual({fact: 'clock', value: 'mono'});
    expect(seen.filter((s) => s['loss']).map((s) => s['loss'])).toEqual([
      {input: 0, line: 2, cpu: -1, count: 7570, what: 'start'},
      {input: 0, line: 5, cpu: 1, count: 2292, what: 'lost'},
      {input: 0, line: 6, cpu: 0, count: -1, what: 'lost'},
      {input: 0, line: 7, cpu: 1, count: -1, what: 'start'},
    ]);
  });

  it('ties a stack to its event, and to no other when that event is of no interest', () => {
    const {seen} = read(
      ftrace,
      [
        `            bash-100     [001]     14.225552: ${PAYLOAD}`,
        '            bash-100     [001]     14.226807: <stack trace>',
        ' => __page_ref_mod+0x10/0x90',
        ' => dopin+0x2e/0x70 [pinbug] <ffffffffa00010fa>',
        '            bash-100     [001]     14.226900: sched_switch: prev_comm=x',
        '            bash-100     [001]     14.226901: <stack trace>',
        ' => schedule',
        '            bash-100     [001]     14.226902: <user stack trace>',
        ' =>  <00007f1a>',
        '',
      ].join('\n'),
    );
    expect(seen.slice(1)).toEqual([
      {stack: 'begin', cpu: 1, pid: 100},
      {frame: '__page_ref_mod+0x10/0x90'},
      {frame: 'dopin+0x2e/0x70 [pinbug]'},
      {stack: 'end'},
    ]);
  });

  it('takes the lines of a marker as its own, and counts what it does not understand', () => {
    const {reader} = read(
      ftrace,
      [
        '           fio-1234    [003] .....  1234.569609: tracing_mark_write: phase=1',
        'second line',
        `           fio-1234    [003] .....  1234.569610: ${PAYLOAD}`,
        'stray \x1b[31mline',
        '',
      ].join('\n'),
    );
    expect(reader.counters).toMatchObject({lines: 4, events: 2, unrecognised: 1});
    expect(reader.counters.firstUnrecognised).toEqual([{line: 4, text: 'stray \x1b[31mline'}]);
  });

  it('counts events by name and times by CPU', () => {
    const at = (cpu: number, time: string): string =>
      `            bash-1       [00${cpu}] .....  ${time}: ${PAYLOAD}\n`;
    const {reader} = read(ftrace, at(0, '10.000001') + at(1, '10.000003') + at(0, '10.000002') + at(0, '10.000001'));
    const {counters} = reader;
    expect(counters.eventsByName()).toEqual(new Map([['page_ref_mod', 4]]));
    expect(counters.outOfOrder).toBe(2);
    expect(counters.outOfOrderByCpu).toEqual([1, 0]);
    expect(counters.lastTime[1]! - counters.firstTime[0]!).toBe(2000);
  });
});

describe('hostile lines', () => {
  it('skips a line that is too long, at any chunk size, and goes on', () => {
    const long = 'x'.repeat((1 << 20) + 1);
    const event = `            bash-1       [000] .....  10.000001: ${PAYLOAD}\n`;
    for (const size of [1 << 16, 1 << 22]) {
      const {seen, reader} = read(ftrace, `${event}${long}\n${event}`, [size]);
      expect(seen.map((s) => s['line'])).toEqual([1, 3]);
      expect(reader.counters).toMatchObject({lines: 3, unrecognised: 1, tooLong: 1});
      expect(reader.counters.firstUnrecognised[0]!.text.length).toBeLessThan(1000);
    }
  });

  it('says that the last line is cut', () => {
    const event = `            bash-1       [000] .....  10.000001: ${PAYLOAD}`;
    expect(read(ftrace, `${event}\n`).reader.counters.lastLineCut).toBe(false);
    expect(read(ftrace, event).reader.counters).toMatchObject({lastLineCut: true, events: 1});
  });

  it('takes no event from a line with a hole of zeroes, at any chunk size', () => {
    const line = (us: number): string => `            bash-1       [000] .....  10.00000${us}: ${PAYLOAD}\n`;
    const joined = `${line(2).slice(0, -20)}${'\0'.repeat(300)}${line(5).slice(-20)}`;
    for (const size of [1, 7, 100, 1 << 16]) {
      const {seen, reader} = read(ftrace, `${line(1)}${joined}${line(6)}${line(7)}`, [size]);
      expect(seen.map((s) => s['line'])).toEqual([1, 3, 4]);
      expect(reader.counters).toMatchObject({lines: 4, events: 3, unrecognised: 1});
    }
  });

  it('reads CRLF as LF', () => {
    const event = `            bash-1       [000] .....  10.000001: ${PAYLOAD}`;
    const {seen} = read(ftrace, `${event}\r\n`.repeat(3));
    expect(seen).toHaveLength(3);
    expect(seen[2]).toMatchObject({raw: event, val: 1});
  });

  it('keeps no more names than it has room for', () => {
    const lines = Array.from(
      {length: 6000},
      (_, i) => `            bash-1       [000] .....  10.000001: evt${i}: x=1\n`,
    );
    const {reader} = read(ftrace, lines.join(''));
    expect(reader.counters.events).toBe(6000);
    expect(reader.counters.eventsByName().size).toBeLessThan(4200);
  });
});
