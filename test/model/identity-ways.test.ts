/** Each way in which a page's identity can be known or not, from the lines of a trace to its verdict. */
import {describe, expect, it} from 'vitest';
import {analyzeText, toldOf} from '../rules/analyze-text.js';
import {SmallKernel} from '../rules/small-kernel.js';

const P = 0x2fb0;
const X86 = 0xffffea0000000000n;
/** As arm64 has it where memory begins at 0x40000000, with pages of 4 KiB: moved by 16 MiB. */
const ARM = 0xfffffdffbf000000n;

interface Machine {
  /** where struct pages begin */
  vmemmap?: bigint;
  /** what the recorder's header tells of it; 0n nothing */
  told?: bigint;
  /** log2 of the size of pages, that is: of what physical addresses and offsets are made */
  shift?: number;
  /** further facts of the header */
  facts?: readonly string[];
  /** `page=` of kmem events: hashed, as kernels print it by default, or the pointer itself */
  printed?: boolean;
  /** other pages that are freed with __folio_put(), which pairs their pointers with their PFNs */
  pairs?: number;
  /** other pages that are pinned, mapped and unpinned, three at a time */
  mapped?: number;
  /** sizeof(struct page) */
  struct?: bigint;
}

/** An early unpin of a page that probes name by a pointer, and DMA events by an address. */
function trace({pairs = 0, mapped = 0, ...machine}: Machine): string {
  const k = new SmallKernel({refs: false});
  for (let i = 0; i < pairs; i++) {
    const pfn = 0x5000 + 3 * i;
    k.alloc(pfn);
    k.line(`__folio_put: (__folio_put+0x0/0x80) folio=${k.pointer(pfn)}`);
    k.line(`mm_page_free: page=00000000b9111fae pfn=0x${pfn.toString(16)} order=0`);
  }
  for (let i = 0; i < mapped; i += 3) {
    const pfns = [0x6000, 0x6107, 0x6205].map((pfn) => pfn + 11 * i);
    for (const pfn of pfns) k.alloc(pfn);
    for (const deed of ['pin', 'map', 'unmap', 'unpin'] as const) for (const pfn of pfns) k[deed](pfn);
  }
  k.anon(P);
  k.pin(P);
  k.map(P);
  k.unpin(P);
  k.unmap(P);
  return moved(k.text(), machine);
}

/** The text of a small kernel, as a machine with struct pages elsewhere and other pages would print it. */
function moved(
  text: string,
  {vmemmap = X86, told = 0n, shift = 12, facts = [], printed = false, struct = 64n}: Machine,
): string {
  const pointer = (pfn: number): string => (vmemmap + BigInt(pfn) * struct).toString(16);
  const head = [...(told === 0n ? [] : [`vmemmap_base=0x${told.toString(16)}`]), ...facts];
  return text
    .replaceAll(/0xffffea0[0-9a-f]{9}/g, (at) => `0x${pointer(Number((BigInt(at) - X86) / 64n))}`)
    .replace(
      /^# pinscope-record: vmemmap_base=.*$/m,
      head.map((fact) => `# pinscope-record: ${fact}`).join('\n') || '#',
    )
    .replaceAll(/(dma_addr|phys_addr)=([0-9a-f]+)/g, (_all, name, at) => {
      return `${name}=${((BigInt(`0x${at}`) >> 12n) << BigInt(shift)).toString(16)}`;
    })
    .replaceAll(/size=4096/g, `size=${2 ** shift}`)
    .replaceAll(/page=00000000b9111fae pfn=0x([0-9a-f]+)/g, (all, pfn) =>
      printed ? `page=${pointer(parseInt(pfn as string, 16))} pfn=0x${pfn}` : all,
    );
}

/** Lines of tracefs as `perf script` prints them. */
function asPerfScript(lines: readonly string[]): string {
  return lines
    .map((line) => line.replace(/^ *(.+)-(\d+) +(\[\d+\]) \S+ +(\d+\.\d+): (\w+): /, '$1 $2 $3 $4: gup:$5: '))
    .join('\n');
}

const SURE = ['unpin-while-dma error sure 0x2fb0'];
const POSSIBLE = ['unpin-while-dma error possible 0x2fb0'];
const ARM_FACTS = ['machine=aarch64', 'kernel=6.12.118+deb13-arm64', 'page_size=4096'];

