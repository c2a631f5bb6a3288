/** Commands of NVMe and SCSI as the end of DMA, requests that are given back, and mappings through bounce buffers. */
import {describe, expect, it} from 'vitest';
import {analyzeText, toldOf} from '../rules/analyze-text.js';
import {SmallKernel} from '../rules/small-kernel.js';

const NVME = '0000:00:03.0';
const P = 0x2fb0;
const hex = (pfn: number): string => `0x${pfn.toString(16)}`;

/** A disk whose driver leaves mappings open, seen by its own commands only. */
class Disk extends SmallKernel {
  private tag = 0x100;
  private block = 1000;

  constructor(
    private readonly bus: 'nvme' | 'scsi',
    /** bytes of a block */
    private readonly size = 512,
  ) {
    super();
  }

  /** Starts a command for these pages; answers what completes it. */
  read(
    pfns: readonly number[],
    name = this.bus === 'nvme' ? 'nvme_cmd_read' : 'READ_10',
    pages = pfns.length,
  ): () => void {
    const {tag} = this;
    this.tag = this.tag === 0x13f ? 0x100 : this.tag + 1;
    const block = (this.block += 100);
    const n = (pages * 4096) / this.size;
    const nvme = `nvme0: disk=nvme0n1, qid=1, cmdid=${0x7000 + tag},`;
    const scsi = (event: string): string =>
      `scsi_dispatch_cmd_${event}: host_no=2 channel=0 id=0 lun=0 data_sgl=1 prot_sgl=0 prot_op=SCSI_PROT_NORMAL ` +
      `driver_tag=${tag} scheduler_tag=-1 cmnd=(${name} lba=${block} txlen=${n} protect=0 raw=28 00)`;
    if (this.bus === 'nvme')
      this.line(
        `nvme_setup_cmd: ${nvme} nsid=1, flags=0x0, meta=0x0, cmd=(${name} slba=${block}, len=${n - 1}, ctrl=0x0, dsmgmt=0, reftag=0)`,
      );
    else this.line(scsi('start'));
    for (const pfn of pfns) {
      const a = (pfn * 4096).toString(16);
      this.line(`dma_map_phys: ${NVME} dir=FROM_DEVICE dma_addr=${a} size=4096 phys_addr=${a} attrs=`);
    }
    return () =>
      this.by({irq: true}, () => {
        if (this.bus === 'nvme') this.line(`nvme_complete_rq: ${nvme} res=0x0, retries=0, flags=0x0, status=0x0`);
        else
          this.line(
            `${scsi('done')} result=(driver=DRIVER_OK host=DID_OK message=COMMAND_COMPLETE status=SAM_STAT_GOOD)`,
          );
      });
  }

  /** Correct reads, as many as make the commands believed. */
  warmUp(pfns: readonly number[], times = 4): void {
    for (let i = 0; i < times; i++) {
      for (const pfn of pfns) this.pin(pfn);
      this.read(pfns)();
      for (const pfn of pfns) this.unpin(pfn);
    }
  }
}

/** A machine in whose trace some device does unmap. */
function withPages(k: Disk, pages: number): number[] {
  const pfns = Array.from({length: pages}, (_, i) => P + 2 * i);
  for (const pfn of pfns) k.anon(pfn);
  k.map(pfns[0]!);
  k.unmap(pfns[0]!);
  return pfns;
}

