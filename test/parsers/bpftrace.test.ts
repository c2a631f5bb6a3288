/** What bpftrace prints: real captures, the two JSON and text forms of one output, nasty lines, any chunk size. */

import {readFileSync} from 'node:fs';
import {gunzipSync} from 'node:zlib';
import fc from 'fast-check';
import {describe, expect, it} from 'vitest';
import {bpftrace, bpftraceJson} from '../../parsers/bpftrace/index.js';
import {detect} from '../../parsers/detect.js';
import {EventKind, PageFlag, type TraceEvent} from '../../src/events/event.js';
import {FAMILY_OF} from '../../src/events/kinds.js';
import {TimeBase} from '../../src/base/time.js';
import {expectSame, read, type Seen} from './collect.js';

const sample = (name: string): Buffer => {
  const bytes = readFileSync(new URL(`../../sample-traces/${name}`, import.meta.url));
  return name.endsWith('.gz') ? gunzipSync(bytes) : bytes;
};
const MIXED = sample('bpftrace/mixed-6.12.txt').toString('latin1');
const STACKS = sample('bpftrace/filemap-6.1-stacks.txt').toString('latin1');
const JSON_LINES = sample('bpftrace-json/bugs-6.12.txt.gz').toString('latin1');

const PREFIX = '61966072758 cpu=1 pid=398 tid=399 comm=wl ';

function events(seen: Seen[]): Seen[] {
  return seen.filter((s) => 'kind' in s);
}

/** The one event of a text, with everything in it. */
function one(text: string): Seen & {ev: TraceEvent} {
  let ev: TraceEvent | undefined;
  const {seen} = read(bpftrace, text);
  const found = events(seen);
  expect(found).toHaveLength(1);
  const reader = bpftrace.open(
    {
      event(e) {
        const {fields} = FAMILY_OF[e.kind]!;
        const own = Object.fromEntries(fields.map((name) => [name, e[name]]));
        ev = Object.assign(Object.create(null), e, own, {kind: e.kind}) as TraceEvent;
      },
      stackBegin: () => false,
      stackFrame() {},
      stackEnd() {},
      loss() {},
      fact() {},
    },
    {input: 0, time: new TimeBase()},
  );
  const bytes = Buffer.from(text);
  reader.push(bytes, bytes.length);
  reader.end();
  return {...found[0]!, ev: ev!};
}

describe('real output', () => {
  it.each([
    ['mixed-6.12', MIXED, 316],
    ['filemap-6.1-stacks', STACKS, 37],
  ])('%s is read whole', (_name, text, count) => {
    const {seen, reader} = read(bpftrace, text);
    expect(reader.counters.unrecognised).toBe(0);
    expect(reader.counters.events).toBe(count);
    expect(events(seen)).toHaveLength(count);
    expect(seen[0]).toEqual({fact: 'vmemmap_base', value: expect.stringMatching(/^0xffff[0-9a-f]{12}$/)});
  });

  it('keeps thread, thread group, comm and exact times', () => {
    const {seen} = read(bpftrace, MIXED);
    const first = events(seen)[0]!;
    expect(first).toMatchObject({line: 3, cpu: 1, pid: 398, tgid: 398, comm: 'wl', context: -1});
    expect(first['raw']).toBe(MIXED.split('\n')[2]);
    const time = new TimeBase();
    time.fromSeconds(61, 0);
    expect(time.absolute(first['t'] as number)).toBe(BigInt(MIXED.split('\n')[2]!.split(' ')[0]!));
  });

  it('tells the 6.1 probes that stand for DMA tracepoints from the tracepoints', () => {
    const kinds = events(read(bpftrace, STACKS).seen).map((s) => s['kind']);
    expect(kinds).toContain('DmaMapEntry');
    expect(kinds).toContain('DmaMapReturn');
    expect(kinds).toContain('DmaUnmapSgEntry');
    expect(kinds).not.toContain('DmaMap');
    const tracepoints = events(read(bpftrace, MIXED).seen).map((s) => s['kind']);
    for (const kind of ['DmaMap', 'DmaUnmap', 'DmaMapSgItem', 'DmaUnmapSgItem']) expect(tracepoints).toContain(kind);
    expect(tracepoints).not.toContain('DmaMapEntry');
  });

  it('gives each event its own stack', () => {
    const {seen} = read(bpftrace, STACKS);
    const at = seen.findIndex((s) => s['kind'] === 'DmaMapEntry');
    expect(seen[at + 1]).toEqual({stack: 'begin', cpu: 0, pid: 296});
    expect(seen[at + 2]).toEqual({frame: 'dma_map_page_attrs+1'});
    expect(seen.filter((s) => s['stack'] === 'begin')).toHaveLength(37);
    expect(seen.filter((s) => s['stack'] === 'end')).toHaveLength(37);
  });

  it('reads the same out of JSON records as out of their text', () => {
    const text = JSON_LINES.split('\n')
      .filter((line) => line.includes('"printf"'))
      .map((line) => (JSON.parse(line) as {data: string}).data)
      .join('');
    const fromText = events(read(bpftrace, text).seen);
    const {seen, reader} = read(bpftraceJson, JSON_LINES);
    expect(reader.counters.unrecognised).toBe(0);
    const bare = (s: Seen) => ({...s, line: 0, offset: 0, raw: ''});
    expect(events(seen).map(bare)).toEqual(fromText.map(bare));
    const lines = JSON_LINES.split('\n');
    for (const event of events(seen)) expect(event['raw']).toBe(lines[(event['line'] as number) - 1]);
  });
});

