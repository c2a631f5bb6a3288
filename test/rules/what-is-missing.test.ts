/** Events that a trace lacks make a finding possible only, whichever rule tells it. */
import {describe, expect, it} from 'vitest';
import {Audit} from '../../src/capture/audit.js';
import {DropSums} from '../../src/capture/drop-sums.js';
import {EventKind as K, TraceEvent} from '../../src/events/event.js';
import {toldOf} from './analyze-text.js';
import {SmallKernel} from './small-kernel.js';

const P = 0x5dac9;

function without(text: string, event: string): string {
  return text
    .split('\n')
    .filter((line) => !line.includes(` ${event}: `))
    .join('\n');
}

describe('what a trace lacks', () => {
  it('the end of writeback: a pin that comes later may have come after it', async () => {
    // the flags that page_ref events print at the pin tell; without them the end must
    for (const refs of [true, false]) {
      const k = new SmallKernel({refs});
      k.file(P);
      k.markDirty(P);
      k.writeOut(P, () => k.pin(P));
      k.unpin(P);
      expect(await toldOf(k.text())).toEqual(['writeback-while-pinned warning sure 0x5dac9']);
      expect(await toldOf(without(k.text(), 'folio_end_writeback'))).toEqual([
        `writeback-while-pinned warning ${refs ? 'sure' : 'possible'} 0x5dac9`,
      ]);
    }
  });

  it('gup_put_folio(), with no counts: the unpin may have left no event', async () => {
    const k = new SmallKernel({refs: false});
    k.file(P);
    k.markDirty(P);
    k.pin(P);
    k.writeOut(P);
    const held = k.text();
    expect(await toldOf(without(held, 'gup_put_folio'))).toContain('writeback-while-pinned warning possible 0x5dac9');
    // its drop comes later, by the call that is probed: it was held
    k.unpin(P);
    expect(await toldOf(without(k.text(), 'gup_put_folio'))).toContain('writeback-while-pinned warning sure 0x5dac9');
  });

  it('a line that is not understood, or has numbers of no kernel: it may have been a pin', async () => {
    for (const line of ['..pscope-record: vmemm', `            wl-309 [000] ..... 10.0: try_grab_folio: garbage`]) {
      const k = new SmallKernel({refs: false});
      k.anon(P);
      k.pin(P);
      k.map(P);
      k.unpin(P);
      k.unmap(P);
      const lines = k.text().split('\n');
      const at = lines.findIndex((l) => l.includes(' dma_map_page: '));
      expect(await toldOf(lines.join('\n'))).toContain('unpin-while-dma error sure 0x5dac9');
      const noise = lines[at]!.replace(
        /dma_map_page:.*/,
        'gup_put_folio: (gup_put_folio+0x0/0x1) folio=0xffffea0000000040 refs=4294967295 flags=0x80000',
      );
      lines.splice(at, 0, line.startsWith('..') ? line : noise);
      expect(await toldOf(lines.join('\n'))).toContain('unpin-while-dma error possible 0x5dac9');
    }
  });

  it('the allocation of a page that was free: what happened since is not known', async () => {
    const k = new SmallKernel({refs: false});
    k.anon(P);
    k.munmap(P);
    k.wait(1000);
    k.anon(P);
    k.pin(P);
    k.map(P);
    k.unpin(P);
    k.unmap(P);
    const lines = k.text().split('\n');
    expect(await toldOf(lines.join('\n'))).toContain('unpin-while-dma error sure 0x5dac9');
    const again = lines.findLastIndex((line) => line.includes(' mm_page_alloc: '));
    lines.splice(again, 1);
    expect(await toldOf(lines.join('\n'))).toContain('unpin-while-dma error possible 0x5dac9');
  });

  it('the end of a writeback that a cleaning shows to be over: the pin may have come after it', async () => {
    const k = new SmallKernel({refs: false});
    k.file(P);
    k.markDirty(P);
    k.startWriteback(P);
    k.wait(100);
    k.endWriteback(P); // taken out below
    k.pin(P);
    k.unpin(P);
    k.writeOut(P);
    const lines = k.text().split('\n');
    const named = (name: string): number[] => lines.flatMap((line, i) => (line.includes(` ${name}: `) ? [i] : []));
    // the end is missing, and so is the next start
    const missing = [named('folio_end_writeback')[0]!, named('__folio_start_writeback')[1]!];
    expect(await toldOf(lines.filter((_, i) => !missing.includes(i)).join('\n'))).toEqual([
      'writeback-while-pinned warning possible 0x5dac9',
    ]);
  });

  it('the end of a writeback whose own mapping is over: the disk was done before the pin', async () => {
    const k = new SmallKernel({refs: false});
    k.file(P);
    k.markDirty(P);
    k.writeOut(P);
    k.pin(P);
    k.unpin(P);
    k.by({irq: true}, () => k.probe('folio_end_writeback', P)); // of a writeback whose start is missing
    const first = k.text().indexOf(' folio_end_writeback: ');
    const lines = k.text().split('\n');
    lines.splice(k.text().slice(0, first).split('\n').length - 1, 1);
    expect(await toldOf(lines.join('\n'))).toEqual(['writeback-while-pinned warning possible 0x5dac9']);
  });

  it('the unpin of a small page that is freed', async () => {
    const k = new SmallKernel({refs: false});
    k.anon(P);
    k.pin(P);
    k.map(P, 'FROM_DEVICE');
    k.unpin(P);
    k.munmap(P);
    k.line('mm_page_free: page=00000000b9111fae pfn=0x5dac9 order=0');
    k.wait(100);
    k.unmap(P, 'FROM_DEVICE');
    expect(await toldOf(k.text())).toContain('free-while-dma error sure 0x5dac9');
    const lines = k.text().split('\n');
    for (const name of ['gup_put_folio', 'unpin_user_pages'])
      lines.splice(
        lines.findLastIndex((line) => line.includes(` ${name}: `)),
        1,
      );
    const missed = await toldOf(lines.join('\n'));
    expect(missed).not.toContain('free-while-dma error sure 0x5dac9');
    expect(missed).toContain('free-while-dma error possible 0x5dac9');
  });

  it('a map whose unmap is there: a device may have written the page', async () => {
    const k = new SmallKernel();
    for (let i = 1; i <= 8; i++) {
      k.anon(P + i);
      k.pin(P + i);
      k.map(P + i);
      k.unmap(P + i);
      k.unpin(P + i);
    }
    k.file(P);
    k.markDirty(P);
    k.pin(P);
    k.map(P);
    k.writeOut(P);
    k.unmap(P);
    k.unpin(P);
    expect(await toldOf(k.text())).toEqual(['writeback-while-pinned error sure 0x5dac9']);
    const page = `dma_addr=${(P * 4096).toString(16)} `;
    const mapless = k.text().replace(new RegExp(`.*dma_map_page: pinbug.*${page}.*\\n`), '');
    expect(await toldOf(mapless)).toEqual(['writeback-while-pinned warning possible 0x5dac9']);
    const unmapless = without(k.text(), 'dma_unmap_page');
    expect((await toldOf(unmapless)).map((told) => told.split(' ').slice(0, 3).join(' '))).not.toContain(
      'writeback-while-pinned warning sure',
    );
  });

  it('hits that the kernel says its probes missed: without counts, nothing told by probes is sure', async () => {
    const missed = (text: string) =>
      `${text}# pinscope-record: probe_hits=gup_put_folio 90\n# pinscope-record: probe_missed=gup_put_folio 3\n`;
    for (const refs of [true, false]) {
      const k = new SmallKernel({refs});
      k.anon(P);
      k.pin(P);
      k.map(P);
      k.unpin(P);
      k.unmap(P);
      // the counts show every pin and unpin of a small page
      const now = refs ? 'sure' : 'possible';
      expect(await toldOf(k.text())).toContain('unpin-while-dma error sure 0x5dac9');
      expect(await toldOf(missed(k.text()))).toContain(`unpin-while-dma error ${now} 0x5dac9`);
    }
  });

  it('unmaps that come in interrupts, where only some tasks were recorded', async () => {
    const k = new SmallKernel({refs: false});
    for (const pfn of [P, P + 1]) {
      k.anon(pfn);
      k.pin(pfn);
      k.map(pfn);
    }
    k.unmap(P + 1);
    k.unpin(P + 1);
    k.unpin(P);
    const told = 'unpin-while-dma error possible 0x5dac9';
    expect(await toldOf(k.text())).toContain(told);
    expect(await toldOf(`# pinscope-record: pid_filter=482\n${k.text()}`)).not.toContain(told);
  });

  it('the lines of a CPU for a while: its task may have pinned the page again', async () => {
    const used = (again: boolean): string => {
      const k = new SmallKernel({refs: false});
      k.anon(P);
      k.pin(P);
      k.unpin(P);
      if (again) {
        k.wait(1000);
        k.pin(P);
        k.wait(1000);
      }
      k.unpin(P);
      return k.text();
    };
    expect(await toldOf(used(false))).toContain('unpin-without-pin error sure 0x5dac9');
    expect(await toldOf(used(true))).toEqual([]);
    const lines = used(true).split('\n');
    const gone = lines.findLastIndex((line) => line.includes(' pin_user_pages_fast: '));
    lines.splice(gone, 4);
    expect(await toldOf(lines.join('\n'))).toEqual(['unpin-without-pin error possible 0x5dac9']);
  });

  it('a pin whose mapping is there: it explains an unpin of the page that was got later', async () => {
    const k = new SmallKernel({refs: false});
    k.anon(P);
    k.pin(P); // taken out below
    k.map(P);
    k.get(P);
    k.unmap(P);
    k.unpin(P);
    const lines = k.text().split('\n');
    lines.splice(
      lines.findIndex((line) => line.includes(' wl-309 ') && line.includes(' pin_user_pages_fast: ')),
      4,
    );
    expect(await toldOf(lines.join('\n'))).toContain('unpin-without-pin error possible 0x5dac9');
  });

  it('the map of a page that is unmapped: a pin may be missing with it, whatever the device did before', async () => {
    for (const mapped of [true, false]) {
      const k = new SmallKernel({refs: false});
      k.by({cpu: 1}, () => {
        k.anon(P + 1);
        k.map(P + 1);
        k.unmap(P + 1);
      });
      k.anon(P);
      k.get(P);
      if (mapped) k.map(P);
      k.wait(3000);
      k.unmap(P);
      k.unpin(P);
      expect(await toldOf(k.text())).toContain(`unpin-without-pin error ${mapped ? 'sure' : 'possible'} 0x5dac9`);
    }
  });

  it('a get whose I/O still runs: an unpin so early is rather of a pin that left no line', async () => {
    for (const early of [false, true]) {
      const k = new SmallKernel({refs: false});
      k.anon(P);
      k.get(P);
      k.map(P);
      k.wait(3000);
      if (!early) k.unmap(P);
      k.unpin(P);
      if (early) k.unmap(P);
      expect(await toldOf(k.text())).toContain(`unpin-without-pin error ${early ? 'possible' : 'sure'} 0x5dac9`);
    }
  });

  it('pages handed out again that were not freed, and just then: other lines are missing there too', async () => {
    const got = (others: number): string => {
      const k = new SmallKernel({refs: false});
      k.anon(P - 1);
      k.munmap(P - 1);
      for (let i = 1; i <= others; i++) k.alloc(P + i);
      k.anon(P);
      k.get(P);
      k.wait(30_000);
      k.unpin(P);
      for (let i = 1; i <= others; i++) k.alloc(P + i);
      return k.text();
    };
    expect(await toldOf(got(0))).toContain('unpin-without-pin error sure 0x5dac9');
    expect(await toldOf(got(2))).toContain('unpin-without-pin error possible 0x5dac9');
  });

  it('other tasks: where all of many events are of one, nothing is sure', async () => {
    const k = new SmallKernel();
    k.anon(P);
    k.pin(P);
    k.map(P);
    k.unpin(P);
    k.unmap(P);
    const told = (verdict: string): string[] => [`unpin-while-dma error ${verdict} 0x5dac9`];
    const filtered = (): string =>
      k
        .text()
        .split('\n')
        .filter((line) => line.startsWith('#') || line.includes(' wl-309 '))
        .join('\n');
    expect(await toldOf(filtered())).toEqual(told('sure')); // an excerpt
    for (let i = 0; i < 1000; i++) k.markDirty(P);
    expect(await toldOf(filtered())).toEqual(told('sure')); // a longer one, of 10 ms
    k.wait(500_000);
    k.markDirty(P);
    expect(await toldOf(filtered())).toEqual(told('possible'));
    expect(await toldOf(k.text())).toEqual(told('sure'));
  });

  it('the FOLL_* numbering, at first: a grab whose kind could not be told may be the pin that an unpin drops', async () => {
    const k = new SmallKernel();
    k.alloc(0x600, 9);
    // FOLL_PIN and FOLL_LONGTERM of 6.12, and FOLL_FAST_ONLY, FOLL_PIN and FOLL_LONGTERM of 6.1
    k.line(`try_grab_folio: (try_grab_folio+0x4/0xc0) folio=${k.pointer(0x600)} refs=1 flags=0xd0101`);
    k.ref('page_ref_mod', 0x600, 1);
    k.by({task: 'kworker/0:1-9'}, () => {
      for (let i = 0; i < 8000; i++) k.markDirty(0x600); // more than the head that is looked at first
    });
    k.unpin(0x600);
    // without the beginning, which tells the numbering
    const text = k
      .text()
      .split('\n')
      .filter((line) => !line.includes(' bash-77 '))
      .join('\n');
    expect(await toldOf(text)).toEqual(['unpin-without-pin error possible 0x600']);
  });

  it('one end of writeback, of a probe that was missed: the flag that later events no longer print shows it', async () => {
    const k = new SmallKernel();
    for (const page of [P, P + 1]) {
      k.file(page);
      k.markDirty(page);
      k.writeOut(page);
      k.pin(page);
      k.unpin(page);
    }
    expect(await toldOf(k.text())).toEqual([]);
    const missed = k
      .text()
      .split('\n')
      .filter((line) => !(line.includes(' folio_end_writeback: ') && line.includes(k.pointer(P))))
      .join('\n');
    expect(missed).not.toEqual(k.text());
    expect(await toldOf(missed)).toEqual([]);
  });
});

describe('the drops inside a call that unpins', () => {
  const at = (kind: number, t: number): TraceEvent => Object.assign(new TraceEvent(), {kind, t, pid: 7, line: t});

  it.each([
    ['sum to its pages', [2, 1], 0],
    ['are fewer: one has no event', [2], 1],
    ['leave no event at all, as where gup_put_folio() is inlined', [], 0],
  ])('%s', (_, drops, broken) => {
    const audit = new Audit();
    const sums = new DropSums(audit);
    sums.called(1, 3, at(K.UnpinCall, 10));
    drops.forEach((refs, i) => sums.dropped(1, refs, at(K.GupPut, 11 + i)));
    sums.other(1, at(K.PageFree, 20)); // the last reference may go with a pin
    sums.other(2, at(K.Grab, 30)); // another task's
    sums.other(1, at(K.Grab, 40));
    expect(audit.broken.get('drops-sum-to-call') ?? 0).toBe(broken);
    expect(audit.doubt('dropped', 15, 50) !== undefined).toBe(broken > 0);
    expect(sums.idle).toBe(true);
  });
});
