/** writeback-while-pinned, writeback-while-dma, dirty-after-writeback, dirty-after-unpin. */
import {describe, expect, it} from 'vitest';
import {analyzeText, toldOf} from './analyze-text.js';
import {type Grab, SmallKernel} from './small-kernel.js';

const P = 0x5dac9;

/** A dirty page of a file, pinned. */
function pinned(grab: Grab = {}, traced: ConstructorParameters<typeof SmallKernel>[0] = {}): SmallKernel {
  const k = new SmallKernel(traced);
  k.file(P);
  k.markDirty(P);
  k.markDirty(P);
  k.pin(P, grab);
  return k;
}

function loseSome(k: SmallKernel): void {
  k.by({task: 'bash-77', cpu: 1}, () => {
    k.alloc(0x500);
    k.lose(1, 12);
    k.alloc(0x501);
  });
}

describe('writeback-while-pinned', () => {
  it('is an error while the device may write the page', async () => {
    const k = pinned();
    k.map(P, 'FROM_DEVICE');
    k.writeOut(P);
    k.unmap(P, 'FROM_DEVICE');
    k.unpin(P);
    const {findings} = await analyzeText(k.text());
    expect(findings.map((f) => [f.rule, f.severity, f.verdict])).toEqual([['writeback-while-pinned', 'error', 'sure']]);
    expect(findings[0]!.message).toContain('the data on disk may be torn');
    expect(findings[0]!.message).not.toContain('corrupted');
    expect(findings[0]!.file).toEqual({dev: '259:0', ino: '12', index: '4'});
    expect(findings[0]!.evidence.map((e) => e.role)).toEqual(['pin', 'dma-map', 'writeback-start', 'writeback-end']);
  });

  it('is an error while a registration may be written through, after another pin of the page was dropped', async () => {
    const k = pinned({longterm: true});
    k.map(P, 'BIDIRECTIONAL', 'mlx.0');
    k.pin(P);
    k.map(P, 'FROM_DEVICE');
    k.by({task: '<idle>-0', cpu: 1, irq: true}, () => {
      k.unmap(P, 'FROM_DEVICE');
      k.unpin(P);
    });
    k.writeOut(P);
    k.unmap(P, 'BIDIRECTIONAL', 'mlx.0');
    k.markDirty(P);
    k.unpin(P);
    expect(await toldOf(k.text())).toContain('writeback-while-pinned error sure 0x5dac9');
  });

  it('is a note where all was pinned for reading, whatever its mapping allows', async () => {
    const k = pinned({write: false, longterm: true});
    k.map(P, 'BIDIRECTIONAL');
    k.writeOut(P);
    k.unmap(P, 'BIDIRECTIONAL');
    k.unpin(P);
    expect(await toldOf(k.text())).toEqual(['writeback-while-pinned note sure 0x5dac9']);
  });

  it('is not sure that no device writes the page where one has it for another reference', async () => {
    const map = (k: SmallKernel): void => k.map(P, 'FROM_DEVICE', 'mlx.0');
    const others: ((k: SmallKernel) => void)[] = [
      (k) => {
        k.pin(P, {longterm: true});
        k.by({task: 'nfs-900', cpu: 1}, () => {
          k.get(P);
          map(k);
        });
      },
      (k) => {
        map(k);
        k.pin(P, {longterm: true});
      },
      (k) => {
        k.pin(P, {longterm: true, write: false});
        k.by({task: 'nfs-900', cpu: 1}, () => {
          k.get(P);
          map(k);
        });
      },
      (k) => {
        // of a GPU that may follow page tables: what it writes is not what the pin is for
        k.pin(P, {longterm: true, write: false});
        k.wait(3000);
        k.map(P, 'BIDIRECTIONAL', 'mlx.0');
      },
    ];
    for (const made of others) {
      const k = new SmallKernel();
      k.file(P);
      k.markDirty(P);
      made(k);
      k.writeOut(P);
      k.unmap(P, 'FROM_DEVICE', 'mlx.0');
      k.unmap(P, 'BIDIRECTIONAL', 'mlx.0');
      k.unpin(P);
      expect((await toldOf(k.text())).filter((told) => told.includes(' sure '))).toEqual([]);
    }
  });

  it('is an error as well when the mapping comes, or is gone, within the writeback', async () => {
    const within = pinned();
    within.writeOut(P, () => {
      within.map(P, 'FROM_DEVICE');
      within.unmap(P, 'FROM_DEVICE');
    });
    within.unpin(P);
    expect(await toldOf(within.text())).toEqual(['writeback-while-pinned error sure 0x5dac9']);
  });

  it('is an error for a pin that is taken during the writeback', async () => {
    const k = new SmallKernel();
    k.file(P);
    k.markDirty(P);
    k.writeOut(P, () => {
      k.pin(P);
      k.map(P, 'FROM_DEVICE');
    });
    k.unmap(P, 'FROM_DEVICE');
    k.unpin(P);
    const {findings} = await analyzeText(k.text());
    expect(findings.map((f) => [f.rule, f.severity])).toEqual([['writeback-while-pinned', 'error']]);
    expect(findings[0]!.message).toContain('pinned while under writeback');
  });

  it.each([
    ['a write pin with no mapping in view', 'warning sure', {}, undefined],
    ['a pin for reading', 'note sure', {write: false}, undefined],
    ['a mapping through which the device only reads, of a pin for reading', 'note sure', {write: false}, 'TO_DEVICE'],
  ] as const)('%s: %s', async (_, expected, grab, dir) => {
    const k = pinned(grab);
    if (dir) k.map(P, dir);
    k.writeOut(P);
    if (dir) k.unmap(P, dir);
    k.unpin(P);
    expect(await toldOf(k.text())).toEqual([`writeback-while-pinned ${expected} 0x5dac9`]);
  });

  it('is possible when nothing tells what the pin is for', async () => {
    const k = pinned({}, {probes: false});
    k.startWriteback(P);
    k.get(P); // some event that prints the flag
    k.put(P);
    k.endWriteback(P);
    k.unpin(P);
    const {findings} = await analyzeText(k.text());
    expect(findings.map((f) => [f.severity, f.verdict])).toEqual([['warning', 'possible']]);
    expect(findings[0]!.reason).toContain('whether the pin was for writing is not known');
  });

  it('is possibly an error while pages are mapped that the trace does not name', async () => {
    const k = pinned();
    k.line(
      'dma_map_page_attrs: (dma_map_page_attrs+0x0/0x270) dev="pinbug.0" page=00000000a1b2c3d4 offset=0x0 size=4096 dir=0',
    );
    k.writeOut(P);
    k.unpin(P);
    const {findings} = await analyzeText(k.text());
    expect(findings.map((f) => [f.severity, f.verdict])).toEqual([['warning', 'possible']]);
    expect(findings[0]!.reason).toContain('maps pages that it does not name');
  });

  it('is a note for an anonymous page', async () => {
    const k = new SmallKernel();
    k.anon(P);
    k.pin(P);
    k.map(P, 'FROM_DEVICE');
    k.writeOut(P);
    k.unmap(P, 'FROM_DEVICE');
    k.unpin(P);
    expect(await toldOf(k.text())).toEqual(['writeback-while-pinned note sure 0x5dac9']);
  });

  it('is a note where it shows only later that pages of files would have been told of', async () => {
    const k = new SmallKernel({refs: false});
    const known = (): void =>
      k.writeOut(P, () => {
        k.pin(P);
        k.map(P, 'FROM_DEVICE');
      });
    k.anon(P);
    known();
    k.unmap(P, 'FROM_DEVICE');
    k.unpin(P);
    expect(await toldOf(k.text())).toEqual(['writeback-while-pinned error possible 0x5dac9']);
    k.file(P + 8);
    expect((await toldOf(k.text())).join()).toMatch(/^writeback-while-pinned note \w+ 0x5dac9$/);
  });

  it('is silent about writeback before the pin, after the unpin, and of another page', async () => {
    const k = new SmallKernel();
    k.file(P);
    k.file(P + 1);
    k.writeOut(P);
    k.pin(P);
    k.map(P, 'FROM_DEVICE');
    k.writeOut(P + 1);
    k.unmap(P, 'FROM_DEVICE');
    k.unpin(P);
    k.writeOut(P);
    const report = await analyzeText(k.text());
    expect(report.findings).toEqual([]);
    expect(report.near_misses.map((n) => n.what)).toContain('unpin to writeback');
  });

  it('does not take the references of writeback itself for pins or gets', async () => {
    const k = new SmallKernel();
    k.file(P);
    k.markDirty(P);
    k.ref('page_ref_mod_unless', P, 1); // filemap_get_folios_tag()
    k.writeOut(P);
    k.put(P);
    expect(await toldOf(k.text())).toEqual([]);
  });

  it('is only possible when events were lost between pin and writeback: the unpin may be among them', async () => {
    const k = pinned();
    k.map(P, 'FROM_DEVICE');
    loseSome(k);
    k.writeOut(P);
    k.unmap(P, 'FROM_DEVICE');
    k.unpin(P);
    expect(await toldOf(k.text())).toEqual(['writeback-while-pinned error possible 0x5dac9']);
  });

  it('is only possible with probes alone when the I/O had ended in an interrupt: that unpin may have been missed', async () => {
    const k = pinned({}, {refs: false});
    k.map(P, 'FROM_DEVICE');
    k.by({irq: true}, () => k.unmap(P, 'FROM_DEVICE'));
    k.wait(1000);
    k.writeOut(P);
    const {findings} = await analyzeText(k.text());
    expect(findings.filter((f) => f.rule !== 'pin-leak').map((f) => [f.rule, f.verdict])).toEqual([
      ['writeback-while-pinned', 'possible'],
    ]);
    expect(findings[0]!.reason).toContain('may have been missed in an interrupt');
    // a drop that comes later says that it was held
    k.unpin(P);
    expect(await toldOf(k.text())).toEqual(['writeback-while-pinned warning sure 0x5dac9']);
  });
});