describe('chunks of any size', () => {
  const sizes = fc.array(fc.integer({min: 1, max: 300}), {minLength: 1, maxLength: 4});
  const json = JSON_LINES.split('\n').slice(0, 60).join('\n');
  it.each([
    ['text', bpftrace, MIXED.slice(0, 6000)],
    ['text with stacks', bpftrace, STACKS.slice(0, 6000)],
    ['JSON', bpftraceJson, json],
  ] as const)('%s', (_name, form, text) => {
    const whole = read(form, text);
    fc.assert(
      fc.property(sizes, (n) => {
        const pieces = read(form, text, n);
        expectSame(pieces.seen, whole.seen);
        expect(pieces.reader.counters.unrecognised).toBe(whole.reader.counters.unrecognised);
      }),
      {numRuns: 20},
    );
  });
});

describe('lines', () => {
  it.each([
    ['a comm with blanks', 'comm=my worker 1 mm_page_free pfn=0x1 order=0', 'my worker 1'],
    ['a comm with a pair', 'comm=a b=1 mm_page_free pfn=0x1 order=0', 'a b=1'],
    ['a comm like an event', 'comm=unpin_folio x mm_page_free pfn=0x1 order=0', 'unpin_folio x'],
    ['a comm like an event with pairs', 'comm=a unpin_f pfn=2 mm_page_free pfn=0x1 order=0', 'a unpin_f pfn=2'],
    ['a comm like a prefix', 'comm=x cpu=7 pid=1 mm_page_free pfn=0x1 order=0', 'x cpu=7 pid=1'],
    ['an empty comm', 'comm= mm_page_free pfn=0x1 order=0', ''],
    ['a padded comm', 'comm=wl               mm_page_free pfn=0x1 order=0', 'wl'],
    ['bytes of another alphabet', 'comm=\xd0\xb6\xff\x1b[31m mm_page_free pfn=0x1 order=0', '\xd0\xb6\xff\x1b[31m'],
  ])('%s', (_what, rest, comm) => {
    const {seen} = read(bpftrace, `61966072758 cpu=1 pid=398 tid=398 ${rest}\n`);
    expect(events(seen)).toMatchObject([{kind: 'PageFree', comm, cpu: 1, pid: 398, pfn: 1}]);
  });

  it('takes a prefix in another order', () => {
    const {seen} = read(bpftrace, 'comm=fio cpu=2 tid=9 time=61966072758 mm_page_free pfn=0x10 order=0\n');
    expect(events(seen)).toMatchObject([{kind: 'PageFree', comm: 'fio', cpu: 2, pid: 9, pfn: 16}]);
  });

  it("takes the builtin probe's name of an event, and a colon after it", () => {
    const text =
      '61966072758 kprobe:unpin_user_page pfn=0x10\n' +
      '61966072759 kretprobe:try_grab_folio ret=0\n' +
      '61966072760 tracepoint:kmem:mm_page_free: pfn=0x10 order=0\n';
    expect(events(read(bpftrace, text).seen).map((s) => s['kind'])).toEqual(['UnpinCall', 'GrabReturn', 'PageFree']);
  });

  it('reads seconds with a fraction', () => {
    expect(events(read(bpftrace, '61.966072758 cpu=0 mm_page_free pfn=0x10\n').seen)).toMatchObject([{t: 966072758}]);
  });

  it('reads nsecs beyond 2^53 exactly', () => {
    const time = new TimeBase();
    let t = NaN;
    const reader = bpftrace.open(
      {event: (ev) => (t = ev.t), stackBegin: () => false, stackFrame() {}, stackEnd() {}, loss() {}, fact() {}},
      {input: 0, time},
    );
    const bytes = Buffer.from('18446744073709551615 cpu=0 mm_page_free pfn=0x10\n');
    reader.push(bytes, bytes.length);
    expect(time.absolute(t)).toBe(18446744073709551615n);
  });

  it('counts lines where a program prints no times', () => {
    const {seen} = read(bpftrace, 'cpu=1 mm_page_free pfn=0x1\ncpu=0 mm_page_free pfn=0x2\n');
    expect(seen).toContainEqual({fact: 'clock_unit', value: 'ticks'});
    expect(events(seen).map((s) => s['t'])).toEqual([0, 1]);
  });

  it('does not take a line without a time where others have one: a newline in a comm forges it', () => {
    const text = `${PREFIX}mm_page_free pfn=0x1\n61966072759 cpu=1 pid=3 tid=3 comm=a\nunpin_user_page mm_page_free pfn=0x2\n`;
    const {seen, reader} = read(bpftrace, text);
    expect(events(seen)).toHaveLength(1);
    expect(reader.counters.unrecognised).toBe(2);
  });

  it('counts unknown events by their names', () => {
    const {seen, reader} = read(bpftrace, `${PREFIX}my_probe pfn=0x1\n`);
    expect(events(seen)).toEqual([]);
    expect([...reader.counters.eventsByName()]).toEqual([['my_probe', 1]]);
    expect(reader.counters.unrecognised).toBe(0);
  });

  it('gives the stack of an event nobody decodes to no other', () => {
    const text = `${PREFIX}mm_page_free pfn=0x1\n${PREFIX}my_probe pfn=0x1\n\n\tffffffff812e1078 f+1\n`;
    expect(read(bpftrace, text).seen.some((s) => 'stack' in s)).toBe(false);
  });

  it('does not add the user stack to the kernel stack', () => {
    const text = `${PREFIX}mm_page_free pfn=0x1\n\n\tffffffff812e1078 f+1\n\n\t7f6a7ed16090 open64+208\n`;
    expect(read(bpftrace, text).seen.filter((s) => 'frame' in s)).toEqual([{frame: 'f+1'}]);
  });

  it('reads the default form of kstack and addresses without symbols', () => {
    const text = `${PREFIX}mm_page_free pfn=0x1\n\n        __free_pages+0\n        0xffffffff812e1078\n`;
    expect(
      read(bpftrace, text)
        .seen.filter((s) => 'frame' in s)
        .map((s) => s['frame']),
    ).toEqual(['__free_pages+0', '0xffffffff812e1078']);
  });

  it('counts losses of no particular CPU', () => {
    expect(read(bpftrace, 'Attaching 1 probe...\nLost 485 events\n').seen).toContainEqual({
      loss: {input: 0, line: 2, cpu: -1, count: 485, what: 'lost'},
    });
  });
});