describe.each([
  ['nvme', 512],
  ['nvme', 4096],
  ['scsi', 512],
] as const)('a command of %s with blocks of %s bytes', (bus, size) => {
  it('ends its mappings when it is done: an unpin before is a bug, and one after is none', async () => {
    const k = new Disk(bus, size);
    const pfns = withPages(k, 3);
    k.warmUp(pfns);
    for (const pfn of pfns) k.pin(pfn);
    const done = k.read(pfns);
    k.unpin(pfns[1]!);
    done();
    k.unpin(pfns[0]!);
    k.unpin(pfns[2]!);
    const {findings} = await analyzeText(k.text());
    expect(findings.map((f) => [f.rule, f.verdict, f.pages[0]!.pfn])).toEqual([
      ['unpin-while-dma', 'sure', hex(pfns[1]!)],
    ]);
    expect(findings[0]!.evidence.map((e) => e.role)).toContain('dma-complete');
    expect(findings[0]!.message).toContain('its request was complete');
  });

  it('that was never done says nothing', async () => {
    const k = new Disk(bus, size);
    const pfns = withPages(k, 3);
    k.warmUp(pfns);
    for (const pfn of pfns) k.pin(pfn);
    k.read(pfns);
    for (const pfn of pfns) k.unpin(pfn);
    expect((await toldOf(k.text())).filter((told) => told.includes('sure'))).toEqual([]);
  });

  it('of other bytes than its mappings have is not theirs', async () => {
    const k = new Disk(bus, size);
    const pfns = withPages(k, 3);
    k.warmUp(pfns);
    for (const pfn of pfns) k.pin(pfn);
    const done = k.read(pfns, undefined, 4);
    k.unpin(pfns[1]!);
    done();
    for (const pfn of [pfns[0]!, pfns[2]!]) k.unpin(pfn);
    expect((await toldOf(k.text())).filter((told) => told.includes('sure'))).toEqual([]);
  });
});

it.each(['nvme_cmd_write_zeroes', 'nvme_cmd_dsm'])('a %s has no data of its length', async (name) => {
  const k = new Disk('nvme');
  const pfns = withPages(k, 2);
  k.warmUp(pfns);
  for (const pfn of pfns) k.pin(pfn);
  const done = k.read(pfns, name);
  k.unpin(pfns[0]!);
  done();
  k.unpin(pfns[1]!);
  expect((await toldOf(k.text())).filter((told) => told.includes('sure'))).toEqual([]);
});

it('a SCSI command that times out is not done', async () => {
  const k = new Disk('scsi');
  const pfns = withPages(k, 2);
  k.warmUp(pfns);
  for (const pfn of pfns) k.pin(pfn);
  const done = k.read(pfns);
  k.line(
    'scsi_dispatch_cmd_timeout: host_no=2 channel=0 id=0 lun=0 data_sgl=1 prot_sgl=0 prot_op=SCSI_PROT_NORMAL driver_tag=264 ' +
      'scheduler_tag=-1 cmnd=(READ_10 lba=1500 txlen=16 protect=0 raw=28 00) result=(driver=DRIVER_OK)',
  );
  k.unpin(pfns[0]!);
  done();
  k.unpin(pfns[1]!);
  expect(await toldOf(k.text())).toEqual([`unpin-while-dma error sure ${hex(pfns[0]!)}`]);
});

/** Requests of a disk that leaves its mappings open, as the block layer tells of them. */
class Queue extends SmallKernel {
  map1(pfn: number): void {
    const a = (pfn * 4096).toString(16);
    this.line(`dma_map_phys: ${NVME} dir=FROM_DEVICE dma_addr=${a} size=4096 phys_addr=${a} attrs=`);
  }

  issue(pfns: readonly number[], sector: number): void {
    for (const pfn of pfns) this.map1(pfn);
    this.line(`block_rq_issue: 259,0 R ${pfns.length * 4096} () ${sector} + ${pfns.length * 8} be,0,4 [wl]`);
  }

  told(event: 'complete' | 'requeue' | 'error', pages: number, sector: number): void {
    this.by({irq: true}, () => this.line(`block_rq_${event}: 259,0 R () ${sector} + ${pages * 8} be,0,4 [0]`));
  }

  warm(pfns: readonly number[]): void {
    for (let i = 0; i < 4; i++) {
      for (const pfn of pfns) this.pin(pfn);
      this.issue(pfns, 1000 + 100 * i);
      this.told('complete', pfns.length, 1000 + 100 * i);
      for (const pfn of pfns) this.unpin(pfn);
    }
  }
}