describe('writeback-while-dma', () => {
  function got(dir: 'FROM_DEVICE' | 'TO_DEVICE', lossy = false): SmallKernel {
    const k = new SmallKernel({version: '6.1'});
    k.file(P);
    k.markDirty(P);
    k.get(P);
    k.map(P, dir, '0000:00:03.0');
    if (lossy) loseSome(k);
    k.startWriteback(P);
    k.wait(100);
    k.endWriteback(P);
    k.unmap(P, dir, '0000:00:03.0');
    k.put(P);
    return k;
  }

  it('is a warning while the device may write under a plain reference', async () => {
    const {findings} = await analyzeText(got('FROM_DEVICE').text());
    expect(findings.map((f) => [f.rule, f.severity, f.verdict])).toEqual([['writeback-while-dma', 'warning', 'sure']]);
    expect(findings[0]!.evidence.map((e) => e.role)).toEqual([
      'get',
      'dma-map',
      'writeback-start',
      'writeback-end',
      'dma-unmap',
    ]);
  });

  it('is silent when the device only reads', async () => {
    expect(await toldOf(got('TO_DEVICE').text())).toEqual([]);
  });

  it('is only possible when events were lost since the get', async () => {
    expect(await toldOf(got('FROM_DEVICE', true).text())).toEqual(['writeback-while-dma warning possible 0x5dac9']);
  });

  it('is only possible without page_ref events: the put leaves no other', async () => {
    const k = new SmallKernel({version: '6.1', refs: false});
    k.file(P);
    k.get(P);
    k.map(P, 'FROM_DEVICE');
    k.startWriteback(P);
    k.endWriteback(P);
    k.unmap(P, 'FROM_DEVICE');
    const lines = await toldOf(k.text());
    expect(lines.filter((line) => line.startsWith('writeback'))).toEqual([
      'writeback-while-dma warning possible 0x5dac9',
    ]);
  });
});

