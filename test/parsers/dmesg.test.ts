/** ftrace dumps in kernel logs: a real panic's, every prefix a log may have, nasty lines, any chunk size. */

import {readFileSync} from 'node:fs';
import fc from 'fast-check';
import {describe, expect, it} from 'vitest';
import {detect} from '../../parsers/detect.js';
import {dmesg} from '../../parsers/dmesg/index.js';
import {ftrace} from '../../parsers/ftrace/index.js';
import {expectSame, read, type Seen} from './collect.js';

// a serial console: CRLF, the panic before the dump
const CONSOLE = readFileSync(new URL('../../sample-traces/dmesg/console-6.12.txt', import.meta.url), 'latin1');
const LINES = CONSOLE.split('\r\n');
const RULE = '---------------------------------';
/** the dump without what the log put before it: latency format */
const DUMP = LINES.map((line) => line.slice('[   15.553903] '.length));
DUMP.splice(0, DUMP.indexOf(RULE) + 1);
DUMP.splice(DUMP.indexOf(RULE));

/** What says where an event stands and how its line looked. */
function bare(seen: Seen[]): Seen[] {
  return seen
    .filter((s) => !('fact' in s) && !('loss' in s))
    .map(({line: _line, offset: _offset, raw: _raw, ...rest}) => rest);
}

function log(prefix: (i: number) => string): string {
  return ['Dumping ftrace buffer:', RULE, ...DUMP, RULE].map((line, i) => `${prefix(i)}${line}\n`).join('');
}

describe('a real panic', () => {
  const {seen, reader} = read(dmesg, CONSOLE);

  it('is read whole', () => {
    expect(reader.counters).toMatchObject({unrecognised: 0, lines: 425, events: 283, outOfOrder: 0});
    expect(seen.filter((s) => s['kind'] === 'Grab')).toHaveLength(9);
    expect(seen.filter((s) => s['stack'] === 'begin')).toHaveLength(6);
  });

  it('holds the same events as its dump alone', () => {
    expect(bare(seen)).toEqual(bare(read(ftrace, DUMP.join('\n')).seen));
  });

  it('tells the kernel from the oops, and that times count from the start of the buffer', () => {
    expect(seen).toContainEqual({fact: 'kernel', value: '6.12.117+deb12-amd64'});
    expect(seen).toContainEqual({fact: 'clock_origin', value: 'buffer start'});
  });

  it('shows events with the lines that the log has', () => {
    for (const s of seen) if ('kind' in s) expect(s['raw']).toBe(LINES[(s['line'] as number) - 1]);
  });
});

describe('prefixes', () => {
  const expected = bare(read(ftrace, DUMP.join('\n')).seen);
  it.each([
    ['none', () => ''],
    ['dmesg', (i: number) => `[   15.${String(553903 + i).padStart(6, '0')}] `],
    ['a long uptime', () => '[8912345.553903] '],
    ['dmesg -r', () => '<0>[   15.553903] '],
    ['with the caller', (i: number) => `[   15.553903][${i % 2 ? '  T144' : '    C1'}] `],
    ['dmesg -x', () => 'kern  :emerg : [   15.553903] '],
    ['dmesg -T', () => '[Sat Nov 22 10:00:00 2025] '],
    ['dmesg -H', () => '[  +0.000005] '],
    ['/dev/kmsg', (i: number) => `0,${416 + i},15553903,-;`],
    ['syslog', () => 'Nov 22 10:00:00 my-host kernel: [   15.553903] '],
    ['journalctl -k', () => 'Nov 22 10:00:00 my-host kernel: '],
    ['journalctl -k -o short-monotonic', () => '[   15.553903] my-host kernel: '],
    ['ISO times', () => '2025-11-22T10:00:00.123456+00:00 my-host kernel: '],
  ])('%s', (_name, prefix) => {
    const text = log(prefix);
    const {seen, reader} = read(dmesg, text);
    expect(reader.counters.unrecognised).toBe(0);
    expect(bare(seen)).toEqual(expected);
    expect(detect(Buffer.from(text.slice(0, 65536)))).toMatchObject({outcome: 'read', form: {id: 'dmesg'}});
  });
});

