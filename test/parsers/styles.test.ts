/** Lines of programs that print in a style of their own: what each column is, is worked out, and what is not proven is none. */

import {readFileSync} from 'node:fs';
import fc from 'fast-check';
import {describe, expect, it} from 'vitest';
import {detect} from '../../parsers/detect.js';
import type {LineForm} from '../../parsers/form.js';
import {Pattern, PatternError} from '../../parsers/prefix/pattern.js';
import {toldOf} from '../rules/analyze-text.js';
import {expectSame, readWith, type Seen} from './collect.js';

const MIXED = readFileSync(new URL('../../sample-traces/bpftrace/mixed-6.12.txt', import.meta.url), 'latin1');
const LINE = /^(\d+) cpu=(\d+) pid=(\d+) tid=(\d+) comm=(.{0,15}?) ([a-z_0-9]+)(?: (\w+=.*))?$/;
interface Line {
  t: string;
  cpu: string;
  tid: string;
  comm: string;
  name: string;
  args: string;
}
const LINES = MIXED.split('\n').flatMap((text): Line[] => {
  const [, t, cpu, , tid, comm, name, args] = LINE.exec(text) ?? [];
  return t === undefined ? [] : [{t, cpu: cpu!, tid: tid!, comm: comm!, name: name!, args: args ?? ''}];
});

const seconds = (t: string): string => `${t.slice(0, -9)}.${t.slice(-9, -3)}`;
const two = (n: number): string => String(Math.floor(n)).padStart(2, '0');
const clock = (t: string): string => {
  const s = Number(t.slice(0, -9));
  return `${two(14 + s / 3600)}:${two((s / 60) % 60)}:${two(s % 60)}`;
};