function queue(): {k: Queue; pfns: number[]} {
  const k = new Queue();
  const pfns = [P, P + 2];
  for (const pfn of pfns) k.anon(pfn);
  k.map(P);
  k.unmap(P);
  k.warm(pfns);
  for (const pfn of pfns) k.pin(pfn);
  return {k, pfns};
}

describe('a request that is given back', () => {
  it('is over when it was issued again and is complete: a correct read stays without a finding', async () => {
    const {k, pfns} = queue();
    k.issue(pfns, 9000);
    k.told('requeue', 2, 9000);
    k.issue(pfns, 9000);
    k.told('complete', 2, 9000);
    for (const pfn of pfns) k.unpin(pfn);
    expect(await toldOf(k.text())).toEqual([]);
  });

  it('was the device’s until then', async () => {
    const {k, pfns} = queue();
    k.issue(pfns, 9000);
    k.unpin(pfns[0]!);
    k.told('requeue', 2, 9000);
    k.pin(pfns[0]!);
    k.issue(pfns, 9000);
    k.told('complete', 2, 9000);
    for (const pfn of pfns) k.unpin(pfn);
    expect(await toldOf(k.text())).toEqual([`unpin-while-dma error sure ${hex(P)}`]);
  });

  it('is not over by that: between, nobody knows', async () => {
    const {k, pfns} = queue();
    k.issue(pfns, 9000);
    k.told('requeue', 2, 9000);
    k.unpin(pfns[0]!);
    k.issue(pfns.slice(1), 9000);
    k.told('complete', 1, 9000);
    k.unpin(pfns[1]!);
    const {findings} = await analyzeText(k.text());
    expect(findings.map((f) => [f.rule, f.verdict])).toEqual([['unpin-while-dma', 'possible']]);
    expect(findings[0]!.reason).toContain('puts its request back into the queue');
  });

  it('is under DMA again once it was issued again', async () => {
    const {k, pfns} = queue();
    k.issue(pfns, 9000);
    k.told('requeue', 2, 9000);
    k.issue(pfns, 9000);
    k.unpin(pfns[0]!);
    k.told('complete', 2, 9000);
    k.unpin(pfns[1]!);
    expect(await toldOf(k.text())).toEqual([`unpin-while-dma error sure ${hex(P)}`]);
  });

  it('is complete once, although an error is told beside that', async () => {
    const {k, pfns} = queue();
    k.issue(pfns, 9000);
    k.told('complete', 2, 9000);
    k.told('error', 2, 9000);
    for (const pfn of pfns) k.unpin(pfn);
    expect(await toldOf(k.text())).toEqual([]);
  });
});

describe('a mapping whose address is mapped again, with no unmap between', () => {
  const map = (k: SmallKernel, pfn: number): void =>
    k.line(
      `dma_map_page: a.0 dir=FROM_DEVICE dma_addr=fffff000 size=4096 phys_addr=${(pfn * 4096).toString(16)} attrs=`,
    );
  const unmap = (k: SmallKernel): void =>
    k.line('dma_unmap_page: a.0 dir=FROM_DEVICE dma_addr=fffff000 size=4096 attrs=');

  it('for another page is over, its unmap was not seen: it takes none of the unmaps after it', async () => {
    const k = new SmallKernel();
    for (const pfn of [P, P + 2]) {
      k.anon(pfn);
      k.pin(pfn);
    }
    map(k, P); // its unmap is not in the trace
    map(k, P + 2);
    k.unpin(P);
    k.unpin(P + 2); // too early
    unmap(k);
    expect((await toldOf(k.text())).filter((told) => told.includes('sure'))).toEqual([
      `unpin-while-dma error sure ${hex(P + 2)}`,
    ]);
  });
});