describe('the header of `pinscope record`', () => {
  const text = `# pinscope-record: version=1\n# pinscope-record: tool=bpftrace\n# pinscope-record: kernel=6.12.117-gupl\n${MIXED}`;

  it('gives facts', () => {
    const {seen, reader} = read(bpftrace, text);
    expect(seen.slice(0, 3)).toContainEqual({fact: 'kernel', value: '6.12.117-gupl'});
    expect(reader.counters.unrecognised).toBe(0);
  });

  it('is known', () => {
    const found = detect(Buffer.from(text));
    expect(found).toMatchObject({outcome: 'read', form: {id: 'bpftrace'}});
    expect(found.outcome === 'read' && found.evidence[0]).toContain('line 2');
  });
});

describe('payloads', () => {
  it('takes the one entry that is printed of a scatterlist', () => {
    const {ev} = one(`${PREFIX}dma_map_sg nents=3 first_pfn=0x5f2c len=4096 dir=2\n`);
    expect(ev).toMatchObject({kind: EventKind.DmaMapSgEntry, nr: 3, dir: 2, listLength: 1, truncated: 1});
    expect([ev.listPfn[0], ev.listLen[0]]).toEqual([0x5f2c, 4096]);
    expect(one(`${PREFIX}dma_unmap_sg nents=1 first_pfn=0x5f2c len=8192 dir=2\n`).ev).toMatchObject({
      kind: EventKind.DmaUnmapSgEntry,
      truncated: 0,
    });
  });

  it('takes a list without entries for the tracepoint that it is', () => {
    const {ev} = one(`${PREFIX}dma_map_sg dev=pinbug.0 dir=0 nents=2\n`);
    expect(ev).toMatchObject({kind: EventKind.DmaMapSg, listLength: 0});
  });

  it('reads entries one a line', () => {
    const {ev} = one(`${PREFIX}dma_map_sg_ent dev=pinbug.0 i=2/3 pfn=0xe154 off=16 len=24576 dir=0\n`);
    expect(ev).toMatchObject({
      kind: EventKind.DmaMapSgItem,
      itemIndex: 2,
      nr: 3,
      pfn: 0xe154,
      pageOffset: 16,
      size: 24576,
      dir: 0,
    });
  });

  it('marks a mapping that failed', () => {
    expect(one(`${PREFIX}dma_map_page_ret dma_addr=0xffffffffffffffff\n`)).toMatchObject({
      kind: 'DmaMapReturn',
      failed: 1,
    });
  });

  it('does not believe a page frame number that no machine has', () => {
    expect(one(`${PREFIX}unpin_user_page pfn=0x3ffffc0000000000\n`)).toMatchObject({
      kind: 'UnpinCall',
      pfn: -1,
      pageName: 0,
    });
  });

  it('reads page flags as the numbers they are', () => {
    const text = `${PREFIX}page_ref_mod pfn=0x1 flags=0x2011c count=3 mapcount=-1 mapping=0x0 mt=1 val=1\n`;
    const found = one(text);
    expect(found).toMatchObject({kind: 'RefMod', count: 3, val: 1, hasRet: 0});
    // the layout of 6.12, which mapcount=-1 shows
    const flags = PageFlag.referenced | PageFlag.uptodate | PageFlag.dirty | PageFlag.active;
    expect((found['pageFlags'] as number) & flags).toBe(flags);
    expect((found['pageFlags'] as number) & PageFlag.writeback).toBe(0);
  });
});