/** Style by style: the lines, and what is kept of CPU, task and time. */
const STYLES: Record<string, {write: (l: Line) => string; cpu?: false; task?: false; time?: 'us' | 'none' | 'day'}> = {
  'brackets, time last before the name': {write: (l) => `[${l.cpu}] ${l.comm}/${l.tid} ${l.t}: ${l.name} ${l.args}`},
  'pid in brackets': {write: (l) => `${l.t} ${l.comm}(${l.tid}) cpu=${l.cpu} ${l.name} ${l.args}`},
  'columns of a tool, no time': {
    write: (l) => `${l.tid.padEnd(6)} ${l.comm.padEnd(16)} ${l.name} ${l.args}`,
    cpu: false,
    time: 'none',
  },
  'microseconds first': {
    write: (l) => `${l.t.slice(0, -3).padEnd(12)} ${l.comm.padEnd(16)} ${l.tid.padEnd(6)} ${l.name} ${l.args}`,
    cpu: false,
    time: 'us',
  },
  'strftime()': {
    write: (l) => `${clock(l.t)}.${l.t.slice(-9, -3)} ${l.comm} ${l.tid} ${l.name} ${l.args}`,
    cpu: false,
    time: 'day',
  },
  'like ftrace': {
    write: (l) => `${l.comm.padStart(16)}-${l.tid} [${l.cpu.padStart(3, '0')}] ${seconds(l.t)}: ${l.name}: ${l.args}`,
    time: 'us',
  },
  'seconds first': {write: (l) => `${seconds(l.t)} ${l.comm}-${l.tid} [${l.cpu}] ${l.name} ${l.args}`, time: 'us'},
  'the builtin probe': {write: (l) => `${l.t} ${l.cpu} ${l.tid} ${l.comm} kprobe:${l.name} ${l.args}`},
  'pairs, the name first': {write: (l) => `${l.name} t=${l.t} cpu=${l.cpu} pid=${l.tid} comm=${l.comm} ${l.args}`},
  'pairs, the name among them': {
    write: (l) => `tid=${l.tid} ${l.args} event=${l.name} cpu=${l.cpu} nsecs=${l.t} comm=${l.comm}`,
  },
  commas: {write: (l) => `${l.t},${l.cpu},${l.tid},${l.comm},${l.name},${l.args.replaceAll(' ', ',')}`},
  semicolons: {write: (l) => `${l.comm};${l.tid};${l.cpu};${l.t};${l.name};${l.args.replaceAll(' ', ';')}`},
  tabs: {write: (l) => [l.cpu, l.t, l.comm, l.tid, l.name, ...l.args.split(' ')].join('\t')},
  'the time last': {write: (l) => `${l.comm} ${l.tid} ${l.name} ${l.args} ${l.t}`, cpu: false},
  'colons for equals signs': {
    write: (l) => `${l.t} cpu: ${l.cpu} tid: ${l.tid} comm: ${l.comm} ${l.name} ${l.args.replaceAll('=', ': ')}`,
  },
  JSON: {
    write: (l) =>
      JSON.stringify({
        ts: Number(l.t),
        cpu: Number(l.cpu),
        pid: Number(l.tid),
        comm: l.comm,
        ev: l.name,
        args: Object.fromEntries(
          l.args.split(' ').map((a) => [a.slice(0, a.indexOf('=')), a.slice(a.indexOf('=') + 1)]),
        ),
      }),
  },
  'arguments in brackets': {
    write: (l) => `${l.t} ${l.comm}/${l.tid} ${l.name}(${l.args.replaceAll(' ', ', ')})`,
    cpu: false,
  },
  'arguments in braces': {
    write: (l) => `${l.t} ${l.comm}/${l.tid} ${l.name} {${l.args.replaceAll(' ', ', ')}}`,
    cpu: false,
  },
  'the name first, then who and when': {
    write: (l) => `kprobe:${l.name}: ${l.comm}(${l.tid}) on cpu ${l.cpu} at ${l.t}: ${l.args}`,
  },
  'thread group and thread': {write: (l) => `${l.t} ${l.comm} ${l.tid}/${l.tid} cpu${l.cpu} ${l.name} ${l.args}`},
  'milliseconds by name': {
    write: (l) => `${l.t.slice(0, -6)}.${l.t.slice(-6, -3)} ms ${l.comm}[${l.tid}] ${l.name} ${l.args}`,
    cpu: false,
    time: 'us',
  },
  'microseconds by name': {
    write: (l) => `[${l.t.slice(0, -3)} us] cpu${l.cpu} ${l.comm}:${l.tid} ${l.name} ${l.args}`,
    time: 'us',
  },
  'date and time of day': {
    write: (l) => `2025-06-02 ${clock(l.t)}.${l.t.slice(-9, -3)} ${l.comm} ${l.tid} ${l.cpu} ${l.name} ${l.args}`,
    time: 'day',
  },
  'the time last, with a mark': {write: (l) => `[${l.cpu}] ${l.comm}:${l.tid} ${l.name} ${l.args} @${l.t}`},
  'names in quotes': {write: (l) => `ts=${l.t} comm="${l.comm}" tid=${l.tid} cpu=${l.cpu} event=${l.name} ${l.args}`},
  'words between': {
    write: (l) => `${l.t} cpu ${l.cpu} pid ${l.tid} comm ${l.comm}: ${l.name} ${l.args.replaceAll('=', ': ')}`,
  },
  'no time at all': {write: (l) => `${l.cpu} ${l.comm} ${l.tid} ${l.name} ${l.args}`, time: 'none'},
};

function open(text: string, prefix?: string): {form: LineForm; evidence: string[]} {
  const found = detect(
    Buffer.from(text, 'latin1'),
    undefined,
    prefix === undefined ? undefined : Pattern.parse(prefix),
  );
  if (found.outcome !== 'read') throw new Error(`${found.outcome}: ${found.message}`);
  return {form: found.form as LineForm, evidence: found.evidence};
}

