import fc from 'fast-check';
import {describe, expect, it} from 'vitest';
import {Identity} from '../../src/capture/identity.js';
import {analyzeText, toldOf} from '../rules/analyze-text.js';
import {SmallKernel} from '../rules/small-kernel.js';

const halves = (address: bigint): [number, number] => [Number(address >> 32n), Number(address & 0xffffffffn)];
const page = (base: bigint, pfn: number): [number, number] => halves(base + BigInt(pfn) * 64n);

/** With CONFIG_RANDOMIZE_MEMORY: anywhere, in steps of 1 GiB. */
const base = fc.integer({min: 0, max: 0xffff}).map((i) => 0xffffe00000000000n + (BigInt(i) << 30n));
const pfn = fc.integer({min: 0, max: 2 ** 34});

describe('Identity', () => {
  it('resolves every page once one pair of pointer and PFN is known', () => {
    fc.assert(
      fc.property(base, pfn, pfn, (vmemmap, first, second) => {
        const identity = new Identity();
        identity.pair(...page(vmemmap, first), first);
        expect(identity.source).toBe('calibrated');
        expect(identity.base()).toBe(`0x${vmemmap.toString(16)}`);
        expect(identity.pfn(...page(vmemmap, second))).toBe(second);
      }),
    );
  });

  it('assumes a base of whole GiB for machines of less than 64 GiB, and says that it does', () => {
    fc.assert(
      fc.property(base, fc.integer({min: 0, max: 2 ** 24 - 1}), (vmemmap, place) => {
        const identity = new Identity();
        expect(identity.pfn(...page(vmemmap, place))).toBe(place);
        expect(identity.source).toBe('assumed');
        identity.pair(...page(vmemmap, place), place);
        expect(identity.source).toBe('calibrated');
      }),
    );
  });

  it('corrects an assumption that a pair contradicts', () => {
    const identity = new Identity();
    const far = 2 ** 24 + 5; // 64 GiB and a bit
    expect(identity.pfn(...page(0xffffea0000000000n, far))).toBe(5);
    identity.pair(...page(0xffffea0000000000n, far), far);
    expect(identity.pfn(...page(0xffffea0000000000n, far))).toBe(far);
  });

  it('does not believe a pair of two different pages', () => {
    const identity = new Identity();
    identity.pair(...page(0xffffea0000000000n, 100), 103);
    expect(identity.source).toBe('none');
    expect(identity.contradicted).toBe(1);
  });

  it('keeps what the user or the trace said, whatever a pair says', () => {
    for (const source of ['option', 'argument'] as const) {
      const identity = new Identity();
      identity.setBase(...halves(0xffffea0000000000n), source);
      identity.pair(...page(0xfffff88100000000n, 7), 7);
      expect(identity.source).toBe(source);
      expect(identity.base()).toBe('0xffffea0000000000');
    }
  });

  it('takes no pointer below the base, or between two pages, for a page', () => {
    const identity = new Identity();
    identity.setBase(...halves(0xffffea0000000000n), 'option');
    expect(identity.pfn(...halves(0xffffe9ffffffffc0n))).toBe(-1);
    expect(identity.pfn(...halves(0xffffea0000000041n))).toBe(-1);
  });
});

describe('a trace whose pages are pointers', () => {
  /** An early unpin seen by probes alone, on a kernel with its vmemmap somewhere else. */
  function shifted(vmemmap: bigint): string {
    const k = new SmallKernel({refs: false});
    k.anon(0x2fb0);
    k.pin(0x2fb0);
    k.map(0x2fb0);
    k.unpin(0x2fb0);
    k.unmap(0x2fb0);
    return k.text().replaceAll(/0xffffea0[0-9a-f]{9}/g, (pointer) => {
      return `0x${(BigInt(pointer) - 0xffffea0000000000n + vmemmap).toString(16)}`;
    });
  }

  it('is resolved under any base of whole GiB', async () => {
    for (const vmemmap of [0xffffea0000000000n, 0xfffff88100000000n, 0xffffd4a140000000n]) {
      expect(await toldOf(shifted(vmemmap))).toEqual(['unpin-while-dma error sure 0x2fb0']);
    }
  });

  it('is resolved by --vmemmap', async () => {
    expect(await toldOf(shifted(0xffffd4a140000000n), {vmemmap: 0xffffd4a140000000n})).toEqual([
      'unpin-while-dma error sure 0x2fb0',
    ]);
  });

  it('proves nothing with hashed pointers', async () => {
    const hashed = shifted(0xffffea0000000000n).replaceAll(/0xffffea0[0-9a-f]{9}/g, '00000000b9111fae');
    expect((await analyzeText(hashed)).findings).toEqual([]);
  });
});
