/** Recordings that begin late, pause, or leave out a CPU, and bounds beyond which things are not kept: silence there proves nothing. */
import {describe, expect, it} from 'vitest';
import {Audit, MISSING_MAX, PAGES_MAX} from '../../src/capture/audit.js';
import {Gaps} from '../../src/capture/gaps.js';
import {Excess, PAGES_MAX as EXCESS_PAGES_MAX} from '../../src/ledger/tables/excess.js';
import type {Deed} from '../../src/ledger/tables/references.js';
import {toldOf} from './analyze-text.js';
import {SmallKernel} from './small-kernel.js';

const P = 0x5dac9;

describe('what was recorded, and when', () => {
  it('a probe that is attached after the page was handed out: a pin before that left no event', async () => {
    const used = (late: boolean): string => {
      const k = new SmallKernel({refs: false});
      k.anon(P);
      k.by({cpu: 1}, () => {
        k.anon(P + 1);
        k.pin(P + 1, {slow: true, bare: true});
        k.unpin(P + 1);
      });
      k.pin(P, {bare: true});
      k.unpin(P);
      k.unpin(P); // of a pin by the slow path, just after it was handed out
      const lines = k.text().split('\n');
      const born = lines.findIndex((line) => line.includes(' wl-309 '));
      return lines.filter((line, i) => !(late && i < born && line.includes(' try_grab_folio'))).join('\n');
    };
    expect(await toldOf(used(false))).toContain('unpin-without-pin error sure 0x5dac9');
    expect(await toldOf(used(true))).toContain('unpin-without-pin error possible 0x5dac9');
  });

  it('writebacks that are not recorded: a page that entered no file by an event may be of one that was moved, and be synced', async () => {
    const used = (writebacks: boolean): string => {
      const k = new SmallKernel({refs: false});
      const disk = '0000:00:03.0';
      k.file(0x210);
      k.writeOut(0x210);
      k.anon(0x220);
      k.pin(0x220);
      k.map(0x220, 'FROM_DEVICE', disk);
      k.unmap(0x220, 'FROM_DEVICE', disk);
      k.unpin(0x220);
      k.anon(P);
      k.pin(P, {write: false});
      k.map(P, 'TO_DEVICE', disk);
      k.unpin(P);
      k.unmap(P, 'TO_DEVICE', disk);
      const lines = k.text().split('\n');
      return lines.filter((line) => writebacks || !/_writeback: /.test(line)).join('\n');
    };
    expect(await toldOf(used(true))).toContain('unpin-while-dma error sure 0x5dac9');
    expect(await toldOf(used(false))).toContain('unpin-while-dma error possible 0x5dac9');
  });

  it('a pause of tracing: a page that was got before may have been pinned in it', async () => {
    const used = (ms: number): string => {
      const k = new SmallKernel({refs: false});
      k.anon(P);
      k.get(P);
      k.wait(ms * 1000);
      k.unpin(P);
      return k.text();
    };
    expect(await toldOf(used(30))).toContain('unpin-without-pin error sure 0x5dac9');
    expect(await toldOf(used(2000))).toContain('unpin-without-pin error possible 0x5dac9');
  });

  it('a CPU that is not recorded: a task may have pinned there', async () => {
    const k = new SmallKernel({refs: false});
    k.anon(P);
    k.get(P);
    k.unpin(P);
    const of = (cpus: number): string => `# entries-in-buffer/entries-written: 0/0   #P:${cpus}\n${k.text()}`;
    expect(await toldOf(of(2))).toContain('unpin-without-pin error sure 0x5dac9');
    expect(await toldOf(of(4))).toContain('unpin-without-pin error possible 0x5dac9');
  });

  it('a grab whose CPU stands still: the writeback may be over when the count changes', async () => {
    for (const returned of [true, false]) {
      const k = new SmallKernel({refs: false});
      k.file(P);
      k.markDirty(P);
      k.writeOut(P, () => {
        k.pin(P, {bare: !returned});
        k.wait(3000);
      });
      k.unpin(P);
      expect(await toldOf(k.text())).toEqual([
        `writeback-while-pinned warning ${returned ? 'sure' : 'possible'} 0x5dac9`,
      ]);
    }
  });

  it('a task without a number: one name may be of two', async () => {
    const k = new SmallKernel({refs: false});
    k.anon(P);
    k.pin(P);
    k.unpin(P);
    k.unpin(P);
    expect(await toldOf(k.text())).toContain('unpin-without-pin error sure 0x5dac9');
    const unnamed = k.text().replaceAll('wl-309    ', 'wl-<...>  ');
    expect(await toldOf(unnamed)).not.toContain('unpin-without-pin error sure 0x5dac9');
  });
});