function readText(text: string, sizes?: readonly number[], prefix?: string): {seen: Seen[]; unrecognised: number} {
  const {form} = open(text, prefix);
  const {seen, reader} = readWith((sink, options) => form.open(sink, options), Buffer.from(text, 'latin1'), sizes);
  return {seen, unrecognised: reader.counters.unrecognised};
}
const events = (seen: Seen[]): Seen[] => seen.filter((s) => 'kind' in s);
const fact = (seen: Seen[], name: string): unknown => seen.find((s) => s['fact'] === name)?.['value'];
const textOf = (write: (l: Line) => string, lines = LINES): string => lines.map((l) => `${write(l)}\n`).join('');
const SCHEMA = (l: Line): string => `${l.t} cpu=${l.cpu} pid=${l.tid} tid=${l.tid} comm=${l.comm} ${l.name} ${l.args}`;
const SCHEMA_COLUMNS = (l: Line): string => `${l.t} ${l.cpu} ${l.tid} ${l.comm} ${l.name} ${l.args}`;
const JSON_LINE = (l: Line): string =>
  `${JSON.stringify({nsecs: Number(l.t), comm: l.comm, name: l.name, ...Object.fromEntries(l.args.split(' ').map((a) => a.split(/=(.*)/)))})},`;
const plain = events(readText(textOf(SCHEMA)).seen);

describe.each(Object.entries(STYLES))('%s', (_name, {write, ...kept}) => {
  const text = textOf(write);
  const {seen, unrecognised} = readText(text);

  it('is read whole: the same events', () => {
    expect(unrecognised).toBe(0);
    const of = (s: Seen): unknown[] => [
      s['kind'],
      s['line'],
      s['pfn'],
      ...(kept.cpu === false ? [] : [s['cpu']]),
      s['pid'],
      s['comm'],
    ];
    expect(events(seen).map(of)).toEqual(plain.map(of));
    expect(events(seen).map((s) => s['raw'])).toEqual(
      text
        .trimEnd()
        .split('\n')
        .map((l) => l),
    );
  });

  it('has the times that are proven, and no others', () => {
    const first = plain[0]!['t'] as number;
    const wanted = plain.map((s) => (s['t'] as number) - first);
    const got = events(seen).map((s) => (s['t'] as number) - (events(seen)[0]!['t'] as number));
    if (kept.time === 'none') {
      expect(fact(seen, 'order')).toBe('none');
      expect(fact(seen, 'clock')).toBe('line order');
      return;
    }
    expect(fact(seen, 'order')).toBeUndefined();
    expect(fact(seen, 'clock_unit')).toBeUndefined();
    const grain = kept.time === undefined ? 0 : 1000;
    got.forEach((t, i) => expect(Math.abs(t - wanted[i]!)).toBeLessThanOrEqual(grain));
  });

  it('in pieces of any size', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({min: 1, max: 500}), {minLength: 1, maxLength: 4}), (sizes) => {
        expectSame(readText(text, sizes).seen, seen);
      }),
      {numRuns: 3},
    );
  });

  it('says what it took the columns for', () => {
    expect(open(text).evidence.join('\n')).toMatch(
      /before the event stands|the time is|JSON objects|no line prints a time/,
    );
  });
});