describe('other output', () => {
  it('is skipped, not unrecognised', () => {
    const text =
      'Attaching 3 probes...\n' +
      'WARNING: Addrspace is not set\n' +
      'stdin:3:1-10: WARNING: comparison of integers of different signs\n' +
      '10:11:12\n' +
      '@live: 5\n' +
      '@pins[wl, 398]: 5\n' +
      '@stacks[\n    __gup_longterm_locked+0\n    pin_user_pages+94\n, wl]: 5\n' +
      '@stacks[\n    __gup_longterm_locked+0\n]: 7\n' +
      '@us[wl]: \n' +
      '(..., 0)               1 |                                                    |\n' +
      '[8, 16)               12 |@@@@@@@@@@                                          |\n' +
      '[1K, 2K)               2 |@                                                   |\n' +
      '{ .pid = 398, .comm = wl }\n' +
      '(398, wl)\n' +
      '[1,2]\n\n';
    const {seen, reader} = read(bpftrace, text);
    expect(seen).toEqual([{fact: 'lines_of_other_output', value: '20'}]);
    expect(reader.counters).toMatchObject({unrecognised: 0, events: 0});
  });

  it('is unrecognised when it is none of that', () => {
    const {reader} = read(bpftrace, 'hello world\n12 monkeys\nlibbpf: failed to load\n');
    expect(reader.counters.unrecognised).toBe(3);
  });
});

