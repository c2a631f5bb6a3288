/** Lines whose columns are not all there: perf script with any -F, edited tasks, events in a function graph. */

import fc from 'fast-check';
import {describe, expect, it} from 'vitest';
import {detect} from '../../parsers/detect.js';
import type {LineForm} from '../../parsers/form.js';
import {expectSame, readWith, type Seen} from './collect.js';

function readText(
  text: string,
  sizes?: readonly number[],
): {id: string; evidence: string; seen: Seen[]; unrecognised: number} {
  const bytes = Buffer.from(text);
  const found = detect(bytes);
  if (found.outcome !== 'read') throw new Error(`${found.outcome}: ${found.message}`);
  const {seen, reader} = readWith((sink, o) => (found.form as LineForm).open(sink, o), bytes, sizes);
  const {unrecognised} = reader.counters;
  return {id: found.form.id, evidence: found.evidence.join('\n'), seen, unrecognised};
}
const events = (seen: Seen[]): Seen[] => seen.filter((s) => 'kind' in s);
const fact = (seen: Seen[], name: string): unknown => seen.find((s) => s['fact'] === name)?.['value'];
const sizes = fc.array(fc.integer({min: 1, max: 200}), {minLength: 1, maxLength: 4});

describe('perf script', () => {
  const name = 'page_ref:page_ref_mod: pfn=0x4a10 flags=0x20 count=1026 mapcount=1 mapping=0x0 mt=1 val=1024\n';
  const free = 'kmem:mm_page_free: page=0x4a10 pfn=0x4a10 order=0\n';
  it.each([
    ['comm,pid,cpu,event,trace', 'wrk   701 [001] ', {comm: 'wrk', pid: 701, cpu: 1}, false],
    ['comm with blanks', 'my wrk 2   701 [001] ', {comm: 'my wrk 2', pid: 701, cpu: 1}, false],
    ['pid,tid,cpu,event,trace', '   700/701    [001] ', {comm: '', pid: 701, tgid: 700, cpu: 1}, false],
    ['comm,tid,event,trace', 'wrk   701 ', {comm: 'wrk', pid: 701, cpu: -1}, false],
    ['cpu,event,trace', '[003] ', {comm: '', pid: -1, cpu: 3}, false],
    ['event,trace', '', {comm: '', pid: -1, cpu: -1}, false],
    ['tid,time,event,trace', '   701   500.100001: ', {comm: '', pid: 701, cpu: -1}, true],
    ['time,period,event,trace', '  500.100001:          1 ', {comm: '', pid: -1, cpu: -1}, true],
    ['comm,cpu,time,event,trace', 'wrk [001]   500.100001: ', {comm: 'wrk', pid: -1, cpu: 1}, true],
  ])('-F %s', (_fields, before, wanted, timed) => {
    const text = `${before}${name}\tffffffff81234569 pin_user_pages_fast+0x57 ([kernel.kallsyms])\n\n${before}${free}`;
    const {id, seen, unrecognised} = readText(text);
    expect(id).toBe('perf-script');
    expect(unrecognised).toBe(0);
    expect(events(seen)).toMatchObject([
      {kind: 'RefMod', ...wanted},
      {kind: 'PageFree', ...wanted},
    ]);
    expect(fact(seen, 'order')).toBe(timed ? undefined : 'none');
    fc.assert(
      fc.property(sizes, (n) => expectSame(readText(text, n).seen, seen)),
      {numRuns: 5},
    );
  });

  it('takes no line without a time among those that have one', () => {
    const {seen, unrecognised} = readText(`wrk 701 [001] 500.1: ${free}wrk 701 [001] ${free}`);
    expect(events(seen)).toHaveLength(1);
    expect(unrecognised).toBe(1);
  });
});

describe('tasks that somebody edited', () => {
  it.each([
    ['   <redacted>    [005] ..s.. 166350.485548: ', '<redacted>', 1],
    ['   <redacted>-<redacted>    [005] ..s.. 166350.485548: ', '<redacted>-<redacted>', 1],
    ['wrk [005] ..s.. 166350.485548: ', 'wrk', 1],
    ['[005] 166350.485548: ', '', -1],
    ['            XXXX XX [005] ..... 166350.485548: ', 'XXXX XX', 0],
  ])('%j', (before, comm, context) => {
    const {id, seen, unrecognised} = readText(`${before}mm_page_free: page=0 pfn=0x10 order=0\n`.repeat(3));
    expect([id, unrecognised]).toEqual(['ftrace', 0]);
    expect(events(seen)[2]).toMatchObject({kind: 'PageFree', comm, pid: -1, cpu: 5, context});
  });
});

describe('a function graph with events', () => {
  const graph = (before: string): string =>
    '# tracer: function_graph\n#\n' +
    `${before}               |  pin_user_pages_fast() {\n` +
    `${before}               |    /* mm_page_free: page=0 pfn=0x10 order=0 */\n` +
    `${before}   4.000 us    |  }\n` +
    `${before}               |    /* mm_page_free: page=0 pfn=0x11 order=3 */\n`;

  it('with funcgraph-abstime and -proc is read with its columns', () => {
    const {id, evidence, seen, unrecognised} = readText(graph('  612.100001 |   1)    cam-701    |'));
    expect([id, unrecognised]).toEqual(['ftrace', 0]);
    expect(evidence).toContain('line 4: a function graph with events');
    expect(events(seen)).toMatchObject([
      {kind: 'PageFree', pfn: 16, cpu: 1, pid: 701, comm: 'cam', line: 4},
      {kind: 'PageFree', pfn: 17, order: 3, line: 6},
    ]);
    expect(events(seen)[0]!['raw']).toContain('/* mm_page_free');
  });

  it('with the latency format has contexts', () => {
    const {seen} = readText(graph('  612.100001 |   1)    cam-701    |  d.h1. |'));
    expect(events(seen)).toMatchObject([{cpu: 1, pid: 701, context: 2}, {pfn: 17}]);
  });

  it('without tasks knows none', () => {
    expect(events(readText(graph('  612.100001 |   1) ')).seen)).toMatchObject([
      {cpu: 1, pid: -1, comm: ''},
      {pfn: 17},
    ]);
  });

  it('without times has none', () => {
    const text = graph(' 1)');
    const {seen, unrecognised} = readText(text);
    expect(unrecognised).toBe(0);
    expect(events(seen)).toMatchObject([{pfn: 16, cpu: 1}, {pfn: 17}]);
    expect(fact(seen, 'order')).toBe('none');
    fc.assert(
      fc.property(sizes, (n) => expectSame(readText(text, n).seen, seen)),
      {numRuns: 10},
    );
  });

  it('is refused without events, by all its lines', () => {
    const text = graph('  612.100001 |   1)    cam-701    |').replace(/^.*\/\*.*\n/gm, '');
    const found = detect(Buffer.from(text));
    expect(found).toMatchObject({
      outcome: 'refused',
      message: expect.stringContaining('2 of 2 lines are of the function_graph'),
    });
  });
});
