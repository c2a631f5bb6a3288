/** What a grab took, where its flags, its answer or a change behind it says less than it seems to. */
import {describe, expect, it} from 'vitest';
import {toldOf} from './analyze-text.js';
import {SmallKernel} from './small-kernel.js';

const P = 0x5dac9;
const F = 0x4000;

describe('a release that says little', () => {
  const of = (kernel: string, k: SmallKernel): string => `# pinscope-record: kernel=${kernel}\n${k.text()}`;

  it.each(['6.12.1', '6.6.52', '6.11.4', '5.14.0-503.11.1.el9_5.x86_64'])(
    '%s: the slow path answers 0 for a grab that worked (stable and vendor kernels have it too)',
    async (release) => {
      const k = new SmallKernel({refs: false});
      k.announce('try_grab_folio_fast', 'try_grab_folio', 'gup_put_folio', 'folio_add_pin', 'unpin_user_page');
      k.anon(P);
      for (let i = 0; i < 3; i++) {
        k.pin(P, {slow: true, bare: true});
        k.unpin(P);
      }
      k.munmap(P);
      expect(await toldOf(of(release, k))).toEqual([]);
    },
  );

  it('a flag that grabs of an old numbering never have alone tells the new one (RHEL 9)', async () => {
    const registered = (release: string): string => {
      const k = new SmallKernel();
      k.file(P);
      k.pin(P, {longterm: true});
      k.map(P, 'FROM_DEVICE', '0000:00:03.0');
      k.wait(200);
      k.by({irq: true, task: '<idle>-0'}, () => k.unmap(P, 'FROM_DEVICE', '0000:00:03.0'));
      for (let i = 0; i < 8; i++) {
        k.wait(250_000);
        k.anon(0x200 + i);
      }
      return of(release, k);
    };
    const expected = await toldOf(registered('6.12.1'));
    expect(expected.filter((one) => one.startsWith('long-pin'))).toEqual([]);
    expect(await toldOf(registered('5.14.0-503.11.1.el9_5.x86_64'))).toEqual(expected);
  });
});

describe('a large folio', () => {
  /** A long-term pin of a folio that has to move: the fast path takes it, puts it back and fails; the slow path moves it. */
  function moved(returns: boolean): string {
    const k = new SmallKernel();
    k.announce('unpin_user_page', 'unpin_user_folio', 'gup_put_folio');
    k.anon(F, 9);
    k.line(`try_grab_folio_fast: (try_grab_folio_fast+0x0/0x270) page=${k.pointer(F)} refs=1 flags=0x80101`);
    k.ref('page_ref_mod_unless', F, 1);
    k.put(F);
    k.line('try_grab_folio_fast_ret: (gup_fast_fallback+0x769/0xe00 <- try_grab_folio_fast) folio=0x0');
    k.pin(F, {slow: true, longterm: true, bare: true});
    k.ref('page_ref_mod_unless', F, 1); // folio_isolate_lru()
    k.putPinned(F);
    k.put(F);
    k.put(F); // it was moved, and is free
    const text = k.text();
    return returns ? text : text.replace(/^.*try_grab_folio\w*_ret.*\n/gm, '');
  }

  it('is not freed pinned for sure after a grab that put back what it took, where returns are not probed', async () => {
    expect(await toldOf(moved(true))).toEqual([]);
    expect((await toldOf(moved(false))).filter((one) => one.includes(' sure '))).toEqual([]);
  });

  it('loses a pin of no page that was unmapped just before, where another I/O may have ended that is never mapped', async () => {
    const ended = (of: number): SmallKernel => {
      const k = new SmallKernel();
      const device = '0000:00:03.0';
      k.announce('unpin_user_page', 'unpin_user_folio', 'gup_put_folio', 'folio_add_pin');
      k.anon(F, 9);
      k.pin(F, {longterm: of === 9, sub: F + 3});
      if (of === 9) k.pin(F, {sub: F + 9}); // for a disk that maps nothing: virtio, loop
      k.map(F + 3, 'TO_DEVICE', device);
      k.map(F + 3, 'TO_DEVICE', device, 512);
      k.wait(200);
      k.by({irq: true, task: '<idle>-0'}, () => {
        k.unmap(F + 3, 'TO_DEVICE', device);
        k.putPinned(F);
      });
      k.wait(200);
      k.by({irq: true, task: '<idle>-0'}, () => k.unmap(F + 3, 'TO_DEVICE', device, 512));
      if (of === 9) k.putPinned(F);
      k.munmap(F);
      return k;
    };
    expect(await toldOf(ended(9).text())).toEqual([]);
    // a pin that is for one I/O is dropped with it, under the other mapping
    expect(await toldOf(ended(3).text())).toEqual([`unpin-while-dma error sure 0x${(F + 3).toString(16)}`]);
  });
});

it('a fast grab that fails stands for none of the slow path, which is not probed', async () => {
  // each registers a page that has to move: the fast grab fails, and what it moved to is pinned by the slow path
  const registered = async (longterm: boolean): Promise<string[]> => {
    const k = new SmallKernel({refs: false});
    const flags = longterm ? 0x101 : 0x1;
    const call = (from: number): void => {
      k.line(
        `pin_user_pages_fast: (pin_user_pages_fast+0x4/0x90) start=0x7f0040001000 nr=1 gup_flags=0x${flags.toString(16)}`,
      );
      k.line(
        `try_grab_folio_fast: (try_grab_folio_fast+0x4/0x90) page=${k.pointer(from)} refs=1 flags=0x${(0x80000 | flags).toString(16)}`,
      );
      k.line('pin_user_pages_fast_ret: (iov_iter_extract_pages+0x2e/0x70 <- pin_user_pages_fast) ret=1');
    };
    for (let i = 0; i < 12; i++) call(P + 100 + i);
    k.anon(P);
    call(P + 50); // moved to P
    k.pin(P); // direct I/O of the task from what it has registered
    k.map(P, 'FROM_DEVICE'); // the I/O of the registration
    k.unpin(P);
    k.unmap(P, 'FROM_DEVICE');
    const lines = k.text().split('\n');
    const told = await toldOf(lines.filter((line) => !/try_grab_folio:|try_grab_\w+_ret:/.test(line)).join('\n'));
    return told.filter((one) => one.startsWith('unpin-while-dma'));
  };
  expect(await registered(true)).toEqual(['unpin-while-dma error possible 0x5dac9']);
  expect(await registered(false)).toEqual(['unpin-while-dma error sure 0x5dac9']);
});