it('lacks no end of a writeback where a folio is written block by block, and cleaned with the last of them (btrfs)', async () => {
  const k = new SmallKernel();
  k.file(P);
  k.writeOut(P);
  k.file(P + 3, {order: 2});
  for (let i = 0; i < 2; i++) {
    k.markDirty(P + 3);
    k.probe('__folio_start_writeback', P + 3);
    k.probe('folio_clear_dirty_for_io', P + 3);
    k.markDirty(P + 3); // folio_mkclean() found dirty entries
    k.by({irq: true}, () => k.endWriteback(P + 3));
  }
  k.pin(P + 3);
  k.map(P + 3, 'FROM_DEVICE');
  k.unpin(P + 3);
  k.unmap(P + 3, 'FROM_DEVICE');
  const {findings, quality} = await analyzeText(k.text());
  expect(quality).toEqual([]);
  expect(findings.map((f) => [f.rule, f.verdict])).toEqual([['unpin-while-dma', 'sure']]);
});

describe('dirty-after-writeback', () => {
  /** Pinned for writing, mapped, cleaned under the pin, written by the device after that, and then marked dirty and unpinned. */
  function late(meanwhile: (k: SmallKernel) => void = () => {}): SmallKernel {
    const k = pinned();
    k.map(P, 'FROM_DEVICE');
    k.writeOut(P);
    k.unmap(P, 'FROM_DEVICE');
    meanwhile(k);
    k.wait(20_000);
    k.markDirty(P); // unpin_user_pages_dirty_lock()
    k.unpin(P);
    return k;
  }

  it('tells of the dirtying that the file system was not told of, beside the writeback that cleaned the page', async () => {
    const {findings} = await analyzeText(late().text());
    expect(findings.map((f) => [f.rule, f.severity, f.verdict, f.related])).toEqual([
      ['writeback-while-pinned', 'error', 'sure', ['F2']],
      ['dirty-after-writeback', 'error', 'sure', ['F1']],
    ]);
    expect(findings[1]!.evidence.map((e) => e.role)).toEqual(['pin', 'writeback-start', 'dirty', 'unpin']);
  });

  it('is silent when the program itself faulted the page in for writing meanwhile: two markings by one task', async () => {
    const k = late((kernel) => {
      kernel.by({task: 'app-500', cpu: 1}, () => {
        kernel.markDirty(P); // page_mkwrite
        kernel.markDirty(P); // fault_dirty_shared_page()
      });
    });
    expect(await toldOf(k.text())).toEqual(['writeback-while-pinned error sure 0x5dac9']);
  });

  it('is silent for a page that was not cleaned under the pin', async () => {
    const k = pinned();
    k.map(P, 'FROM_DEVICE');
    k.unmap(P, 'FROM_DEVICE');
    k.markDirty(P);
    k.unpin(P);
    k.writeOut(P);
    expect(await toldOf(k.text())).toEqual([]);
  });

  it('is silent where a read that begins marks its pages, which no device has yet (bio_set_pages_dirty())', async () => {
    const k = pinned();
    k.writeOut(P);
    k.markDirty(P);
    k.map(P, 'FROM_DEVICE');
    k.by({irq: true}, () => {
      k.unmap(P, 'FROM_DEVICE');
      k.unpin(P);
    });
    expect((await toldOf(k.text())).filter((line) => line.startsWith('dirty'))).toEqual([]);
  });

  it('is silent where an interrupt ends one read while its task begins another', async () => {
    const k = late((kernel) => {
      kernel.pin(P);
      kernel.markDirty(P); // bio_set_pages_dirty()
      kernel.by({irq: true}, () => kernel.unpin(P));
      kernel.map(P, 'FROM_DEVICE');
      kernel.unmap(P, 'FROM_DEVICE');
    });
    expect((await toldOf(k.text())).filter((line) => line.startsWith('dirty'))).toEqual([]);
  });

  it('is found before the time that the first line of a trace has, too', async () => {
    const [head, ...rest] = late().text().split('\n');
    const first =
      '          bash-77      [001] .....    20.000000: mm_page_free: page=00000000b9111fae pfn=0x101 order=0';
    expect((await toldOf([head, first, ...rest].join('\n'))).join()).toContain('dirty-after-writeback error');
  });

  it('is only possible when events were lost since the pin', async () => {
    expect(await toldOf(late(loseSome).text())).toContain('dirty-after-writeback error possible 0x5dac9');
  });
});

