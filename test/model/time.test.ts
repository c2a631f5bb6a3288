import fc from 'fast-check';
import {describe, expect, it} from 'vitest';
import {TimeBase} from '../../src/base/time.js';

describe('TimeBase', () => {
  it('gives back every time of seconds and nanoseconds exactly, after years of uptime too', () => {
    const time = fc.tuple(fc.integer({min: 0, max: 1_000_000_000}), fc.integer({min: 0, max: 999_999_999}));
    const near = fc.tuple(fc.integer({min: 0, max: 80 * 86_400}), fc.integer({min: 0, max: 999_999_999}));
    fc.assert(
      fc.property(time, near, ([s0, n0], [ds, n]) => {
        const base = new TimeBase();
        const exact = (s: number, ns: number): bigint => BigInt(s) * 1_000_000_000n + BigInt(ns);
        expect(base.absolute(base.fromSeconds(s0, n0))).toBe(exact(s0, n0));
        expect(base.absolute(base.fromSeconds(s0 + ds, n))).toBe(exact(s0 + ds, n));
        expect(base.unit).toBe('ns');
      }),
    );
  });

  it('gives back every integer of a counting clock exactly, beyond 2^53 too', () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 2n ** 63n), fc.bigInt(0n, 2n ** 52n), (first, distance) => {
        const base = new TimeBase();
        expect(base.absolute(base.fromInteger(first, 'ticks'))).toBe(first);
        const later = base.fromInteger(first + distance, 'ticks');
        expect(base.absolute(later)).toBe(first + distance);
        expect(base.relative(first + distance)).toBe(later);
        expect(base.unit).toBe('ticks');
      }),
    );
  });

  it('keeps the order of times', () => {
    const time = fc.tuple(fc.integer({min: 0, max: 1000}), fc.integer({min: 0, max: 999_999_999}));
    fc.assert(
      fc.property(time, time, (a, b) => {
        const base = new TimeBase();
        const [ta, tb] = [base.fromSeconds(...a), base.fromSeconds(...b)];
        expect(Math.sign(ta - tb)).toBe(Math.sign(a[0] - b[0] || a[1] - b[1]));
      }),
    );
  });

  it('gives bpftrace integers of nanoseconds and seconds of ftrace one base', () => {
    const base = new TimeBase();
    const t = base.fromSeconds(17, 235_455_974);
    expect(base.fromInteger(17_235_455_974n, 'ns')).toBe(t);
    expect(base.fromInteger(16_000_000_000n, 'ns')).toBeLessThan(t);
  });
});
