/** Each way in which DMA can end, and what may be concluded from each. */
import {describe, expect, it} from 'vitest';
import {analyzeText, toldOf} from '../rules/analyze-text.js';
import {SmallKernel} from '../rules/small-kernel.js';

const NVME = '0000:00:03.0';
const P = 0x2fb0;

/** A direct read by NVMe of 6.18 without an IOMMU into some pages: mapped page by page, and unmapped only if it is of one. */
class Nvme extends SmallKernel {
  private sector = 1000;

  map1(pfn: number, dir = 'FROM_DEVICE'): void {
    const a = (pfn * 4096).toString(16);
    this.line(`dma_map_phys: ${NVME} dir=${dir} dma_addr=${a} size=4096 phys_addr=${a} attrs=`);
  }

  unmap1(pfn: number, dir = 'FROM_DEVICE'): void {
    this.line(`dma_unmap_phys: ${NVME} dir=${dir} dma_addr=${(pfn * 4096).toString(16)} size=4096 attrs=`);
  }

  /** Answers what completes the request. */
  submit(pfns: readonly number[], {requests = true, dir = 'FROM_DEVICE'} = {}): () => void {
    for (const pfn of pfns) this.map1(pfn, dir);
    const sector = (this.sector += 100);
    const n = pfns.length * 8;
    const rwbs = dir === 'FROM_DEVICE' ? 'R' : 'WS';
    if (requests) this.line(`block_rq_issue: 259,0 ${rwbs} ${n * 512} () ${sector} + ${n} be,0,4 [wl]`);
    return () =>
      this.by({irq: true}, () => {
        if (pfns.length === 1) this.unmap1(pfns[0]!, dir);
        if (requests) this.line(`block_rq_complete: 259,0 ${rwbs} () ${sector} + ${n} be,0,4 [0]`);
      });
  }

  /** A whole correct read. */
  read(pfns: readonly number[], how: {requests?: boolean} = {}): void {
    for (const pfn of pfns) this.pin(pfn);
    this.submit(pfns, how)();
    this.by({irq: true}, () => {
      for (const pfn of pfns) this.unpin(pfn);
    });
  }
}

/** SCSI and virtio issue a request before they map it, and unmap always: here the unmaps are not recorded. */
class Scsi extends Nvme {
  private lba = 1000;

  override submit(pfns: readonly number[]): () => void {
    const request = `${(this.lba += 100)} + ${pfns.length * 8}`;
    this.line(`block_rq_issue: 8,0 R ${pfns.length * 4096} () ${request} be,0,4 [wl]`);
    for (const pfn of pfns) this.map1(pfn);
    return () => this.by({irq: true}, () => this.line(`block_rq_complete: 8,0 R () ${request} be,0,4 [0]`));
  }
}

function machine(pages: number): {k: Nvme; pfns: number[]} {
  const k = new Nvme();
  const pfns = Array.from({length: pages}, (_, i) => P + 2 * i);
  for (const pfn of pfns) k.anon(pfn);
  return {k, pfns};
}