describe('what is not proven', () => {
  const few = LINES.slice(0, 3);
  it('is no time: a pid or a line number before the event', () => {
    for (const write of [
      (l: Line) => `${l.tid} ${l.comm} ${l.name} ${l.args}`,
      (l: Line) => `${LINES.indexOf(l) + 1} ${l.comm} ${l.name} ${l.args}`,
    ]) {
      for (const lines of [few, LINES]) expect(fact(readText(textOf(write, lines)).seen, 'order')).toBe('none');
    }
  });

  it('is no unit: a number that only grows', () => {
    for (const before of [
      (l: Line) => `${l.t} ${l.comm}`,
      (l: Line) => `ts=${l.t} comm=${l.comm}`,
      (l: Line) => `t: ${l.t} comm: ${l.comm}`,
      (l: Line) => `elapsed=${l.t} cpu=${l.cpu} tid=${l.tid} comm=${l.comm}`,
      // microseconds with a fraction, or seconds
      (l: Line) => `${l.t.slice(0, -6)}.${l.t.slice(-6, -3)} ${l.comm}`,
    ]) {
      const {seen} = readText(textOf((l) => `${before(l)} ${l.name} ${l.args}`, few));
      expect([before.toString(), fact(seen, 'clock_unit')]).toEqual([before.toString(), 'unknown']);
    }
  });

  it('is no nanosecond: what loops over pages show to be microseconds, in the schema too', () => {
    const loop = Array.from({length: 40}, (_, i) => ({
      ...LINES[0]!,
      t: String(61000030 + Math.floor(i * 2.4)),
      name: 'gup_put_folio',
    }));
    const {seen} = readText(textOf((l) => `${l.t} cpu=0 pid=5 tid=5 comm=wl ${l.name} page=0xffffea00000a8000`, loop));
    const [first, second] = events(seen);
    expect((second!['t'] as number) - (first!['t'] as number)).toBe(2000);
  });

  it('is no pid: one of two numbers of a few lines', () => {
    const two = [few[0]!, {...few[0]!, t: '61966999999', tid: '77', comm: 'other'}];
    const {seen} = readText(textOf((l) => `${l.t.slice(-6)} ${l.comm} ${l.tid} ${l.name} ${l.args}`, two));
    expect(events(seen).map((s) => s['pid'])).toEqual([-1, -1]);
  });

  it('makes every finding possible at most, and says why', async () => {
    const bug = [
      // both ways of taking a pin are recorded, since before the page was handed out
      ['try_grab_folio_fast', 'page=0xffffea0000100000 refs=1 flags=0x80001'],
      ['gup_put_folio', 'page=0xffffea0000100000 refs=1 flags=0x80000'],
      ['try_grab_folio', 'page=0xffffea0000100000 refs=1 flags=0x80001'],
      ['gup_put_folio', 'page=0xffffea0000100000 refs=1 flags=0x80000'],
      ['mm_page_alloc', 'pfn=0x2a00 order=0'],
      ['try_grab_folio', 'page=0xffffea00000a8000 refs=1 flags=0x80001'],
      ['dma_map_page', 'dev=0000:00:03.0 dir=2 dma_addr=0x2a00000 phys=0x2a00000 size=4096'],
      ['gup_put_folio', 'page=0xffffea00000a8000 refs=1 flags=0x80000'],
      ['dma_unmap_page', 'dev=0000:00:03.0 dir=2 dma_addr=0x2a00000 size=4096'],
    ];
    const start = 'START vmemmap=0xffffea0000000000\n';
    const text = (before: (i: number) => string): string =>
      start + bug.map(([name, args], i) => `${before(i)}${name} ${args}\n`).join('');
    expect(await toldOf(text((i) => `${61_000_000_000 + i * 1e6} cpu=0 pid=5 tid=5 comm=app `))).toContain(
      'unpin-while-dma error sure 0x2a00',
    );
    for (const before of [() => '500 app ', (i: number) => `${61_000_000_000 + i * 1e6} app `, () => '14:03:01 app '])
      expect(await toldOf(text(before))).toContain('unpin-while-dma error possible 0x2a00');
  });
});

describe('tables with headings', () => {
  it('name their cells', () => {
    const text = `time_ns,cpu,tid,comm,event,pfn,order\n61000000001,0,7,wl,mm_page_free,0x10,0\n61000000900,1,8,a b,mm_page_free,0x11,2\n`;
    const {seen, unrecognised} = readText(text);
    expect(events(seen)).toMatchObject([
      {kind: 'PageFree', pfn: 16, cpu: 0, pid: 7, comm: 'wl'},
      {kind: 'PageFree', pfn: 17, cpu: 1, pid: 8, comm: 'a b', order: 2},
    ]);
    expect(unrecognised).toBe(1);
  });
});

