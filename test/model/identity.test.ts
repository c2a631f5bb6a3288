import fc from 'fast-check';
import {describe, expect, it} from 'vitest';
import {Identity} from '../../src/capture/identity.js';
import {PageSize} from '../../src/capture/page-size.js';
import {analyzeText, toldOf} from '../rules/analyze-text.js';
import {SmallKernel} from '../rules/small-kernel.js';

const halves = (address: bigint): [number, number] => [Number(address >> 32n), Number(address & 0xffffffffn)];
const page = (base: bigint, pfn: number): [number, number] => halves(base + BigInt(pfn) * 64n);

/** With CONFIG_RANDOMIZE_MEMORY: in steps of 1 GiB, where no other architecture has them. */
const base = fc.integer({min: 0, max: 0x9b00}).map((i) => 0xffffc90000000000n + (BigInt(i) << 30n));
const pfn = fc.integer({min: 0, max: 2 ** 34});

/** As on arm64, where memory begins at 0x40000000: in steps of 512 KiB and more. */
const crooked = fc.integer({min: 1, max: 2047}).map((i) => 0xffffffdf80000000n + (BigInt(i) << 19n));

describe('Identity', () => {
  it('resolves every page once one pair of pointer and PFN is known, under a base of whole GiB', () => {
    fc.assert(
      fc.property(base, pfn, pfn, (vmemmap, first, second) => {
        const identity = new Identity();
        identity.pair(...page(vmemmap, first), first);
        expect(identity.grade).toBe('paired');
        expect(identity.proven).toBe(true);
        expect(identity.base()).toBe(`0x${vmemmap.toString(16)}`);
        expect(identity.pfn(...page(vmemmap, second))).toBe(second);
      }),
    );
  });

  it('believes a base of any alignment that pairs of three different pages agree on', () => {
    fc.assert(
      fc.property(crooked, fc.integer({min: 1, max: 2 ** 30}), (vmemmap, first) => {
        const identity = new Identity();
        identity.mayAssume = false;
        if (vmemmap % 0x40000000n === 0n) return;
        for (const place of [first, first, first + 7, first]) identity.pair(...page(vmemmap, place), place);
        expect(identity.proven).toBe(false);
        expect(identity.pfn(...page(vmemmap, first))).toBe(-1);
        identity.pair(...page(vmemmap, first + 9), first + 9);
        expect(identity.grade).toBe('paired');
        expect(identity.pfn(...page(vmemmap, first))).toBe(first);
        expect(identity.late).toBe(true);
      }),
    );
  });

  it('needs one line only where it prints both', () => {
    const identity = new Identity();
    identity.pair(...page(0xfffffdffbf000000n, 0x979c6), 0x979c6, 'printed');
    expect(identity.grade).toBe('printed');
    expect(identity.base()).toBe('0xfffffdffbf000000');
  });

  it('assumes a base of whole GiB, which proves nothing until a pair agrees', () => {
    fc.assert(
      fc.property(base, fc.integer({min: 0, max: 2 ** 24 - 1}), (vmemmap, place) => {
        const identity = new Identity();
        expect(identity.pfn(...page(vmemmap, place))).toBe(place);
        expect(identity.grade).toBe('assumed');
        expect(identity.proven).toBe(false);
        identity.pair(...page(vmemmap, place), place);
        expect(identity.proven).toBe(true);
        expect(identity.late).toBe(false);
      }),
    );
  });

  it('drops an assumption that a pair contradicts, and says that it was late', () => {
    const identity = new Identity();
    const far = 2 ** 24 + 5; // 64 GiB and a bit
    expect(identity.pfn(...page(0xffffea0000000000n, far))).toBe(5);
    identity.pair(...page(0xffffea0000000000n, far), far);
    expect(identity.pfn(...page(0xffffea0000000000n, far))).toBe(far);
    expect(identity.late).toBe(true);
  });

  it('does not believe a pair of two different pages', () => {
    const identity = new Identity();
    identity.pair(...page(0xffffea0000000000n, 100), 103);
    expect(identity.grade).toBe('none');
    expect(identity.contradicted).toBe(1);
  });

  it('does not let go of a base for pairs that disagree now and then', () => {
    const identity = new Identity();
    for (let i = 1; i < 40; i++) {
      identity.pair(...page(0xffffea0000000000n, i), i);
      if (i % 3 === 0) identity.pair(...page(0xffffea0000000000n, i), i + 1);
    }
    expect(identity.proven).toBe(true);
    expect(identity.base()).toBe('0xffffea0000000000');
    expect(identity.contradicted).toBeGreaterThan(0);
  });

  it('keeps what was told against single pairs, and drops it where three pages refute it', () => {
    for (const teller of ['option', 'argument'] as const) {
      const identity = new Identity();
      identity.told(...halves(0xffffea0000000000n), teller);
      for (const place of [7, 8]) {
        identity.pair(...page(0xfffff88100000000n, place), place);
        expect(identity.grade).toBe('told');
        expect(identity.base()).toBe('0xffffea0000000000');
      }
      identity.pair(...page(0xfffff88100000000n, 9), 9);
      expect(identity.base()).toBe('0xfffff88100000000');
      expect(identity.refuted).toBe('0xffffea0000000000');
    }
  });

  it('proves nothing where many pages agree on each of two bases', () => {
    const identity = new Identity();
    for (let i = 1; i < 20; i++) identity.pair(...page(0xffffea0000000000n, i), i);
    expect(identity.proven).toBe(true);
    for (let i = 1; i < 20; i++) identity.pair(...page(0xfffff88100000000n, i), i);
    expect(identity.proven).toBe(false);
  });

  it('takes no pointer below the base, or between two pages, for a page', () => {
    const identity = new Identity();
    identity.told(...halves(0xffffea0000000000n), 'option');
    expect(identity.pfn(...halves(0xffffe9ffffffffc0n))).toBe(-1);
    expect(identity.pfn(...halves(0xffffea0000000041n))).toBe(-1);
  });
});