describe('an unmap of another size', () => {
  it('of the only mapping there ends it: nothing is said of what comes after', async () => {
    const k = new SmallKernel();
    for (const pfn of [P, P + 1]) {
      k.anon(pfn);
      k.pin(pfn);
    }
    k.line('dma_map_page: a.0 dir=FROM_DEVICE dma_addr=2fb0000 size=8192 phys_addr=2fb0000 attrs=');
    k.line('dma_unmap_page: a.0 dir=FROM_DEVICE dma_addr=2fb0000 size=4096 attrs=');
    k.unpin(P);
    k.unpin(P + 1);
    expect(await toldOf(k.text())).toEqual([]);
  });
});

describe('a mapping through a bounce buffer', () => {
  /** Told by swiotlb's event, on a device of which nothing else is known. */
  function bounced(dir: string): SmallKernel {
    const k = new SmallKernel();
    k.anon(P);
    k.pin(P);
    k.line('swiotlb_bounced: dev_name: a.0 dma_mask=ffffffff dev_addr=2fb0000 size=4096 NORMAL');
    k.line(`dma_map_page: a.0 dir=${dir} dma_addr=7f000000 size=4096 phys_addr=2fb0000 attrs=`);
    return k;
  }
  const unmap = (dir: string): string => `dma_unmap_page: a.0 dir=${dir} dma_addr=7f000000 size=4096 attrs=`;

  it('is copied into the page by its unmap: an unpin before that is a bug, and the buffer is named', async () => {
    const k = bounced('FROM_DEVICE');
    k.unpin(P);
    k.line(unmap('FROM_DEVICE'));
    const {findings} = await analyzeText(k.text());
    expect(findings.map((f) => [f.rule, f.verdict])).toEqual([['unpin-while-dma', 'sure']]);
    expect(findings[0]!.message).toContain('through a bounce buffer');
  });

  it('is not ended by a sync', async () => {
    const k = bounced('FROM_DEVICE');
    k.line('dma_sync_single_for_cpu: a.0 dir=FROM_DEVICE dma_addr=7f000000 size=4096');
    k.unpin(P);
    k.line(unmap('FROM_DEVICE'));
    expect(await toldOf(k.text())).toEqual([`unpin-while-dma error sure ${hex(P)}`]);
  });

  it('that the device only reads was copied when it was mapped: possible, and why', async () => {
    const k = bounced('TO_DEVICE');
    k.unpin(P);
    k.line(unmap('TO_DEVICE'));
    const {findings} = await analyzeText(k.text());
    expect(findings.map((f) => [f.rule, f.verdict])).toEqual([['unpin-while-dma', 'possible']]);
    expect(findings[0]!.reason).toContain('copied when it was mapped');
  });

  it('is told of a list between the call of dma_map_sg_attrs() and its return, where that is probed (6.1)', async () => {
    const k = new SmallKernel({version: '6.1'});
    k.anon(P);
    k.pin(P);
    const list = `dev="a.0" nents=1 dir=1 page0=${k.pointer(P)} off0=0 len0=4096`;
    k.line(`dma_map_sg_attrs: (dma_map_sg_attrs+0x0/0x20) ${list}`);
    k.line('swiotlb_bounced: dev_name: a.0 dma_mask=ffffffff dev_addr=2fb0000 size=4096 FORCE');
    k.line('dma_map_sg_attrs_ret: (a+0x10/0x20 <- dma_map_sg_attrs) ret=1');
    k.unpin(P);
    k.line(`dma_unmap_sg_attrs: (dma_unmap_sg_attrs+0x0/0x50) ${list}`);
    const {findings} = await analyzeText(k.text());
    expect(findings.map((f) => [f.rule, f.verdict])).toEqual([['unpin-while-dma', 'possible']]);
    expect(findings[0]!.reason).toContain('copied when it was mapped');
  });

  it('is one where the event was of it, and not of the mapping before', async () => {
    const k = new SmallKernel();
    for (const pfn of [P, P + 2]) {
      k.anon(pfn);
      k.pin(pfn);
    }
    k.line('swiotlb_bounced: dev_name: a.0 dma_mask=ffffffff dev_addr=2fb0000 size=4096 NORMAL');
    k.line('dma_map_page: a.0 dir=TO_DEVICE dma_addr=7f000000 size=4096 phys_addr=2fb0000 attrs=');
    k.line('dma_map_page: a.0 dir=TO_DEVICE dma_addr=2fb2000 size=4096 phys_addr=2fb2000 attrs=');
    k.unpin(P + 2);
    k.line('dma_unmap_page: a.0 dir=TO_DEVICE dma_addr=2fb2000 size=4096 attrs=');
    k.line(unmap('TO_DEVICE'));
    k.unpin(P);
    expect(await toldOf(k.text())).toEqual([`unpin-while-dma error sure ${hex(P + 2)}`]);
  });
});

