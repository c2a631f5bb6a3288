import type {LifeEntry} from '../../src/results/history.js';
import * as fc from 'fast-check';
import {describe, expect, it} from 'vitest';
import {folded} from '../../src/report/history/fold.js';
import {HISTORY_RENDERERS, type HistoryForm} from '../../src/report/history/index.js';
import {distribution} from '../../src/readers/pins/distribution.js';
import {PINS_RENDERERS, type PinsForm} from '../../src/report/pins/index.js';
import {histogram, livePlot} from '../../src/report/pins/plot.js';
import {historyReport, pinsReport} from './sample-lives.js';
import {HOSTILE} from './samples.js';

const plain = {color: false, width: 80};
const history = (form: HistoryForm, report = historyReport(), width = 80): string =>
  [...HISTORY_RENDERERS[form](report, {...plain, width})].join('');
const pins = (form: PinsForm, report = pinsReport(), width = 80): string =>
  [...PINS_RENDERERS[form](report, {...plain, width})].join('');

/** The value with every string that a trace could have chosen made hostile. */
function hostile<T>(value: T, key = ''): T {
  if (typeof value === 'string') {
    return (
      ['comm', 'task', 'note', 'label', 'device', 'path', 'dev', 'ino', 'index', 'how'].includes(key) ? HOSTILE : value
    ) as T;
  }
  if (Array.isArray(value)) {
    return value.map((item: unknown) => (key === 'frames' || key === 'stack' ? HOSTILE : hostile(item, key))) as T;
  }
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, hostile(item as unknown, name)])) as T;
}