describe('PageSize', () => {
  it('is told by the release, the machine and the header', () => {
    for (const [release, shift, known] of [
      ['6.12.117+deb13-arm64-16k', 14, true],
      ['6.8.0-31-generic-64k', 16, true],
      ['5.14.0-427.el9.aarch64+64k', 16, true],
      ['6.1.0-56-amd64', 12, true],
      ['6.12.117+deb13-arm64', 12, false],
    ] as const) {
      const size = new PageSize();
      size.fromRelease(release);
      expect([size.shift, size.known]).toEqual([shift, known]);
      size.fromBytes('65536');
      // x86-64 has no other: a recorder that says so is wrong
      const only = release.endsWith('-amd64');
      expect([size.shift, size.source]).toEqual(only ? [12, 'machine'] : [16, 'header']);
    }
  });

  it('is found from mappings of pinned pages: one for the usual size, three for another', () => {
    const usual = new PageSize();
    usual.fits(12, 100);
    expect(usual.known).toBe(true);
    const large = new PageSize();
    for (const pfn of [100, 100, 101]) large.fits(16, pfn);
    expect(large.known).toBe(false);
    large.fits(16, 102);
    expect([large.shift, large.source]).toEqual([16, 'mappings']);
  });

  it('is as the user says where the trace shows no other, and told where it does', () => {
    const given = new PageSize();
    given.told(16, 'option');
    given.fits(12, 100);
    expect([given.shift, given.known, given.refuted]).toEqual([16, true, undefined]);
    for (const pfn of [101, 102]) given.fits(12, pfn);
    expect([given.shift, given.source, given.refuted]).toEqual([12, 'mappings', 65536]);
    given.told(16, 'option');
    expect(given.shift).toBe(12);
  });

  it('is 4 KiB where an offset in a file is an odd number of them', () => {
    const size = new PageSize();
    size.fromOffset(16384);
    expect(size.known).toBe(false);
    size.fromOffset(790528);
    expect([size.shift, size.source]).toEqual([12, 'offsets']);
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

  /** Nothing tells the base. */
  const untold = (text: string): string => text.replace(/^# pinscope-record: vmemmap_base=.*$/m, '#');

  it('is resolved under any base that is told', async () => {
    for (const vmemmap of [0xffffea0000000000n, 0xfffff88100000000n, 0xffffd4a140000000n]) {
      expect(await toldOf(shifted(vmemmap))).toEqual(['unpin-while-dma error sure 0x2fb0']);
    }
  });

  it('is told as possible only, while nothing says where struct pages begin', async () => {
    expect(await toldOf(untold(shifted(0xfffff88100000000n)))).toEqual(['unpin-while-dma error possible 0x2fb0']);
  });

  it('is resolved by --vmemmap', async () => {
    expect(await toldOf(untold(shifted(0xffffd4a140000000n)), {vmemmap: 0xffffd4a140000000n})).toEqual([
      'unpin-while-dma error sure 0x2fb0',
    ]);
  });

  it('proves nothing with hashed pointers', async () => {
    const hashed = shifted(0xffffea0000000000n).replaceAll(/0xffffea0[0-9a-f]{9}/g, '00000000b9111fae');
    expect((await analyzeText(hashed)).findings).toEqual([]);
  });
});
