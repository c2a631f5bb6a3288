import {describe, expect, it} from 'vitest';
import {Skew} from '../../src/capture/skew.js';
import {analyzeText, told, toldOf} from './analyze-text.js';
import {SmallKernel} from './small-kernel.js';

const P = 0x2fb0;

/** Unpinned on CPU 1, and the device lets go on CPU 0 `later_us` after that, as the two clocks have it. */
function early(later_us: number): SmallKernel {
  const k = new SmallKernel();
  k.anon(P);
  k.pin(P);
  k.map(P);
  k.by({task: 'kworker/1:1-20', cpu: 1}, () => k.unpin(P));
  k.wait(later_us);
  k.unmap(P);
  k.munmap(P);
  return k;
}

/** Correct reads whose cause and effect lie on two CPUs, `apart_us` from map to unmap. */
function reads(k: SmallKernel, apart_us: number): void {
  for (let i = 1; i <= 4; i++) {
    k.anon(P + i);
    k.pin(P + i);
    k.by({task: 'wl-310', cpu: 1}, () => k.map(P + i, 'FROM_DEVICE'));
    k.wait(apart_us);
    k.unmap(P + i, 'FROM_DEVICE');
    k.unpin(P + i);
    k.munmap(P + i);
  }
}

describe('an order on two CPUs', () => {
  it('is proven by a clock that the user names where the trace does not', async () => {
    expect(await toldOf(early(50).text(null), {clock: 'mono'})).toEqual(['unpin-while-dma error sure 0x2fb0']);
    expect(await toldOf(early(50).text('mono'), {clock: 'local'})).toEqual(['unpin-while-dma error possible 0x2fb0']);
  });

  it('is proven by a clock that is one for all', async () => {
    expect(await toldOf(early(50).text('mono'))).toEqual(['unpin-while-dma error sure 0x2fb0']);
  });

  it.each([null, 'local', 'x86-tsc-like'])('is not proven by distance where the clock is %s', async (clock) => {
    const report = await analyzeText(early(50).text(clock));
    expect(told(report)).toEqual(['unpin-while-dma error possible 0x2fb0']);
    expect(report.findings[0]!.reason).toContain('record with trace_clock mono');
  });

  it('is proven where causes and effects on the same CPUs lie closer than the two events', async () => {
    const far = early(5000);
    reads(far, 100);
    expect(await toldOf(far.text('local'))).toContain('unpin-while-dma error sure 0x2fb0');
    const near = early(50);
    reads(near, 100);
    expect(await toldOf(near.text('local'))).toContain('unpin-while-dma error possible 0x2fb0');
  });
});

it.each([true, false])(
  'a drop shows how far clocks differ only where nothing was taken of its page before the trace (seen: %s)',
  async (seen) => {
    const k = early(5000);
    const other = 0x4000;
    const before = k.text(null).length;
    k.anon(other, 9);
    k.pin(other);
    const taken = k.text(null).length;
    if (seen) k.putPinned(other);
    // CPU 0 is ahead: where the first pin is from before the trace this may be its drop, and before the second was taken
    k.by({task: 'wl-310', cpu: 1}, () => k.pin(other, {sub: other + 1}));
    k.putPinned(other);
    k.put(other);
    const text = k.text('local');
    const whole = seen ? text : text.slice(0, before) + text.slice(taken);
    expect(await toldOf(whole)).toContain(`unpin-while-dma error ${seen ? 'sure' : 'possible'} 0x2fb0`);
  },
);

it('an unpin may belong to the pin that another CPU prints after it', async () => {
  const k = new SmallKernel({refs: false});
  k.anon(P);
  k.pin(P);
  k.unpin(P);
  k.by({cpu: 1}, () => k.unpin(P));
  k.wait(100);
  k.pin(P); // on CPU 0, whose clock is ahead
  k.wait(100);
  k.munmap(P);
  expect(await toldOf(k.text('mono'))).toContain('unpin-without-pin error sure 0x2fb0');
  expect(await toldOf(k.text(null))).toContain('unpin-without-pin error possible 0x2fb0');
});

it('a mapping that was over just before the writeback, by the clock of another CPU, may not have been', async () => {
  const k = new SmallKernel();
  k.file(P);
  k.markDirty(P);
  k.pin(P);
  k.by({cpu: 1}, () => {
    k.map(P);
    k.wait(500);
    k.unmap(P);
  });
  k.writeOut(P);
  k.unpin(P);
  expect(await toldOf(k.text('mono'))).toEqual(['writeback-while-pinned warning sure 0x2fb0']);
  expect(await toldOf(k.text(null))).toEqual(['writeback-while-pinned warning possible 0x2fb0']);
});

it('a count may have changed before it is printed: a pin whose unpin was under way was not surely held', async () => {
  for (const [under_way, verdict] of [
    [false, 'sure'],
    [true, 'possible'],
  ] as const) {
    const k = new SmallKernel();
    k.file(P);
    k.markDirty(P);
    k.pin(P);
    const begin = (): void => k.by({task: 'wl-310', cpu: 1}, () => k.startWriteback(P));
    if (!under_way) {
      begin();
      k.wait(20);
    }
    k.line(`gup_put_folio: (gup_put_folio+0x0/0x90) folio=${k.pointer(P)} refs=1 flags=0x80000`);
    if (under_way) begin();
    k.put(P, 1024);
    k.wait(100);
    k.by({task: 'wl-310', cpu: 1}, () => k.endWriteback(P));
    expect(await toldOf(k.text('mono'))).toEqual([`writeback-while-pinned warning ${verdict} 0x2fb0`]);
  }
});

describe('Skew', () => {
  it('is bounded by the closest pair, one way only', () => {
    const skew = new Skew();
    expect(skew.ahead(0, 1, undefined)).toBe(Infinity);
    skew.caused({t: 100, cpu: 0}, {t: 900, cpu: 1});
    skew.caused({t: 100, cpu: 0}, {t: 300, cpu: 1});
    skew.caused({t: 100, cpu: 0}, {t: 500, cpu: 1});
    expect(skew.ahead(0, 1, 'local')).toBe(200);
    expect(skew.ahead(1, 0, 'local')).toBe(Infinity);
    expect(skew.ahead(1, 0, 'mono')).toBe(0);
  });

  it('is not bounded by pairs that contradict each other', () => {
    const skew = new Skew();
    skew.caused({t: 1000, cpu: 0}, {t: 400, cpu: 1});
    skew.caused({t: 100, cpu: 1}, {t: 600, cpu: 0});
    expect(skew.ahead(1, 0, 'local')).toBe(Infinity);
    skew.caused({t: 100, cpu: 2}, {t: 600, cpu: 0});
    expect(skew.ahead(2, 0, 'local')).toBe(500);
  });

  it('learns nothing from one CPU, or from one that is not known', () => {
    const skew = new Skew();
    skew.caused({t: 1, cpu: 2}, {t: 2, cpu: 2});
    skew.caused({t: 1, cpu: -1}, {t: 2, cpu: 0});
    expect(skew.ahead(2, 2, 'local')).toBe(Infinity);
    expect(skew.ahead(-1, 0, 'local')).toBe(Infinity);
  });
});