describe('a mapping whose address is not that of the page, and of which no event tells that it is bounced', () => {
  const map = (address: number, phys: number): string =>
    `dma_map_page: a.0 dir=TO_DEVICE dma_addr=${address.toString(16)} size=4096 phys_addr=${phys.toString(16)} attrs=`;
  const unmap = (address: number): string =>
    `dma_unmap_page: a.0 dir=TO_DEVICE dma_addr=${address.toString(16)} size=4096 attrs=`;

  interface Told {
    /** of the recorder's header */
    fact?: string;
    /** just before the mapping */
    line?: string;
    /** mappings of other pages before: address, and the page's own */
    others?: readonly (readonly [number, number])[];
    address?: number;
  }

  /** What is said of an unpin before the unmap, of a page that the device only reads. */
  async function verdict({fact, line, others = [], address = 0x7f000000}: Told): Promise<string> {
    const k = new SmallKernel();
    k.anon(P);
    for (const [at, phys] of others) {
      k.line(map(at, phys));
      k.line(unmap(at));
    }
    k.pin(P);
    if (line !== undefined) k.line(line);
    k.line(map(address, P * 4096));
    k.unpin(P);
    k.line(unmap(address));
    const head = fact === undefined ? '' : `# pinscope-record: ${fact}\n`;
    const {findings} = await analyzeText(k.text().replace('# tracer: nop\n', `# tracer: nop\n${head}`));
    expect(findings.map((f) => f.rule)).toEqual(['unpin-while-dma']);
    const {verdict: is, reason} = findings[0]!;
    return is === 'sure' ? is : `${is}: ${reason!.replace(/^.*line \d+ /, '')}`;
  }

  const UNKNOWN = /^possible: has another address than the page: of an IOMMU, or of a bounce buffer/;
  const BUFFER = /^possible: goes through a bounce buffer/;
  const varied = [
    [0x7f100000, 0x3000000],
    [0x7f108000, 0x5000000],
  ] as const;

  it('is one of the two', async () => {
    expect(await verdict({})).toMatch(UNKNOWN);
    expect(await verdict({others: varied})).toMatch(UNKNOWN);
  });

  it('is an IOMMU’s where its event or the recorder says so, or where a bounce would have been told', async () => {
    expect(await verdict({fact: 'iommu=DMA-FQ '})).toBe('sure');
    expect(await verdict({fact: 'event=swiotlb/swiotlb_bounced'})).toBe('sure');
    const line = 'map: IOMMU: iova=0x000000007f000000 - 0x000000007f001000 paddr=0x0000000002fb0000 size=4096';
    expect(await verdict({line})).toBe('sure');
  });

  it('is bounced where there is no IOMMU, unless all addresses are moved by one distance', async () => {
    expect(await verdict({fact: 'iommu=none', others: varied})).toMatch(BUFFER);
    expect(await verdict({fact: 'iommu=none'})).toMatch(UNKNOWN);
    const moved = [0x100000, 0x40000000].map((phys) => [phys + 0x1000000000, phys] as const);
    expect(await verdict({fact: 'iommu=none', others: moved, address: P * 4096 + 0x1000000000})).toBe('sure');
  });
});