describe('a device that leaves most mappings open', () => {
  it.each([[true], [false]])('makes no finding by correct work (requests recorded: %s)', async (requests) => {
    const {k, pfns} = machine(8);
    for (let i = 0; i < 12; i++) {
      k.read(pfns.slice(0, 2 + (i % 5)), {requests});
      k.read(pfns.slice(i % 4, (i % 4) + 1), {requests});
    }
    expect(await toldOf(k.text())).toEqual([]);
  });

  it.each([1, 3])('is not one that issues requests before it maps them, all alike, %i at a time', async (depth) => {
    const k = new Scsi();
    const pfns = Array.from({length: 12}, (_, i) => P + 2 * i);
    for (const pfn of pfns) k.anon(pfn);
    for (let i = 0; i < 40; i++) {
      const reads = Array.from({length: depth}, (_, j) => pfns[(i * depth + j) % 12]!);
      const complete = reads.map((pfn) => {
        k.pin(pfn);
        return k.submit([pfn]);
      });
      for (const [j, pfn] of reads.entries()) {
        complete[j]!();
        k.by({irq: true}, () => k.unpin(pfn));
      }
    }
    expect(await toldOf(k.text())).toEqual([]);
  });

  it('is told from one by requests that differ, or that come one by one', async () => {
    const {k, pfns} = machine(8);
    // two at a time, alike: their mappings could be those of the request before, but for the first of each two
    for (let i = 0; i < 5; i++) {
      for (const pfn of pfns.slice(0, 4)) k.pin(pfn);
      const complete = [k.submit(pfns.slice(0, 2)), k.submit(pfns.slice(2, 4))];
      if (i === 4) k.unpin(pfns[2]!);
      for (const over of complete) over();
      for (const pfn of pfns.slice(0, 4)) if (i < 4 || pfn !== pfns[2]) k.by({irq: true}, () => k.unpin(pfn));
    }
    expect(await toldOf(k.text())).toEqual([`unpin-while-dma error sure 0x${pfns[2]!.toString(16)}`]);
  });

  it('is told from one although its queue never drains, by the first request', async () => {
    const {k, pfns} = machine(8);
    const complete: (() => void)[] = [];
    for (let i = 0; i < 30; i++) {
      const pair = [pfns[(2 * i) % 8]!, pfns[(2 * i + 1) % 8]!];
      for (const pfn of pair) k.pin(pfn);
      const over = k.submit(pair);
      if (i === 20) k.unpin(pair[0]!);
      complete.push(() => {
        over();
        k.by({irq: true}, () => {
          for (const pfn of pair) if (i !== 20 || pfn !== pair[0]) k.unpin(pfn);
        });
      });
      if (i >= 2) complete.shift()!();
    }
    for (const over of complete) over();
    expect(await toldOf(k.text())).toEqual([`unpin-while-dma error sure 0x${pfns[0]!.toString(16)}`]);
  });

  it('is found out when a pin goes before the request is complete, although nothing is ever unmapped', async () => {
    const {k, pfns} = machine(4);
    for (let i = 0; i < 3; i++) k.read(pfns);
    for (const pfn of pfns) k.pin(pfn);
    const complete = k.submit(pfns);
    k.unpin(pfns[1]!);
    complete();
    for (const pfn of [pfns[0]!, pfns[2]!, pfns[3]!]) k.unpin(pfn);
    const {findings} = await analyzeText(k.text());
    expect(findings.map((f) => [f.rule, f.verdict, f.pages[0]!.pfn])).toEqual([
      ['unpin-while-dma', 'sure', `0x${pfns[1]!.toString(16)}`],
    ]);
    expect(findings[0]!.evidence.map((e) => e.role)).toContain('dma-complete');
    expect(findings[0]!.message).toContain('its request was complete');
  });

  it('says nothing of a pin that goes early where requests are not recorded: no end is known', async () => {
    const {k, pfns} = machine(4);
    for (let i = 0; i < 12; i++) k.read(pfns, {requests: false});
    for (const pfn of pfns) k.pin(pfn);
    const complete = k.submit(pfns, {requests: false});
    k.unpin(pfns[1]!);
    complete();
    for (const pfn of [pfns[0]!, pfns[2]!, pfns[3]!]) k.unpin(pfn);
    expect(await toldOf(k.text())).toEqual([]);
  });

  it('has unmaps that may be of later mappings whose lines are missing: they prove nothing of those before', async () => {
    const {k, pfns} = machine(8);
    const lineOf = (pfn: number): string => `dma_addr=${(pfn * 4096).toString(16)} size=4096 phys_addr`;
    for (let i = 0; i < 12; i++) k.read(pfns.slice(0, 2 + (i % 5)));
    const before = k.text(null);
    const [a, b] = pfns;
    k.read([a!, b!]); // the mapping of `a` is missing: which request `b` was mapped for is not known
    k.read([b!]); // its mapping is missing too, its unmap is not
    k.read([a!, b!]);
    const after = k.text().slice(before.length).split('\n');
    const missing = [
      after.find((line) => line.includes(lineOf(a!))),
      after.filter((line) => line.includes(lineOf(b!)))[1],
    ];
    const lines = after.filter((line) => !missing.includes(line));
    expect(lines).toHaveLength(after.length - 2);
    expect(await toldOf(before + lines.join('\n'))).toEqual([`unpin-while-dma error possible 0x${b!.toString(16)}`]);
  });

  it('has its single unmap given to the request that is complete in the same interrupt', async () => {
    const {k, pfns} = machine(3);
    for (let i = 0; i < 3; i++) k.read(pfns);
    const [a, b] = pfns as [number, number];
    // two writes from one page: the one of two pages is issued first and ends last
    k.pin(a, {write: false});
    k.pin(b, {write: false});
    const long = k.submit([a, b], {dir: 'TO_DEVICE'});
    k.by({task: 'other-400', cpu: 1}, () => k.pin(a, {write: false}));
    let short = (): void => {};
    k.by({task: 'other-400', cpu: 1}, () => (short = k.submit([a], {dir: 'TO_DEVICE'})));
    short();
    k.by({irq: true}, () => k.unpin(a));
    k.unpin(a); // too early: the long one runs still
    long();
    k.unpin(b);
    expect(await toldOf(k.text())).toEqual([`unpin-while-dma error sure 0x${a.toString(16)}`]);
  });

  it('has a request that is complete in parts end with the last, and each part maybe with its own', async () => {
    const {k, pfns} = machine(2);
    for (let i = 0; i < 3; i++) k.read(pfns);
    for (const pfn of pfns) {
      k.pin(pfn);
      k.map1(pfn);
    }
    k.line('block_rq_issue: 259,0 R 8192 () 9000 + 16 be,0,4 [wl]');
    k.by({irq: true}, () => k.line('block_rq_complete: 259,0 R () 9000 + 8 be,0,4 [0]'));
    k.unpin(pfns[0]!);
    k.by({irq: true}, () => k.line('block_rq_complete: 259,0 R () 9008 + 8 be,0,4 [0]'));
    k.unpin(pfns[1]!);
    // the first part may be of that page, as bios are complete one by one (blk_update_request(), block/blk-mq.c)
    expect(await toldOf(k.text())).toEqual([`unpin-while-dma error possible 0x${pfns[0]!.toString(16)}`]);
  });
});