describe('JSON records', () => {
  const record = (data: string) => JSON.stringify({type: 'printf', data});

  it('hold several lines, or half a line', () => {
    const text = [
      record(`${PREFIX}mm_page_free pfn=0x1\n${PREFIX}mm_page_free pfn=0x2\n`),
      record(`${PREFIX}mm_page_`),
      record('free pfn=0x3\n'),
      record(`${PREFIX}mm_page_free pfn=0x4`),
      record(`${PREFIX}mm_page_free pfn=0x5`),
    ].join('\n');
    const {seen, reader} = read(bpftraceJson, text);
    expect(events(seen).map((s) => s['pfn'])).toEqual([1, 2, 3, 4, 5]);
    expect(reader.counters.unrecognised).toBe(0);
  });

  it('resolve every escape', () => {
    const comm = 'a"\\/\b\f\t\u00e9\u20ac\u{1f60a}';
    const data = JSON.stringify(`61966072758 cpu=1 pid=3 tid=3 comm=${comm} mm_page_free pfn=0x1\n`);
    const escaped = data
      .replace('\u00e9', '\\u00e9')
      .replace('\u20ac', '\\u20ac')
      .replace('\u{1f60a}', '\\ud83d\\ude0a');
    const bytes = Buffer.from(`{"type":"printf","data":${escaped}}\n`).toString('latin1');
    expect(events(read(bpftraceJson, bytes).seen)).toMatchObject([{comm: Buffer.from(comm).toString('latin1')}]);
  });

  it('keep stacks with their events', () => {
    const text = record(`${PREFIX}mm_page_free pfn=0x1\n\n\tffffffff812e1078 f+1\n\tffffffff812e1079 g+2\n`);
    expect(read(bpftraceJson, text).seen.slice(-4)).toEqual([
      {stack: 'begin', cpu: 1, pid: 399},
      {frame: 'f+1'},
      {frame: 'g+2'},
      {stack: 'end'},
    ]);
  });

  it('tell losses in every spelling', () => {
    const text =
      '{"type": "lost_events", "data": {"events": 8}}\n' +
      '{"type":"lost_events","data":{"count":"18446744073709551615"}}\n' +
      'Lost 3 events\n';
    expect(read(bpftraceJson, text).seen.map((s) => (s['loss'] as {count: number}).count)).toEqual([8, 2 ** 64, 3]);
  });

  it('of other types are skipped', () => {
    const text =
      '{"type": "attached_probes", "data": {"probes": 26}}\n' +
      '{"type": "map", "data": {"@pins": {"wl,398": 18446744073709551615}}}\n' +
      '{"data": {"@h": [{"min": 8, "max": 15, "count": 12}]}, "type": "hist"}\n' +
      '{"type": "time", "data": "10:11:12\\n"}\n';
    const {seen, reader} = read(bpftraceJson, text);
    expect(seen).toEqual([]);
    expect(reader.counters.unrecognised).toBe(0);
  });

  it.each([
    '{"type": "printf", "data": "cut',
    '{"type": "printf"}',
    '{"type": "printf", "data": 5}',
    '{"data": "no type\\n"}',
    '{"type": "printf", "data": "x\\n"} and more',
    '{]',
    '{"type": "printf", "data": "free text\\n"}',
  ])('are unrecognised when damaged: %s', (line) => {
    const {seen, reader} = read(bpftraceJson, `${line}\n`);
    expect(seen).toEqual([]);
    expect(reader.counters.unrecognised).toBe(1);
  });

  it('never throw and never run on', () => {
    const piece = fc.constantFrom(
      '{',
      '}',
      '"',
      '\\',
      ':',
      ',',
      '"type"',
      '"printf"',
      '"data"',
      'n',
      'u12',
      '[',
      ']',
      ' ',
    );
    fc.assert(
      fc.property(fc.array(piece, {maxLength: 30}), (pieces) => {
        const {reader} = read(bpftraceJson, `${pieces.join('')}\n`);
        expect(reader.counters.lines).toBe(1);
      }),
    );
  });
});

describe('detection', () => {
  it.each([
    ['bpftrace', MIXED],
    ['bpftrace', STACKS],
    ['bpftrace', MIXED.split('\n').slice(2).join('\n')],
    ['bpftrace-json', JSON_LINES],
    ['bpftrace-json', JSON_LINES.split('\n').slice(2).join('\n')],
  ])('%s', (id, text) => {
    const found = detect(Buffer.from(text.slice(0, 65536), 'latin1'));
    expect(found).toMatchObject({outcome: 'read', form: {id}});
    expect(found.outcome === 'read' && found.evidence.length).toBeGreaterThan(0);
  });

  it('refuses sums, and says what to print instead', () => {
    const found = detect(Buffer.from('Attaching 2 probes...\n\n@pins[wl, 398]: 5\n@pins[fio, 399]: 7\n'));
    expect(found).toMatchObject({outcome: 'refused', advice: expect.stringContaining('printf')});
  });

  it('refuses a program, and says to run it', () => {
    const program =
      'BEGIN { @vm = *(uint64*)kaddr("vmemmap_base"); }\n' +
      'kprobe:unpin_user_page /pid == 5/ { printf("%llu cpu=%d unpin_user_page pfn=0x%llx\\n", nsecs, cpu, arg0); }\n';
    const found = detect(Buffer.from(program));
    expect(found).toMatchObject({outcome: 'refused', advice: expect.stringContaining('bpftrace PROGRAM')});
  });
});
