/** The judge of the guests' traces must itself be able to say no. */
import {describe, expect, test} from 'vitest';
import type {Finding, Report} from '../../src/results/report.js';
import {judge, parseDeeds, type Deed, type Judgement} from '../kernel/judge.js';

function deed(name: string, t0: bigint, ...pfns: string[]): Deed {
  return {name, t0, t1: t0 + 100n, pfns};
}

/** As much work as a guest does, all of it right. */
const work: Deed[] = [
  ...Array.from({length: 6}, (_, i) => deed('ODIRECT', BigInt(i) * 1000n, '0x1')),
  ...Array.from({length: 4}, (_, i) => deed('GOOD', 10_000n + BigInt(i) * 1000n, '0x2')),
  deed('URING_FIXED', 20_000n, '0x3'),
  ...Array.from({length: 10}, (_, i) => deed('SYNCED_READ', 30_000n + BigInt(i) * 5000n, '0x4', '0x8')),
  deed('FILEMAP_READ', 90_000n, '0x4', '0x8'),
  ...Array.from({length: 3}, (_, i) => deed('EARLY_UNPIN', 1_000_000n * BigInt(i + 1), '0x5', '0x6')),
  deed('LEAK_PIN', 5_000_000n, '0x7'),
];

function finding(rule: string, start: bigint, ...pfns: string[]): Finding {
  const time = {start_ns: String(start), end_ns: null};
  return {
    id: `${rule}${start}`,
    rule,
    severity: 'error',
    verdict: 'sure',
    pages: pfns.map((pfn) => ({pfn, order: 0, occurrences: 1, ...time})),
    ...time,
  } as unknown as Finding;
}

const right = [
  ...[1n, 2n, 3n].map((i) => finding('unpin-while-dma', 1_000_000n * i + 50n, '0x5', '0x6')),
  finding('pin-leak', 5_000_000n, '0x7'),
  ...Array.from({length: 10}, (_, i) => finding('writeback-while-pinned', 30_050n + BigInt(i) * 5000n, '0x4')),
];

const wrongs = (findings: Finding[], deeds = work, judgement: Judgement = {}) =>
  judge({findings} as unknown as Report, deeds, '6.12', judgement);

describe('judge', () => {
  test('is content with exactly what was done', () => expect(wrongs(right)).toEqual([]));

  test('misses a deed', () =>
    expect(wrongs(right.slice(1))).toEqual([expect.stringContaining('no unpin-while-dma on 0x5, 0x6')]));

  test('misses one page of a deed', () => {
    const half = [finding('unpin-while-dma', 1_000_050n, '0x5'), ...right.slice(1)];
    expect(wrongs(half)).toEqual([expect.stringContaining('no unpin-while-dma on 0x6')]);
  });

  test('misses a sync during one of the reads', () =>
    expect(wrongs(right.slice(0, -1))).toEqual([
      expect.stringContaining('no writeback-while-pinned on any of 0x4, 0x8'),
    ]));

  test('takes a sync that met the edge of a read', () =>
    expect(wrongs([...right, finding('writeback-while-pinned', 90_010n, '0x8')])).toEqual([]));

  test('takes a long pin only of what really lasted', () => {
    const slow: Deed = {name: 'FILEMAP_READ', t0: 7_000_000_000n, t1: 8_900_000_000n, pfns: ['0x9']};
    const long = finding('long-pin', 7_000_000_010n, '0x9');
    expect(wrongs([...right, long], [...work, slow])).toEqual([]);
    expect(wrongs([...right, long], [...work, {...slow, t1: 7_900_000_000n}])).toEqual([
      expect.stringContaining('nobody did that'),
    ]);
  });

  test('refuses a finding on correct work', () => {
    expect(wrongs([...right, finding('unpin-while-dma', 10_050n, '0x2')])).toEqual([
      expect.stringContaining('nobody did that'),
    ]);
  });

  test('refuses the right page at another time', () => {
    expect(wrongs([...right, finding('unpin-while-dma', 9_000_000n, '0x5')])).toEqual([
      expect.stringContaining('nobody did that'),
    ]);
  });

  test('refuses another rule on the right page', () => {
    expect(wrongs([...right, finding('put-on-pin', 1_000_050n, '0x5')])).toEqual([
      expect.stringContaining('put-on-pin'),
    ]);
  });

  test('of a recording for some rules asks for these only', () => {
    expect(wrongs(right.slice(0, 3), work, {rules: ['unpin-while-dma']})).toEqual([]);
    expect(wrongs(right.slice(1, 3), work, {rules: ['unpin-while-dma']})).toHaveLength(1);
  });

  test('where events are missing takes what is only possible, and nothing that is sure', () => {
    const nobody = finding('put-on-pin', 1_000_050n, '0x5');
    expect(wrongs([...right, {...nobody, verdict: 'possible'}], work, {missed: 1})).toEqual([]);
    expect(wrongs([...right, nobody], work, {missed: 1})).toEqual([expect.stringContaining('nobody did that')]);
    expect(wrongs(right.slice(1), work, {missed: 1})).toHaveLength(1);
  });

  test('does not take more of that than the missing events could explain', () => {
    const many = [1, 2, 3, 4, 5].map((n) => ({
      ...finding('put-on-pin', 1_000_050n, `0xa${n}`),
      verdict: 'possible' as const,
    }));
    expect(wrongs([...right, ...many.slice(1)], work, {missed: 1})).toEqual([]);
    expect(wrongs([...right, ...many], work, {missed: 1})).toHaveLength(5);
  });

  test('does not ask for what was done while events were lost', () => {
    const lost = {...deed('EARLY_UNPIN', 9_000_000n, '0x9'), lost: true as const};
    expect(wrongs(right, [...work, lost])).toEqual([]);
    expect(wrongs([...right, finding('unpin-while-dma', 9_000_050n, '0x9')], [...work, lost])).toEqual([]);
  });

  test('notices work that was not done', () => {
    expect(wrongs(right, work.slice(1))).toContain('the work did only 5 ODIRECT');
  });

  test('reads the lines of the work', () => {
    expect(parseDeeds('x\ndeed name=GOOD pid=7 t0=1 t1=2 pfns=0x1,0x2\n')).toEqual([
      {name: 'GOOD', t0: 1n, t1: 2n, pfns: ['0x1', '0x2']},
    ]);
  });
});
