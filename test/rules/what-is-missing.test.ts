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
});