describe('an unmap that may be of several mappings', () => {
  it('leaves as many as were opened: the last pin may not go before the last of them', async () => {
    const {k} = machine(1);
    k.pin(P, {write: false});
    k.map(P, 'TO_DEVICE');
    k.by({task: 'other-400', cpu: 1}, () => {
      k.pin(P, {write: false});
      k.map(P, 'TO_DEVICE');
    });
    k.unmap(P, 'TO_DEVICE');
    k.unpin(P);
    k.unpin(P);
    k.unmap(P, 'TO_DEVICE');
    expect(await toldOf(k.text())).toEqual(['unpin-while-dma error sure 0x2fb0']);
  });

  it('is no bug where what is left may be the writeback of the page', async () => {
    const k = new SmallKernel();
    k.file(P);
    k.markDirty(P);
    k.pin(P, {write: false});
    k.map(P, 'TO_DEVICE', NVME);
    k.startWriteback(P);
    k.by({task: 'kworker/u4:1-30', cpu: 1}, () => k.map(P, 'TO_DEVICE', NVME));
    k.by({irq: true}, () => {
      k.unmap(P, 'TO_DEVICE', NVME);
      k.unpin(P);
      k.unmap(P, 'TO_DEVICE', NVME);
      k.endWriteback(P);
    });
    expect((await toldOf(k.text())).filter((told) => !told.includes(' note '))).toEqual([]);
  });

  it('gives no certainty where one before it was lost', async () => {
    const {k} = machine(1);
    k.pin(P);
    k.map(P);
    k.unpin(P); // its unmap is not in the trace
    k.pin(P);
    k.map(P);
    k.unmap(P);
    k.unpin(P);
    expect((await toldOf(k.text())).filter((told) => told.includes('sure'))).toEqual([]);
  });

  it('names its list whole: of two that begin with one page it ends the one with the same pages', async () => {
    const {k, pfns} = machine(2);
    const [a, b] = pfns as [number, number];
    const list = (...of: number[]): string => `{${of.map((pfn) => `0x${(pfn * 4096).toString(16)}`).join(',')}}`;
    const sg = (...of: number[]): string =>
      `nents=${of.length}/${of.length} ents=${of.length}/${of.length} dma_addrs=${list(...of)} sizes={${of.map(() => '0x1000').join(',')}} phys_addrs=${list(...of)} attrs=`;
    k.pin(a, {write: false});
    k.line(`dma_map_sg: ${NVME} dir=TO_DEVICE ${sg(a)}`);
    k.pin(a, {write: false});
    k.pin(b, {write: false});
    k.line(`dma_map_sg: ${NVME} dir=TO_DEVICE ${sg(a, b)}`);
    k.line(`dma_unmap_sg: ${NVME} dir=TO_DEVICE phys_addrs=${list(a, b)} attrs=`);
    k.unpin(a);
    k.unpin(b);
    k.line(`dma_unmap_sg: ${NVME} dir=TO_DEVICE phys_addrs=${list(a)} attrs=`);
    k.unpin(a);
    expect(await toldOf(k.text())).toEqual([]);
  });
});