/** Two tasks read the same sectors at a time, each into pages of its own; the reads are over in either order. */
describe('of two requests for the same sectors', () => {
  function two(): {k: Queue; first: number[]; second: number[]} {
    const {k, pfns: first} = queue();
    const second = [P + 8, P + 10];
    for (const pfn of second) k.anon(pfn);
    for (const pfn of second) k.pin(pfn);
    return {k, first, second};
  }

  it.each([['first'], ['second']] as const)('the %s issued may be complete first: both are right', async (early) => {
    const {k, first, second} = two();
    k.issue(first, 9000);
    k.issue(second, 9000);
    const order = early === 'first' ? [first, second] : [second, first];
    for (const pages of order) {
      k.told('complete', 2, 9000);
      for (const pfn of pages) k.unpin(pfn);
    }
    const {findings} = await analyzeText(k.text());
    expect(findings.filter((f) => f.verdict === 'sure')).toEqual([]);
    // the pages that are freed and mapped again afterwards are nobody's mistake either
    for (const pfn of [...first, ...second]) k.munmap(pfn);
    for (const pfn of first) k.anon(pfn);
    for (const pfn of first) k.pin(pfn);
    k.issue(first, 500);
    k.told('complete', 2, 500);
    for (const pfn of first) k.unpin(pfn);
    expect((await analyzeText(k.text())).findings.filter((f) => f.verdict === 'sure')).toEqual([]);
  });

  it('none is over before the first completion: a pin that goes before it goes too early', async () => {
    const {k, first, second} = two();
    k.issue(first, 9000);
    k.issue(second, 9000);
    k.unpin(first[0]!);
    k.told('complete', 2, 9000);
    k.told('complete', 2, 9000);
    for (const pfn of [first[1]!, ...second]) k.unpin(pfn);
    expect(await toldOf(k.text())).toEqual([`unpin-while-dma error sure ${hex(P)}`]);
  });

  it('which one is complete is not known between the two: a pin that goes there goes too early perhaps', async () => {
    const {k, first, second} = two();
    k.issue(first, 9000);
    k.issue(second, 9000);
    k.told('complete', 2, 9000);
    for (const pfn of [...first, ...second]) k.unpin(pfn);
    k.told('complete', 2, 9000);
    const {findings} = await analyzeText(k.text());
    expect(new Set(findings.map((f) => `${f.rule} ${f.verdict}`))).toEqual(new Set(['unpin-while-dma possible']));
    expect(findings[0]!.reason).toContain('2 requests for the same sectors were in flight');
  });

  it('one whose completion was not seen takes no later one, although its mapping was unmapped on that CPU', async () => {
    const {k, first, second} = two();
    const [a, b] = first as [number, number];
    const [c, d] = second as [number, number];
    k.unpin(d);
    const unmap = (pfn: number): void => {
      const at = (pfn * 4096).toString(16);
      k.by({irq: true}, () => k.line(`dma_unmap_phys: ${NVME} dir=FROM_DEVICE dma_addr=${at} size=4096 attrs=`));
    };
    k.issue([a], 9000);
    unmap(a);
    k.unpin(a);
    k.issue([b], 8000);
    k.told('complete', 1, 8000);
    k.unpin(b);
    k.issue([c], 9000);
    k.told('complete', 1, 9000);
    k.unpin(c);
    k.pin(b);
    k.issue([b], 9000);
    k.told('complete', 1, 9000);
    k.unpin(b);
    expect((await toldOf(k.text())).filter((told) => told.includes('sure'))).toEqual([]);
  });

  it('another size is another request', async () => {
    const {k, first, second} = two();
    k.issue(first, 9000);
    k.issue(second.slice(0, 1), 9000);
    k.told('complete', 1, 9000);
    k.unpin(second[0]!);
    k.unpin(first[0]!); // too early
    k.told('complete', 2, 9000);
    k.unpin(first[1]!);
    k.unpin(second[1]!);
    expect(await toldOf(k.text())).toEqual([`unpin-while-dma error sure ${hex(P)}`]);
  });
});
