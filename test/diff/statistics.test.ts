/** How often the tests of `pinscope diff` call equal things different, and different things so: docs/comparing.md has the figures. */
import {describe, expect, test} from 'vitest';
import {type Histogram, holm, mannWhitney, medianOf, poissonRatesP, put} from '../../src/diff/statistics.js';

let seed = 1;
const random = (): number => ((seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) + 0.5) / 2 ** 32;
const normal = (): number => Math.sqrt(-2 * Math.log(random())) * Math.cos(2 * Math.PI * random());

function poisson(mean: number): number {
  let [k, p] = [0, random()];
  for (const least = Math.exp(-mean); p > least; k++) p *= random();
  return k;
}

const share = (n: number, different: () => boolean): number => {
  let hits = 0;
  for (let i = 0; i < n; i++) if (different()) hits++;
  return hits / n;
};

describe('two Poisson rates', () => {
  const called = (ta: number, tb: number, times: number): number =>
    share(4000, () => poissonRatesP(poisson(ta), ta, poisson(tb * times), tb) < 0.05);

  test('equal ones are called different at most as often as asked for', () => {
    for (const [ta, tb] of [
      [5, 5],
      [5, 20],
      [50, 50],
    ] as const)
      expect(called(ta, tb, 1)).toBeLessThan(0.055);
  });

  test('different ones are seen', () => {
    expect(called(5, 5, 3)).toBeGreaterThan(0.4);
    expect(called(5, 5, 5)).toBeGreaterThan(0.9);
    expect(called(1, 1, 10)).toBeGreaterThan(0.65);
  });

  test('pages of one call are no independent counts; calls are', () => {
    const counts = (): {calls: number; pages: number} => {
      const calls = poisson(20);
      let pages = 0;
      for (let i = 0; i < calls; i++) pages += [1, 4, 16, 64][Math.floor(random() * 4)]!;
      return {calls, pages};
    };
    const pairs = Array.from({length: 1000}, () => [counts(), counts()] as const);
    const of = (key: 'calls' | 'pages'): number =>
      pairs.filter(([a, b]) => poissonRatesP(a[key], 1, b[key], 1) < 0.05).length / pairs.length;
    expect(of('pages')).toBeGreaterThan(0.7);
    expect(of('calls')).toBeLessThan(0.06);
  });

  test('none, few and very many', () => {
    expect(poissonRatesP(0, 1, 0, 1)).toBe(1);
    expect(poissonRatesP(0, 1, 6, 1)).toBeCloseTo(0.03125, 10); // 2 / 2^6
    expect(poissonRatesP(3, 0, 6, 1)).toBe(1);
    const [exact, near] = [poissonRatesP(9800, 1, 10_150, 1), poissonRatesP(9825, 1, 10_176, 1)];
    expect(Math.abs(exact - near)).toBeLessThan(0.002);
  });
});

describe('Mann-Whitney', () => {
  const times = (n: number, shift: number): Histogram => {
    const h: Histogram = new Map();
    for (let i = 0; i < n; i++) put(h, Math.exp(10 + shift + 0.8 * normal()));
    return h;
  };

  test('equal times are called different as often as asked for', () => {
    for (const n of [10, 100])
      expect(share(1000, () => mannWhitney(times(n, 0), times(n, 0)).p < 0.05)).toBeLessThan(0.07);
  });

  test('different ones are seen; 1 % of very many is seen too, and is why an effect is asked for', () => {
    expect(share(500, () => mannWhitney(times(10, 0), times(10, 1)).p < 0.05)).toBeGreaterThan(0.6);
    const {p, effect} = mannWhitney(times(100_000, 0), times(100_000, 0.03));
    expect(p).toBeLessThan(0.001);
    expect(effect).toBeLessThan(0.52);
  });

  test('of one and the same value there is nothing to tell', () => {
    const one = new Map([[7, 20]]);
    const {p, effect} = mannWhitney(one, one);
    expect(p).toBeCloseTo(1, 10);
    expect(effect).toBe(0.5);
    expect(medianOf(one)).toBe(Math.round(2 ** (7.5 / 16)));
  });
});

test('Holm', () => {
  expect(holm([0.01, 0.5, 0.02])).toEqual([0.03, 0.5, 0.04]);
});