describe('lines', () => {
  const wrap = (...lines: string[]) =>
    ['Dumping ftrace buffer:', RULE, ...lines, RULE].map((line) => `[   35.124000] ${line}\n`).join('');
  const EVENT = '    fio-1234      3..... 276242022us : page_ref_mod: pfn=0x206a78 flags=none count=3 val=-1';

  it('of the trace that tell of losses', () => {
    expect(read(dmesg, wrap(EVENT, 'CPU:3 [LOST 12 EVENTS]', EVENT)).seen).toContainEqual({
      loss: {input: 0, line: 4, cpu: 3, count: 12, what: 'lost'},
    });
  });

  it('that the console dropped are lost events, but only within the dump', () => {
    const text = `** 7 printk messages dropped **\n${wrap(EVENT, '** 5 printk messages dropped **')}** 9 printk messages dropped **\n`;
    expect(read(dmesg, text).seen.filter((s) => 'loss' in s)).toEqual([
      {loss: {input: 0, line: 5, cpu: -1, count: 5, what: 'lost'}},
    ]);
  });

  it('that were dropped are so after another report with a rule of dashes, and in a log that begins within the dump', () => {
    const losses = (text: string) => read(dmesg, text).seen.filter((s) => 'loss' in s);
    const drop = '** 5 printk messages dropped **';
    const lockdep = `${'-'.repeat(54)}\n${wrap(EVENT, drop, EVENT)}`;
    expect(losses(lockdep)).toEqual([{loss: {input: 0, line: 5, cpu: -1, count: 5, what: 'lost'}}]);
    expect(losses(`${EVENT}\n${drop}\n${EVENT}\n`)).toEqual([
      {loss: {input: 0, line: 2, cpu: -1, count: 5, what: 'lost'}},
    ]);
  });

  it.each([
    ['Nov 22 10:00:00 my-host systemd-journald[312]: Missed 12 kernel messages', 12],
    ['Nov 22 10:00:00 my-host systemd-journald[312]: /dev/kmsg buffer overrun, some messages lost.', -1],
    ['Nov 22 10:00:00 my-host systemd-journald[312]: Suppressed 40 messages from serial.service', 40],
    ['Nov 22 10:00:00 my-host rsyslogd: imuxsock lost 7 messages from pid 1 due to rate-limiting', 7],
  ])('that who passes the log on lost: %s', (line, count) => {
    const text = `Dumping ftrace buffer:\n${RULE}\n${EVENT}\n${line}\n${EVENT}\n${RULE}\n${line}\n`;
    expect(read(dmesg, text).seen.filter((s) => 'loss' in s)).toEqual([
      {loss: {input: 0, line: 4, cpu: -1, count, what: 'lost'}},
    ]);
  });

  it('of another CPU in between belong to nobody', () => {
    const text = wrap(EVENT, 'rcu: INFO: rcu_preempt self-detected stall on CPU', ' => not_a_frame', EVENT);
    const {seen, reader} = read(dmesg, text);
    expect(seen.filter((s) => 'kind' in s)).toHaveLength(2);
    expect(seen.some((s) => 'frame' in s)).toBe(false);
    expect(reader.counters.unrecognised).toBe(0);
  });

  it('cut by the console are not understood, and said to be', () => {
    const {seen, reader} = read(dmesg, wrap(EVENT, '    fio-1234      3..... page_ref_mod: pfn=0x206a78 fla'));
    expect(seen.filter((s) => 'kind' in s)).toHaveLength(1);
    expect(reader.counters.unrecognised).toBe(1);
    expect(reader.counters.firstUnrecognised[0]).toMatchObject({line: 4});
    expect(read(dmesg, wrap(EVENT, '    fio-1234      3..')).reader.counters.unrecognised).toBe(1);
  });

  it('without any newline, with NUL bytes, with brackets that never close', () => {
    for (const text of [
      '[',
      '[   12',
      '<4',
      'Nov 22 kernel:[',
      '\0\0\0\n',
      '[[[[[[]]]]]\n',
      `[${'9'.repeat(5000)}] x\n`,
    ]) {
      expect(read(dmesg, text).seen.filter((s) => 'kind' in s)).toEqual([]);
    }
  });

  it('are the same at any chunk size', () => {
    const text = LINES.slice(110, 150).join('\r\n');
    const whole = read(dmesg, text).seen;
    expect(whole.length).toBeGreaterThan(20);
    fc.assert(
      fc.property(fc.array(fc.integer({min: 1, max: 200}), {minLength: 1, maxLength: 4}), (sizes) => {
        expectSame(read(dmesg, text, sizes).seen, whole);
      }),
      {numRuns: 20},
    );
  });
});

describe('detection', () => {
  it('knows a log whose dump comes later, but only by a little', () => {
    const boot = Array.from({length: 50}, (_, i) => `[    0.0000${i % 10}] ACPI: something ${i}\n`).join('');
    expect(detect(Buffer.from(boot))).toMatchObject({outcome: 'read', form: {id: 'dmesg'}});
  });

  it('does not take other text with brackets for a log', () => {
    const found = detect(Buffer.from('[section]\nkey = value\n[other 1]\nkey = 2\n'));
    expect(found.outcome).toBe('unknown');
  });
});