describe('what is not kept', () => {
  const breach = (pfn: number, t: number) =>
    ({law: 'unmap-has-map', what: 'mapped', from: t, to: t + 10, pfn, line: 1, why: 'a map is missing'}) as const;

  it('of pages beyond the most: each is in doubt when one of them was', () => {
    const audit = new Audit();
    for (let pfn = 0; pfn < PAGES_MAX; pfn++) audit.page({...breach(pfn, 100), only: true});
    expect(audit.ofPage(PAGES_MAX, 0, 1000, 'mapped')).toBeUndefined();
    audit.page({...breach(PAGES_MAX, 500), only: true});
    expect(audit.ofPage(PAGES_MAX, 0, 1000, 'mapped')).toBeDefined();
    expect(audit.ofPage(PAGES_MAX, 0, 1000, 'taken')).toBeUndefined();
    expect(audit.ofPage(PAGES_MAX, 0, 400, 'mapped')).toBeUndefined();
    audit.page(breach(PAGES_MAX + 1, 700));
    expect(audit.ofPage(PAGES_MAX, 0, 1000, 'taken')).toBeDefined();
    expect(audit.ofPage(1, 700, 800, 'taken')).toBeUndefined();
  });

  it('of one page beyond the most: a doubt of anything is not narrowed to one of something', () => {
    const audit = new Audit();
    for (let i = 0; i < 16; i++) audit.page(breach(P, i * 100));
    audit.page({...breach(P, 2000), only: true});
    expect(audit.ofPage(P, 1500, 1505, 'taken')).toBeDefined();
  });

  it('missing events of one law do not hide those of another', () => {
    const audit = new Audit();
    const law = 'allocated-then-freed';
    for (let i = 0; i <= MISSING_MAX; i++) audit.breach({...breach(i, i), law, what: undefined});
    expect(audit.missingOnce(new Gaps())).toBeUndefined();
    expect(audit.missingWithin(MISSING_MAX, MISSING_MAX + 10)).toBeDefined();
    audit.breach({...breach(1, 1), law: 'return-has-entry'});
    expect(audit.missingOnce(new Gaps())).toBeDefined();
  });

  it('drops of pins that were not taken: of a page beyond the most, and of more drops than are kept', () => {
    const deed = (t: number): Deed => ({t, cpu: 0, task: 0, context: 0, input: 0, line: t, text: '', stack: -1});
    const page = (row: number) => ({row, generation: 1});
    const excess = new Excess();
    for (let row = 0; row < EXCESS_PAGES_MAX; row++) excess.add(row, 1, deed(row + 1));
    expect(excess.beside(page(EXCESS_PAGES_MAX), deed(1))).toBeUndefined();
    excess.add(EXCESS_PAGES_MAX, 1, deed(7_000_000));
    expect(excess.beside(page(EXCESS_PAGES_MAX), deed(1))).toBeDefined();
    expect(excess.takenAfter(page(EXCESS_PAGES_MAX), 7_000_000)).toBeDefined();
    expect(excess.takenAfter(page(3), 4)).toBeUndefined();
    for (let i = 0; i < 20; i++) excess.add(3, 1, deed(8_000_000 + i));
    expect(excess.takenAfter(page(3), 4)).toBeDefined();
    expect(excess.takenAfter(page(3), 8_000_019)).toBeUndefined();
  });
});