describe('history', () => {
  it('draws the life with decoded counts, pairs and bars of what was open', () => {
    expect(history('table').split('\n').slice(9, 34)).toMatchInlineSnapshot(`
      [
        "     17.231549    0  wl/309  alloc                 3602  1 ref",
        "     17.231571    0  wl/309  taken mapping +1      3604  2 refs",
        "                mapping known by count",
        "     17.231918    0  wl/309  taken pin +1024       3620  1026 = 1 pin + 2 refs",
        "                by try_grab_folio_fast, FOLL_WRITE; two events of one deed (+1,",
        "                  +1023); pin known by probe",
        "                => try_grab_folio_fast",
        "                => gup_fast_fallback",
        "                => pin_user_pages_fast",
        "                => dopin",
        "                => pb_ioctl",
        "                => __x64_sys_ioctl",
        "                => do_syscall_64",
        "                => entry_SYSCALL_64_after_hwframe",
        "  +  17.232232    0  wl/309  dma-map               3635",
        "  |             pinbug.0, BIDIRECTIONAL, 4096 bytes",
        "  |  17.235494    0  wl/309  dropped pin -1024     3641  2 refs",
        "  |             with line 3620, 3.58 ms apart (same kind, oldest first); pin",
        "  |               known by probe",
        "  '  17.238705    0  wl/309  dma-unmap             3648",
        "                the mapping of line 3635 (6.47 ms ago)",
        "     17.238951    0  wl/309  dropped lru-batch -1  3653  1 ref",
        "     17.239191    0  wl/309  free                  3663  0 refs",
        "",
        "  D1: pinbug.0 BIDIRECTIONAL, 17.232232 to 17.238705 (6.47 ms)",
      ]
    `);
  });

  it('of more entries than a call can have arguments is drawn', () => {
    const report = historyReport();
    const [generation] = report.pages[0]!.generations;
    const entry = generation!.entries[1]!;
    // each unlike the one before, or they would be folded
    generation!.entries = Array.from({length: 150_000}, (_, i) => ({...entry, line: i + 1, delta: i + 1}));
    const lines = [...HISTORY_RENDERERS.table(report, plain)].join('').split('\n');
    expect(lines.length).toBeGreaterThan(150_000);
  });

  it('folds repeats, shows gaps, and names pages it did not see', () => {
    const text = history('table');
    expect(text).toContain('40 times:');
    expect(text).toContain('taken transient +1, dropped transient -1; until 17.240783,');
    expect(text).toContain('~~ gap ~~');
    expect(text).toContain('CPU 1 lost 12 events');
    expect(text).toContain('No event of this trace names 0x99999.');
    expect(text.replaceAll(/\s+/g, ' ')).toContain('another page since 17.239607, its allocation is not in the trace');
  });

  it.each([80, 120, 200])('fits %i columns', (width) => {
    for (const report of [historyReport(), hostile(historyReport())]) {
      for (const line of history('table', report, width).split('\n'))
        expect(line.length, line).toBeLessThanOrEqual(width);
    }
  });

  it('is a mail of ASCII, at most 75 columns', () => {
    for (const report of [historyReport(), hostile(historyReport())]) {
      const text = history('mail', report);
      expect(text).toMatch(/^[\x20-\x7e\n]*$/);
      for (const line of text.split('\n')) expect(line.length, line).toBeLessThanOrEqual(75);
    }
  });

  it('is whole as JSON', () => {
    expect(JSON.parse(history('json'))).toEqual(historyReport());
    expect(JSON.parse(history('json', {...historyReport(), pages: []})).pages).toEqual([]);
  });

  it.each(['table', 'mail', 'markdown'] as const)('lets nothing hostile into %s', (form) => {
    // eslint-disable-next-line no-control-regex
    expect(history(form, hostile(historyReport()))).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
  });

  /** A round of I/O: a pin in two halves, a mapping, a drop by whoever is there; `us` long. */
  function round(at: number, us: number, order: ('map' | 'unmap' | 'unpin')[]): LifeEntry[] {
    const entry = historyReport().pages[0]!.generations[0]!.entries[1]!;
    const words = ['pin', 'pin', ...order];
    return words.map((word, step) => ({
      ...entry,
      what: {pin: 'taken', unpin: 'dropped', map: 'dma-map', unmap: 'dma-unmap'}[word]!,
      kind: word.endsWith('pin') ? 'pin' : null,
      delta: word === 'pin' ? [1, 1023][step]! : word === 'unpin' ? -1024 : null,
      task: word === 'pin' ? 'wl' : `t${at}`,
      line: at * 10 + step,
      t_ns: String(at * 1_000_000 + Math.round((step * us * 1000) / (words.length - 1))),
      note: null,
      counts: null,
      pair: null,
    }));
  }
  const good = ['map', 'unmap', 'unpin'] as ('map' | 'unmap' | 'unpin')[];

  it('folds equal rounds of I/O, with the least and the most that one took', () => {
    const report = historyReport();
    const [generation] = report.pages[0]!.generations;
    const rounds = (from: number, to: number): LifeEntry[] =>
      Array.from({length: to - from}, (_, i) => round(from + i, 90 + i, good)).flat();
    const early = round(30, 500, ['map', 'unpin', 'unmap']);
    generation!.entries = [...rounds(10, 30), ...early, ...rounds(31, 40)];
    generation!.windows = [];
    const text = history('table', report).replaceAll(/\s+/g, ' ');
    expect(text).toContain('20 times:');
    expect(text).toContain('pin, map, unmap, unpin; 90 us to 109 us each; until');
    expect(text).toContain('9 times:');
    // the one in another order stands alone
    expect(text.match(/dropped pin/g)).toHaveLength(1);
  });

  it('folds no round that decides a finding', () => {
    const report = historyReport();
    const [generation] = report.pages[0]!.generations;
    generation!.entries = Array.from({length: 9}, (_, i) => round(i, 90, good)).flat();
    generation!.entries[4 * 5 + 4]!.decides = 'F1: unpin';
    const text = history('table', report);
    expect(text.match(/4 times:/g)).toHaveLength(2);
    expect(text).toContain('^^^ F1: unpin');
  });

  it('colours by kind on a terminal that has colours, and says the same', () => {
    const coloured = [...HISTORY_RENDERERS.table(historyReport(), {...plain, color: true})].join('');
    expect(coloured).toContain('\u001b[34m');
    // eslint-disable-next-line no-control-regex
    expect(coloured.replaceAll(/\u001b\[[\d;]*m/g, '')).toBe(history('table'));
  });

  it('unfolds to what it folded', () => {
    const entries = historyReport().pages.flatMap((page) =>
      page.generations.flatMap((generation) => generation.entries),
    );
    fc.assert(
      fc.property(fc.array(fc.nat({max: entries.length - 1}), {maxLength: 60}), (picks) => {
        const life = picks.map((at) => entries[at] ?? never());
        const items = folded(life);
        const count = items.reduce((sum, item) => sum + ('pattern' in item ? item.pattern.length * item.times : 1), 0);
        expect(count).toBe(life.length);
        for (const item of items) {
          if ('pattern' in item)
            expect(item.pattern.every((entry) => entry.kind !== 'pin' && entry.kind !== 'get')).toBe(true);
        }
      }),
    );
  });
});

describe('pins', () => {
  it.each([80, 120, 200])('fits %i columns', (width) => {
    for (const report of [pinsReport(), hostile(pinsReport())]) {
      for (const line of pins('table', report, width).split('\n')) expect(line.length, line).toBeLessThanOrEqual(width);
    }
  });

  it('is a mail of ASCII, at most 75 columns, and whole as JSON', () => {
    const text = pins('mail', hostile(pinsReport()));
    expect(text).toMatch(/^[\x20-\x7e\n]*$/);
    for (const line of text.split('\n')) expect(line.length, line).toBeLessThanOrEqual(75);
    expect(JSON.parse(pins('json'))).toEqual(pinsReport());
  });

  it('says who pins, for how long, and what is in CMA', () => {
    const text = pins('table');
    expect(text).toMatch(/wl\/309 +300 +80 +10 /);
    expect(text).toContain('310 taken on 88 pages: 299 dropped, 1 gone');
    expect(text).toMatch(/0x12200 \(order 9\) +230 ms +17\.256732 +held +wl\/309 +4100 +CMA/);
    expect(text).toContain('Time from unmap to unpin on pinbug.0, ns');
    expect(text).toContain('Live pins over time: at most 88, at 17.345000');
  });

  it('has every histogram count in JSON, table and drawing', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({max: 2 ** 50}), {minLength: 1, maxLength: 200}), (times) => {
        const spread = distribution(times) ?? never();
        expect(spread.log2.reduce((sum, bucket) => sum + bucket.count, 0)).toBe(times.length);
        expect(Number(spread.min_ns)).toBe(Math.min(...times));
        expect(Number(spread.max_ns)).toBe(Math.max(...times));
        for (const bucket of spread.log2) {
          const inside = times.filter((ns) => ns >= Number(bucket.from_ns) && ns < Number(bucket.to_ns));
          expect(inside).toHaveLength(bucket.count);
        }
        expect(histogram(spread, 80)).toHaveLength(spread.log2.length);
      }),
    );
    expect(distribution([])).toBeNull();
  });

  it('draws histograms as bpftrace does', () => {
    const spread = distribution([0, 1, 1, 3, 1500, 1500, 1500, 1500]) ?? never();
    const lines = histogram(spread, 80);
    expect(lines[0]).toBe(`[0]                     1 |${'@'.repeat(13)}${' '.repeat(39)}|`);
    expect(lines[1]).toMatch(/^\[1\] {21}2 \|@{26} {26}\|$/);
    expect(lines.at(-1)).toBe(`[1K, 2K)                4 |${'@'.repeat(52)}|`);
  });

  it('plots the most of each column', () => {
    const live = {start_ns: '0', step_ns: '1000', most: [0, 8, 0, 0], peak: 8, peak_ns: '1000'};
    expect(livePlot(live, 60, null, 2)).toEqual(['8 | #', '  | #', '0 +----', '   0.000000 0.000004']);
    // never beyond the trace
    expect(livePlot(live, 60, '3000', 2).at(-1)).toBe('   0.000000 0.000003');
  });
});

function never(): never {
  throw new Error('not reached');
}
