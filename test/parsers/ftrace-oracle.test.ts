/** The byte scanner of tracefs text held against the slow reader, on real lines, mutated lines, and any chunk size. */

import * as fc from 'fast-check';
import {describe, expect, it} from 'vitest';
import {FtraceReader} from '../../parsers/ftrace/index.js';
import {SlowFtraceReader} from '../../parsers/ftrace/slow/reader.js';
import {TimeBase} from '../../src/base/time.js';
import {Collector, expectSame, readWith, type Seen} from './collect.js';
import {FTRACE_FIELDS_LINES, FTRACE_LINES} from './ftrace-lines.js';

const LINES = [...FTRACE_LINES, ...FTRACE_FIELDS_LINES];

async function compare(text: string, sizes: readonly number[]): Promise<void> {
  const bytes = Buffer.from(text, 'latin1');
  const fast = readWith((sink, options) => new FtraceReader(sink, options), bytes, sizes);
  const sink = new Collector();
  const slow = await new SlowFtraceReader(sink, 0, new TimeBase()).read([bytes]);
  const {counters} = fast.reader;
  expectSame(withoutOrigin(fast.seen), withoutOrigin(sink.seen));
  expect({lines: counters.lines, events: counters.events, unrecognised: counters.unrecognised}).toEqual(slow);
}

/** What a clock says about itself is the scanner's only. */
function withoutOrigin(seen: Seen[]): Seen[] {
  return seen.filter((s) => s['fact'] !== 'clock_unit' && s['fact'] !== 'clock_origin');
}

const sizes = fc.oneof(
  fc.array(fc.integer({min: 1, max: 40}), {minLength: 1, maxLength: 5}),
  fc.constant([1]),
  fc.constant([100000]),
);

const OTHER_LINES = [
  '# tracer: nop',
  '#',
  '# entries-in-buffer/entries-written: 6680/13360   #P:2',
  '##### CPU 1 buffer started ####',
  'CPU:1 [LOST 2292 EVENTS]',
  'CPU:0 [LOST EVENTS]',
  '            bash-100     [001]     14.226807: <stack trace>',
  ' => __page_ref_set',
  ' => dopin+0x2e/0x70 [pinbug] <ffffffffa00010fa>',
  '            bash-100     [001]     14.226807: <user stack trace>',
  ' =>  <00007f1a>',
  '',
  '            fio-1234    [003] .....  1234.569609: tracing_mark_write: phase=dma-start',
  'a second line of the marker',
  '          <...>-77    [000] d.h1.    24.961605: page_ref_set: pfn=0x12da01 flags=none count=1 mapcount=-1 mapping=          (null) mt=1 val=1',
];

const line = fc.oneof(
  {weight: 5, arbitrary: fc.constantFrom(...LINES)},
  {weight: 1, arbitrary: fc.constantFrom(...OTHER_LINES)},
);

/** Lines of one event in a row are what the scanner is quick at. */
const run = fc.tuple(line, fc.integer({min: 1, max: 6})).map(([text, n]) => Array.from({length: n}, () => text));
const trace = fc.array(run, {minLength: 1, maxLength: 12}).map((runs) => runs.flat());

const mutation = fc.record({
  at: fc.nat(),
  kind: fc.constantFrom('replace', 'delete', 'insert', 'double', 'cut', 'digit', 'digit'),
  text: fc.oneof(
    fc.constantFrom(
      ' ',
      '=',
      '0x',
      '-',
      ':',
      '[',
      ']',
      '(',
      ')',
      '{',
      '}',
      ',',
      '"',
      '|',
      '\r',
      '\0',
      '\t',
      '<',
      'f',
      '9',
      '0',
    ),
    fc.constantFrom(
      'ffffffffffffffff',
      '18446744073709551615',
      '99999999999',
      '-1',
      ' pfn=0x1',
      ' val=7 ',
      '(nil)',
      '=> ',
    ),
    fc.integer({min: 128, max: 255}).map((c) => String.fromCharCode(c)),
  ),
});

function mutate(text: string, m: {at: number; kind: string; text: string}): string {
  const at = text.length === 0 ? 0 : m.at % text.length;
  switch (m.kind) {
    case 'replace':
      return text.slice(0, at) + m.text + text.slice(at + m.text.length);
    case 'delete':
      return text.slice(0, at) + text.slice(at + 1);
    case 'insert':
      return text.slice(0, at) + m.text + text.slice(at);
    case 'digit':
      // another digit: a line of the same template
      return (
        text.slice(0, at) +
        text.slice(at).replace(/[\da-f]/, (digit) => '0123456789abcdef'[(m.at + digit.charCodeAt(0)) % 16]!)
      );
    case 'double':
      return text.slice(0, at) + text.slice(Math.max(0, at - 8));
    default:
      return text.slice(0, at);
  }
}

describe('the byte scanner and the slow reader agree', () => {
  it('on every real line', async () => {
    await compare(`${LINES.join('\n')}\n`, [100000]);
    await compare(`${LINES.flatMap((text) => [text, text, text]).join('\n')}\n`, [100000]);
  });

  it('on texts that mean something else from some line on', async () => {
    const head = '            bash-101     [001] .....    23.5';
    const again = (text: string): string[] => [0, 1, 2].map((i) => `${head}0000${i}: ${text}`);
    const grab = 'try_grab_folio_ret: (follow_page_pte+0x12b/0x520 <- try_grab_folio) ret=0x0';
    const page = 'page_ref_mod: pfn=0x102f94 flags=0x10 count=3 mapcount=1 mapping=0000000057a95c61 mt=1 val=1';
    const lines = [
      ...again(grab),
      ...again(page),
      // only 6.12 and later print the count as it is kept
      ...again('page_ref_mod: pfn=0x102f94 flags=none count=1 mapcount=-1 mapping=0000000000000000 mt=1 val=1'),
      ...again(grab),
      ...again(page),
    ];
    await compare(`${lines.join('\n')}\n`, [100000]);
  });

  it('on a stack of a CPU that no machine has, which follows no event', async () => {
    await compare('            bash-100     [99999999999001] .....    14.226807: <stack trace>\n => f\n', [1000]);
  });

  it('at any chunk size', async () => {
    await fc.assert(
      fc.asyncProperty(trace, sizes, fc.boolean(), async (lines, chunks, newline) => {
        await compare(lines.join('\n') + (newline ? '\n' : ''), chunks);
      }),
      {numRuns: 120},
    );
  });

  it('on mutated lines', async () => {
    await fc.assert(
      fc.asyncProperty(
        trace,
        fc.array(fc.tuple(fc.nat(), fc.array(mutation, {minLength: 1, maxLength: 3})), {minLength: 1, maxLength: 6}),
        sizes,
        async (lines, mutations, chunks) => {
          const mutated = [...lines];
          for (const [n, changes] of mutations) {
            const i = n % mutated.length;
            for (const change of changes) mutated[i] = mutate(mutated[i]!, change);
          }
          // a newline made by no mutation: lines stay lines
          await compare(`${mutated.join('\n')}\n`, chunks);
        },
      ),
      {numRuns: 500},
    );
  });
});
