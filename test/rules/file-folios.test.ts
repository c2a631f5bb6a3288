/** Large folios of files, as ext4 and XFS have them from 6.16 on, pinned and let go as 6.18 and 7.3 do: page by page, folio by folio. */
import {describe, expect, it} from 'vitest';
import {analyzeText, toldOf} from './analyze-text.js';
import {SmallKernel, type Direction} from './small-kernel.js';

const H = 0x4000;
const DISK = '0000:00:03.0';

class Files extends SmallKernel {
  constructor() {
    super({refs: false});
  }

  /** A folio of a file, read in and mapped by the task. */
  folio(order: number): void {
    this.alloc(H, order);
    this.line(`mm_filemap_add_to_page_cache: dev 259:0 ino 11 pfn=0x${H.toString(16)} ofs=0 order=${order}`);
    this.pages.get(H)!.mapped = 1;
  }

  /** pin_user_pages_fast() of pages of the folio: a grab for each, by its own struct page. */
  pinPages(from: number, n: number): void {
    this.line(`pin_user_pages_fast: (pin_user_pages_fast+0x4/0x60) start=0x7f6bcd7b0000 nr=${n} gup_flags=0x1`);
    for (let i = 0; i < n; i++)
      this.line(
        `try_grab_folio_fast: (try_grab_folio_fast+0x4/0x150) page=${this.pointer(H + from + i)} refs=1 flags=0x80001`,
      );
    this.line(`pin_user_pages_fast_ret: (dopin+0x2e/0x70 [pinbug] <- pin_user_pages_fast) ret=${n}`);
  }

  mapPages(from: number, n: number, dir: Direction = 'FROM_DEVICE'): void {
    const at = ((H + from) * 4096).toString(16);
    this.line(`dma_map_phys: ${DISK} dir=${dir} dma_addr=${at} size=${n * 4096} phys_addr=${at} attrs=`);
  }

  /** The request is complete: unmapped in the interrupt. */
  unmapPages(from: number, n: number, dir: Direction = 'FROM_DEVICE'): void {
    const at = ((H + from) * 4096).toString(16);
    this.line(`dma_unmap_phys: ${DISK} dir=${dir} dma_addr=${at} size=${n * 4096} attrs=`);
  }

  /** unpin_user_folio(), with gup_put_folio() inlined */
  unpinFolio(n: number): void {
    this.line(`unpin_user_folio: (unpin_user_folio+0x4/0x80) folio=${this.pointer(H)} npages=${n}`);
  }

  /** A whole right read into pages of the folio. */
  read(from: number, n: number, meanwhile: () => void = () => {}): void {
    this.pinPages(from, n);
    this.mapPages(from, n);
    meanwhile();
    this.by({irq: true}, () => {
      this.unmapPages(from, n);
      this.unpinFolio(n);
    });
  }

  /** Marks pages of the folio dirty, as set_page_dirty_lock() on each does: the folio, each time. */
  mark(n: number): void {
    for (let i = 0; i < n; i++) this.markDirty(H);
  }
}

describe.each([2, 4])('a folio of a file, of order %s', (order) => {
  const n = 1 << order;

  it('is read into rightly, whole, in parts, and by two at a time', async () => {
    const k = new Files();
    k.folio(order);
    k.read(0, n);
    k.read(n / 2, n / 2);
    k.read(0, n / 2, () => k.by({task: 'other-400', cpu: 1}, () => k.read(n / 2, n / 2)));
    expect(await toldOf(k.text())).toEqual([]);
  });

  it('is unpinned too early as a whole: every page of it', async () => {
    const k = new Files();
    k.folio(order);
    k.read(0, n);
    k.pinPages(0, n);
    k.mapPages(0, n);
    k.unpinFolio(n);
    k.wait(1000);
    k.by({irq: true}, () => k.unmapPages(0, n));
    const pages = Array.from({length: n}, (_, i) => `0x${(H + i).toString(16)}`).join(',');
    expect(await toldOf(k.text())).toEqual([`unpin-while-dma error sure ${pages}`]);
  });

  it('is written back while a device writes into a part of it', async () => {
    const k = new Files();
    k.folio(order);
    k.read(0, n);
    k.markDirty(H);
    k.read(0, n / 2, () => {
      k.startWriteback(H);
      k.mapPages(0, n, 'TO_DEVICE');
      k.by({irq: true}, () => {
        k.unmapPages(0, n, 'TO_DEVICE');
        k.endWriteback(H);
      });
    });
    expect(await toldOf(k.text())).toContainEqual(`writeback-while-pinned error sure 0x4000/${order}`);
  });

  it('is marked dirty page by page after its pins are gone: no write fault, however many marks', async () => {
    const k = new Files();
    k.folio(order);
    k.read(0, n);
    k.markDirty(H);
    k.pinPages(0, n);
    k.mapPages(0, n);
    k.startWriteback(H);
    k.endWriteback(H);
    k.unmapPages(0, n);
    k.unpinFolio(n);
    k.wait(1000);
    k.mark(n);
    const told = await toldOf(k.text());
    expect(told.map((line) => line.split(' ')[0])).toContain('dirty-after-unpin');
  });
});

describe('the file of a finding', () => {
  const fileOf = async (ino: string): Promise<string | null | undefined> => {
    const k = new SmallKernel({refs: false});
    k.alloc(H);
    k.line(`mm_filemap_add_to_page_cache: dev 8:1 ino ${ino} pfn=0x4000 ofs=4096 order=0`);
    k.pin(H);
    k.map(H);
    k.unpin(H);
    k.unmap(H);
    const {findings} = await analyzeText(k.text());
    return findings[0]!.file?.ino;
  };

  it('is named by an inode number of any size that is read exactly, and by no rounded one', async () => {
    expect(await fileOf('1fffffffffffff')).toBe('9007199254740991');
    expect(await fileOf('fedcba9876543211')).toBeUndefined();
  });
});