describe('where struct pages begin', () => {
  it('is told by the recorder', async () => {
    expect(await toldOf(trace({told: X86}))).toEqual(SURE);
    // randomized, in steps of 1 GiB
    expect(await toldOf(trace({vmemmap: 0xffffd4a140000000n, told: 0xffffd4a140000000n}))).toEqual(SURE);
  });

  it('is printed, a pointer beside a PFN of one line: on any alignment', async () => {
    expect(await toldOf(trace({vmemmap: ARM, printed: true, facts: ARM_FACTS}))).toEqual(SURE);
    expect(await toldOf(trace({vmemmap: 0xffffff709d000000n, printed: true, facts: ARM_FACTS}))).toEqual(SURE);
  });

  it('is agreed on by pairs of three different pages', async () => {
    expect(await toldOf(trace({vmemmap: ARM, pairs: 3, facts: ARM_FACTS}))).toEqual(SURE);
  });

  it('is found by what comes last, too, of a form whose events are put in order before they are read', async () => {
    const [early, late] = [trace({vmemmap: ARM, facts: ['page_size=4096']}), trace({vmemmap: ARM, pairs: 3})];
    const rest = late
      .split('\n')
      .filter((line) => /__folio_put|mm_page_free/.test(line))
      .map((line) => line.replace(/ 10\.(\d+): /, ' 11.$1: '));
    const idle = Array.from(
      {length: 1500},
      (_, i) =>
        `          bash-77      [001] .....    10.9${String(i).padStart(5, '0')}: mm_page_free: pfn=0x200 order=0`,
    );
    const lines = [...early.split('\n').filter((line) => / 10\.\d+: /.test(line)), ...idle, ...rest];
    expect(await toldOf(asPerfScript(lines))).toEqual(SURE);
  });

  it('is not known by two, nor by three of one page', async () => {
    expect(await toldOf(trace({vmemmap: ARM, pairs: 2, facts: ARM_FACTS}))).toEqual([]);
    const again = trace({vmemmap: ARM, pairs: 3, facts: ARM_FACTS})
      .replaceAll('pfn=0x5003', 'pfn=0x5000')
      .replaceAll('pfn=0x5006', 'pfn=0x5000')
      .replaceAll(`0x${(ARM + 0x5003n * 64n).toString(16)}`, `0x${(ARM + 0x5000n * 64n).toString(16)}`)
      .replaceAll(`0x${(ARM + 0x5006n * 64n).toString(16)}`, `0x${(ARM + 0x5000n * 64n).toString(16)}`);
    expect(await toldOf(again)).toEqual([]);
  });

  it('is assumed on x86-64, which proves nothing, and never on arm64', async () => {
    expect(await toldOf(trace({}))).toEqual(POSSIBLE);
    expect(await toldOf(trace({vmemmap: ARM, facts: ARM_FACTS}))).toEqual([]);
    // nor where nothing but the pointer tells which machine it is
    expect(await toldOf(trace({vmemmap: ARM}))).toEqual([]);
  });

  it('is likely what three pages agree on that were pinned and then mapped, which proves nothing', async () => {
    for (const facts of [[], ARM_FACTS]) {
      expect(await toldOf(trace({vmemmap: ARM, mapped: 3, facts}))).toEqual(POSSIBLE);
      // a base that pairs prove is none the less sure
      expect(await toldOf(trace({vmemmap: ARM, mapped: 3, pairs: 3, facts}))).toEqual(SURE);
    }
    const sixteen = {shift: 14, facts: ['machine=aarch64', 'page_size=16384']};
    expect(await toldOf(trace({vmemmap: 0xfffffdffbfc00000n, mapped: 3, ...sixteen}))).toEqual(POSSIBLE);
    const {quality} = await analyzeText(trace({vmemmap: ARM, mapped: 3}));
    expect(quality.find(({id}) => id === 'vmemmap-assumed')?.message).toContain('mapped next agree');
  });

  it('is not what pairs contradict: another page of the machine would be blamed', async () => {
    const {findings, quality} = await analyzeText(trace({vmemmap: ARM, told: X86, pairs: 3}));
    expect(findings.filter((f) => f.verdict === 'sure' && f.pages[0]!.pfn !== '0x2fb0')).toEqual([]);
    expect(quality.map(({id}) => id).join()).toContain('vmemmap-refuted');
  });

  it('is nowhere where struct pages are not of 64 bytes: what pointers name is never sure then', async () => {
    for (const struct of [56n, 80n, 96n, 128n]) {
      for (const machine of [{printed: true}, {printed: true, told: X86}, {told: X86, pairs: 9}, {pairs: 9}]) {
        const {findings, quality} = await analyzeText(trace({struct, ...machine}));
        expect(findings.filter(({verdict}) => verdict === 'sure')).toEqual([]);
        expect(quality.map(({id}) => id)).toContain('vmemmap-contradicted');
      }
    }
  });

  it('is found on architectures that nobody tried', async () => {
    for (const [vmemmap, ...facts] of [
      [0xffffffc6fee00000n, 'machine=riscv64'], // Sv39
      [0xff1bfffffee00000n, 'machine=riscv64'], // Sv57
      [0xffff7efffc000000n, 'machine=loongarch64', 'page_size=16384'],
      [0xc00c000000000000n, 'machine=ppc64le', 'page_size=65536'],
    ] as const) {
      const shift = Math.log2(Number(facts[1]?.slice(10) ?? 4096));
      expect(await toldOf(trace({vmemmap, shift, facts, printed: true}))).toEqual(SURE);
      expect(await toldOf(trace({vmemmap, shift, facts}))).toEqual([]);
    }
  });

  it('is of no use on s390, whose pointers are not read, which is said', async () => {
    const {findings, quality} = await analyzeText(
      trace({vmemmap: 0x0000037200000000n, told: 0x0000037200000000n, facts: ['machine=s390x']}),
    );
    expect(findings).toEqual([]);
    expect(quality.map(({id}) => id)).toContain('pointers-not-read');
    // counts name pages by number
    const k = new SmallKernel({probes: false});
    k.anon(P);
    k.pin(P);
    k.map(P);
    k.unpin(P);
    k.unmap(P);
    expect(await toldOf(moved(k.text(), {facts: ['machine=s390x']}))).toEqual(SURE);
  });

  it('says nothing of the page size where arm64 has its struct pages at whole GiB', async () => {
    for (const [vmemmap, shift] of [
      [0xfffffc1fc0000000n, 16], // 52 bits of address, RAM from 0 on, 6.9 and later
      [0xfffff03fc0000000n, 14],
    ] as const) {
      const {quality, findings} = await analyzeText(trace({vmemmap, shift, printed: true}));
      expect(findings.filter(({verdict}) => verdict === 'sure')).toEqual([]);
      expect(quality.map(({id}) => id)).toContain('page-size-assumed');
    }
  });

  it('is nowhere for hashed pointers', async () => {
    const hashed = trace({}).replaceAll(/0xffffea0[0-9a-f]{9}/g, '00000000b9111fae');
    expect(await toldOf(hashed)).toEqual([]);
  });
});