describe('what stands around the lines', () => {
  it.each([
    ['headings of columns', 'TIME(ns)       CPU  PID     COMM             EVENT\n', SCHEMA_COLUMNS, ''],
    ['brackets of a list', '[\n', JSON_LINE, ']\n'],
  ])('is understood: %s', (_name, before, write, after) => {
    const {seen, unrecognised} = readText(before + textOf(write) + after);
    expect(unrecognised).toBe(0);
    expect(events(seen)).toHaveLength(LINES.length);
  });
});

describe('records of -f json', () => {
  it('make one line of several, where a program prints it piece by piece', () => {
    const schema = LINES.map((l) => [`${l.t} cpu=${l.cpu} `, `tid=${l.tid} comm=${l.comm} `, `${l.name} ${l.args}\n`]);
    const records = schema.flat().map((data) => `${JSON.stringify({type: 'printf', data})}\n`);
    const {seen, unrecognised} = readText(records.join(''));
    expect(unrecognised).toBe(0);
    expect(events(seen).map((s) => [s['kind'], s['cpu'], s['pid'], s['t']])).toEqual(
      plain.map((s) => [s['kind'], s['cpu'], s['pid'], s['t']]),
    );
  });

  it('hold lines of any style', () => {
    const text = LINES.map(
      (l) =>
        `${JSON.stringify({type: 'printf', data: `[${l.cpu}] ${l.comm}/${l.tid} ${l.t}: ${l.name} ${l.args}\n`})}\n`,
    ).join('');
    const {seen, unrecognised} = readText(text);
    expect(unrecognised).toBe(0);
    expect(events(seen).map((s) => [s['kind'], s['cpu'], s['pid'], s['t']])).toEqual(
      plain.map((s) => [s['kind'], s['cpu'], s['pid'], s['t']]),
    );
  });
});

describe('--prefix', () => {
  const text =
    '7 wl worker:61000001 on 3 | mm_page_free pfn=0x10 order=0\n8 x:61000009 on 2 | my_probe pfn=0x11\nno event\n';
  it('says what the columns are', () => {
    const {seen, unrecognised} = readText(text, [9], '%tid %comm:%usecs on %cpu | ');
    expect(events(seen)).toMatchObject([{kind: 'PageFree', pid: 7, comm: 'wl worker', cpu: 3, pfn: 16}]);
    expect(unrecognised).toBe(1);
    expect(fact(seen, 'clock_unit')).toBeUndefined();
  });

  it('may only skip: then the lines are of any form', () => {
    const lines =
      '@@ 1             wrk-701     [001] d..2   500.100001: mm_page_free: page=0 pfn=0x4a10 order=2\n'.repeat(2);
    const {form} = open(lines, '@@ %* ');
    expect(form.id).toBe('ftrace');
    expect(events(readText(lines, [5], '@@ %* ').seen)).toMatchObject([
      {comm: 'wrk', pid: 701},
      {comm: 'wrk', pid: 701},
    ]);
  });

  it.each(['', 'text', '%x ', '%cpu %cpu', '%nsecs %secs'])('is refused: %j', (pattern) => {
    expect(() => Pattern.parse(pattern)).toThrow(PatternError);
  });
});

it('takes the pids of a shell and of what it became for pids, not for CPUs', () => {
  // every pid is a shell's before it is the program's; the real trace has no such pair
  const text = textOf((l) => {
    const half = Number(l.t) < (Number(LINES[0]!.t) + Number(LINES.at(-1)!.t)) / 2;
    return `${l.t.slice(0, -3)} ${l.tid} ${half ? 'bash' : l.comm} ${l.name} ${l.args}`;
  });
  const {evidence} = open(text);
  expect(evidence.join('\n')).not.toContain('is the CPU');
  expect(events(readText(text).seen).map((s) => s['pid'])).toEqual(plain.map((s) => s['pid']));
});
