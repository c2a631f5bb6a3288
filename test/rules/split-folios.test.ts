/**
 * Folios that are split: each page goes on by itself, with no allocation of its own (split_huge_page_to_list(),
 * mm/huge_memory.c). Where page_ref events are recorded the counts of the pages tell; else the next that names one of them.
 */
import {expect, it} from 'vitest';
import {toldOf} from './analyze-text.js';
import {SmallKernel} from './small-kernel.js';

const THP = 0x600;
const [A, B] = [THP + 8, THP + 200];

class Splitting extends SmallKernel {
  split(): void {
    const whole = this.pages.get(THP)!;
    const flags = new Set([...whole.flags].filter((flag) => flag !== 'head'));
    this.freeze(THP, whole.count);
    for (const pfn of [B, A, THP]) {
      this.pages.set(pfn, {...whole, order: 0, count: 0, flags: new Set(flags)});
      this.unfreeze(pfn, 1);
    }
  }
}

function trace(refs: boolean, deeds: (k: Splitting) => void): string {
  const k = new Splitting({refs});
  k.anon(THP, 9);
  k.pin(THP, {n: 4, sub: THP + 4});
  k.unpin(THP, {n: 4, sub: THP + 4});
  k.split();
  deeds(k);
  k.wait(50_000);
  k.by({task: 'bash-77', cpu: 1}, () => k.anon(0x900));
  return k.text();
}

it.each([true, false])('one page under writeback is not another that is pinned (counts: %s)', async (refs) => {
  const text = trace(refs, (k) => {
    k.pin(A);
    k.by({task: 'kswapd0-33', cpu: 1}, () => k.writeOut(B));
    k.map(A);
    k.unmap(A);
    k.unpin(A);
  });
  expect(await toldOf(text)).toEqual([]);
});

it.each([true, false])('a page that is freed is not the one that a device has (counts: %s)', async (refs) => {
  const text = trace(refs, (k) => {
    k.pin(A);
    k.map(A);
    k.munmap(THP);
    k.munmap(B);
    k.by({task: 'bash-77', cpu: 1}, () => {
      k.anon(B);
      k.pin(B);
      k.unpin(B);
      k.munmap(B);
    });
    k.unmap(A);
    k.unpin(A);
  });
  expect(await toldOf(text)).toEqual([]);
});

it('an early unpin of a page is found', async () => {
  const text = trace(true, (k) => {
    k.pin(A);
    k.map(A);
    k.unpin(A);
    k.unmap(A);
  });
  expect(await toldOf(text)).toEqual(['unpin-while-dma error sure 0x608']);
});