describe('a mapping', () => {
  it("that another task made is the pin's own only perhaps: it may be sendfile's", async () => {
    const {k} = machine(1);
    k.pin(P);
    k.map(P, 'FROM_DEVICE', NVME);
    k.by({task: 'httpd-600', cpu: 1}, () => k.map(P, 'TO_DEVICE', 'nic.0'));
    k.unmap(P, 'FROM_DEVICE', NVME);
    k.unpin(P);
    k.unmap(P, 'TO_DEVICE', 'nic.0');
    const {findings} = await analyzeText(k.text());
    expect(findings.map((f) => [f.rule, f.verdict])).toEqual([['unpin-while-dma', 'possible']]);
    expect(findings[0]!.reason).toContain('another task than the one that pinned');
  });

  it('of an IOMMU that is unmapped in part is over in that part only', async () => {
    const k = new SmallKernel();
    const pages = [P, P + 1, P + 2, P + 3];
    for (const pfn of pages) {
      k.anon(pfn);
      k.pin(pfn);
    }
    k.line(`map: IOMMU: iova=0x0000000000100000 - 0x0000000000104000 paddr=0x${(P * 4096).toString(16)} size=16384`);
    k.line('unmap: IOMMU: iova=0x0000000000101000 - 0x0000000000102000 size=4096 unmapped_size=4096');
    k.unpin(P + 1);
    k.unpin(P + 2); // too early
    k.line('unmap: IOMMU: iova=0x0000000000102000 - 0x0000000000104000 size=8192 unmapped_size=8192');
    k.line('unmap: IOMMU: iova=0x0000000000100000 - 0x0000000000101000 size=4096 unmapped_size=4096');
    k.unpin(P);
    k.unpin(P + 3);
    expect(await toldOf(k.text())).toEqual([`unpin-while-dma error possible 0x${(P + 2).toString(16)}`]);
  });

  it('through a bounce buffer does not let the device write the page itself', async () => {
    const k = new SmallKernel();
    for (let i = 1; i <= 3; i++) {
      k.anon(P + i);
      k.map(P + i, 'FROM_DEVICE', NVME); // at the pages' own addresses: no IOMMU
      k.unmap(P + i, 'FROM_DEVICE', NVME);
    }
    k.file(P);
    k.markDirty(P);
    k.pin(P);
    k.line(`dma_map_page: ${NVME} dir=FROM_DEVICE dma_addr=7f000000 size=4096 phys_addr=2fb0000 attrs=`);
    k.writeOut(P);
    k.line(`dma_unmap_page: ${NVME} dir=FROM_DEVICE dma_addr=7f000000 size=4096 attrs=`);
    k.unpin(P);
    const {findings} = await analyzeText(k.text());
    const [finding] = findings.filter((f) => f.rule === 'writeback-while-pinned');
    expect(finding).toMatchObject({verdict: 'possible'});
    expect(finding!.reason).toContain('bounce buffer');
  });

  it('of which the trace prints a part may be over any page its task had pinned', async () => {
    const k = new SmallKernel({version: '6.1'});
    const pages = [P, P + 2, P + 4];
    for (const pfn of pages) {
      k.file(pfn);
      k.markDirty(pfn);
      k.pin(pfn);
    }
    const entry = (pfn: number, i: number): string => `page${i}=${k.pointer(pfn)} off${i}=0 len${i}=4096`;
    k.line(`dma_map_sg_attrs: (dma_map_sg_attrs+0x0/0x20) dev="a.0" nents=3 dir=2 ${entry(P, 0)} ${entry(P + 2, 1)}`);
    k.writeOut(P + 4);
    k.line(
      `dma_unmap_sg_attrs: (dma_unmap_sg_attrs+0x0/0x50) dev="a.0" nents=3 dir=2 ${entry(P, 0)} ${entry(P + 2, 1)}`,
    );
    for (const pfn of pages) k.unpin(pfn);
    const {findings} = await analyzeText(k.text());
    const [finding] = findings.filter((f) => f.rule === 'writeback-while-pinned');
    expect(finding).toMatchObject({severity: 'warning', verdict: 'possible'});
    expect(finding!.reason).toContain('among the 1 of its list that line');
  });
});