describe('dirty-after-unpin', () => {
  const PIN_CALL =
    'pin_user_pages_fast: (pin_user_pages_fast+0x0/0x80) start=0xffffaeb5e000 nr=4 gup_flags=0x401 pages=0xffff2195c337c9a0';
  /** The same, but unpinned first. */
  function late(meanwhile: (k: SmallKernel) => void = () => {}): SmallKernel {
    const k = pinned();
    k.map(P, 'FROM_DEVICE');
    k.writeOut(P);
    k.unmap(P, 'FROM_DEVICE');
    k.unpin(P);
    k.wait(200);
    meanwhile(k);
    k.markDirty(P); // set_page_dirty_lock(), too late
    k.wait(50_000);
    k.by({task: 'bash-77', cpu: 1}, () => k.anon(0x900));
    return k;
  }

  it('tells of data that is marked dirty only after its pin is gone', async () => {
    const {findings} = await analyzeText(late().text());
    expect(findings.map((f) => [f.rule, f.severity, f.verdict])).toEqual([
      ['writeback-while-pinned', 'error', 'sure'],
      ['dirty-after-unpin', 'warning', 'sure'],
    ]);
    expect(findings[1]!.evidence.map((e) => e.role)).toEqual(['pin', 'writeback-start', 'unpin', 'dirty']);
  });

  it('tells of a large folio whose pages are unpinned one by one, and marked one by one', async () => {
    const k = new SmallKernel();
    const pages = [P & ~3, (P & ~3) + 1, (P & ~3) + 2, (P & ~3) + 3];
    const [head] = pages as [number];
    k.file(head, {order: 2});
    k.markDirty(head);
    k.markDirty(head);
    k.pin(head, {n: 4, sub: head});
    for (const page of pages) k.map(page, 'FROM_DEVICE');
    k.writeOut(head);
    for (const page of pages) k.unmap(page, 'FROM_DEVICE');
    for (const sub of pages) k.unpin(head, {sub});
    k.wait(2000);
    for (const _ of pages) k.markDirty(head);
    k.wait(50_000);
    k.by({task: 'bash-77', cpu: 1}, () => k.anon(0x900));
    expect((await toldOf(k.text())).join()).toContain('dirty-after-unpin warning');
  });

  it.each([
    ['a write fault of the program (two markings)', (k: SmallKernel) => k.markDirty(P)],
    ['a later pin, whose own dirtying it is', (k: SmallKernel) => k.pin(P)],
    ['the write fault of a call that pins', (k: SmallKernel) => k.line(PIN_CALL)],
    ['a write by another task', (k: SmallKernel) => k.by({task: 'app-500', cpu: 1}, () => k.markDirty(P))],
  ])('is silent when %s explains it', async (_, meanwhile) => {
    const lines = await toldOf(late(meanwhile).text());
    expect(lines.filter((line) => line.startsWith('dirty'))).toEqual([]);
  });

  it('is not sure of it where a write() of the task may have marked the page: that takes it first', async () => {
    const write = late((k) => k.ref('page_ref_mod_unless', P, 1)); // filemap_get_folio()
    expect(await toldOf(write.text())).toContain('dirty-after-unpin warning possible 0x5dac9');
  });

  it('is silent about ordinary dirtying of pages that nobody pinned', async () => {
    const k = new SmallKernel();
    k.file(P);
    k.markDirty(P);
    k.writeOut(P);
    k.markDirty(P);
    expect(await toldOf(k.text())).toEqual([]);
  });

  it('is silent after a pin for reading', async () => {
    const k = pinned({write: false});
    k.writeOut(P);
    k.unpin(P);
    k.wait(200);
    k.markDirty(P);
    expect(await toldOf(k.text())).toEqual(['writeback-while-pinned note sure 0x5dac9']);
  });

  it('is only possible where the same task marks the page again later than a write fault does: its CPU may have stood still', async () => {
    const k = late((kernel) => kernel.ref('page_ref_mod', P, 1)); // wp_page_shared()
    k.wait(7_000);
    k.markDirty(P);
    const {findings} = await analyzeText(k.text());
    expect(findings.map((f) => [f.rule, f.verdict, f.reason])).toContainEqual([
      'dirty-after-unpin',
      'possible',
      expect.stringContaining('marked it again soon after'),
    ]);
  });

  it('is only possible when events were lost since the pin', async () => {
    expect(await toldOf(late(loseSome).text())).toContain('dirty-after-unpin warning possible 0x5dac9');
  });
});
