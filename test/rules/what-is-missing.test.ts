/** Events that a trace lacks make a finding possible only, whichever rule tells it. */
import {describe, expect, it} from 'vitest';
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
    const k = new SmallKernel();
    k.file(P);
    k.markDirty(P);
    k.writeOut(P, () => k.pin(P));
    k.unpin(P);
    expect(await toldOf(k.text())).toEqual(['writeback-while-pinned warning sure 0x5dac9']);
    expect(await toldOf(without(k.text(), 'folio_end_writeback'))).toEqual([
      'writeback-while-pinned warning possible 0x5dac9',
    ]);
  });

  it('gup_put_folio(), with no counts: the unpin may have left no event', async () => {
    const k = new SmallKernel({refs: false});
    k.file(P);
    k.markDirty(P);
    k.pin(P);
    k.writeOut(P);
    k.unpin(P);
    const lines = without(k.text(), 'gup_put_folio');
    expect(lines).not.toEqual(k.text());
    expect(await toldOf(lines)).toContain('writeback-while-pinned warning possible 0x5dac9');
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
});