it('a machine whose pages have one size has no other, whatever a recording calls its page size', async () => {
  for (const facts of [
    ['machine=x86_64', 'page_size=16384'],
    ['page_size=16384', 'kernel=7.3.4+deb13-amd64'],
  ])
    expect(await toldOf(trace({told: X86, facts}))).toEqual(SURE);
});

describe.each([
  [14, '16k', 0xffffffbfbfc00000n],
  [16, '64k', 0xffffffdfbff00000n],
])('pages of 2^%s bytes', (shift, name, vmemmap) => {
  const base = {shift, vmemmap, printed: true};

  it('are told by the header', async () => {
    expect(await toldOf(trace({...base, facts: ['machine=aarch64', `page_size=${2 ** shift}`]}))).toEqual(SURE);
  });

  it('are told by the release', async () => {
    expect(await toldOf(trace({...base, facts: ['machine=aarch64', `kernel=6.12.118+deb13-arm64-${name}`]}))).toEqual(
      SURE,
    );
  });

  it('are not taken for pages of 4 KiB where nothing tells: nothing of it is sure, least of all another page', async () => {
    const {findings} = await analyzeText(trace({...base, facts: ['machine=aarch64']}));
    expect(findings.filter((f) => f.verdict === 'sure')).toEqual([]);
  });

  it('are derived from mappings of three pages that are pinned', async () => {
    const k = new SmallKernel({refs: false});
    for (const pfn of [P, P + 2, P + 4, P + 6]) {
      k.anon(pfn);
      k.pin(pfn);
      k.map(pfn);
      if (pfn === P + 6) k.unpin(pfn);
      k.unmap(pfn);
      if (pfn !== P + 6) k.unpin(pfn);
    }
    const text = moved(k.text(), {
      vmemmap,
      shift,
      facts: ['machine=aarch64', `vmemmap_base=0x${vmemmap.toString(16)}`],
    });
    expect(await toldOf(text)).toEqual(['unpin-while-dma error sure 0x2fb6']);
  });
});
