/** What call stacks prove, and what they do not although they name a function that pins, unpins or marks. */
import {describe, expect, it} from 'vitest';
import {analyzeText, toldOf} from './analyze-text.js';
import {SmallKernel, type Version} from './small-kernel.js';

const P = 0x5dac9;
const H = 0x4000;
const SYSCALL = ['ib_uverbs_ioctl', '__x64_sys_ioctl', 'do_syscall_64', 'entry_SYSCALL_64_after_hwframe'];
const FAST = ['try_get_folio', 'try_grab_folio_fast', 'gup_fast_fallback', 'pin_user_pages_fast'];

/** A change of a large folio's count, with its stack. */
function change(k: SmallKernel, event: string, val: number, ...frames: string[]): void {
  k.ref(event, H, val);
  k.stack('trace_event_raw_event_page_ref_mod_template', `__${event}`, ...frames, ...SYSCALL);
}

/** Large folios of a trace with stacks, in which these functions are not probed. */
async function told(without: RegExp, make: (k: SmallKernel) => void, version: Version = '6.12'): Promise<string[]> {
  const k = new SmallKernel({version});
  make(k);
  k.wait(200_000);
  k.by({task: 'bash-77', cpu: 1}, () => k.anon(0x900));
  const lines = k.text().split('\n');
  return await toldOf(lines.filter((line) => !without.test(line)).join('\n'));
}

describe('a pin that a stack names', () => {
  const GRABS = / try_grab_/;

  it('is one where the walk of the page tables took it', async () => {
    const pinned = (k: SmallKernel): void => {
      k.anon(H, 4);
      change(k, 'page_ref_mod_unless', 1, ...FAST);
      k.put(H);
      k.munmap(H);
    };
    expect(await told(GRABS, pinned)).toContain('put-on-pin error sure 0x4000/4');
  });

  it.each([
    ['a page fault within the call', 'folio_add_lru', 'do_anonymous_page', 'handle_mm_fault', '__get_user_pages'],
    ['a migration within the call', 'folio_isolate_lru', '__gup_longterm_locked'],
    ['the look-up of folios before they are pinned', 'filemap_get_folios_contig', 'memfd_pin_folios'],
    ['an interrupt that came within the call', 'skb_splice_from_iter', 'asm_common_interrupt', '__get_user_pages'],
  ])('is none where %s took the reference', async (_, ...frames) => {
    const plain = (k: SmallKernel): void => {
      k.anon(H, 4);
      change(k, 'page_ref_mod', 1, ...frames, 'gup_fast_fallback', 'pin_user_pages_fast');
      k.put(H);
      k.munmap(H);
    };
    expect(await told(GRABS, plain)).toEqual([]);
  });
});

describe('an unpin that a stack names', () => {
  const PUTS = / (?:gup_put_folio|unpin_user_\w+): /;
  /** Pinned for long, and its I/O runs; a read by plain references ends meanwhile. */
  const during =
    (...frames: string[]) =>
    (k: SmallKernel): void => {
      k.anon(H, 4);
      k.pin(H, {sub: H + 2, longterm: true});
      k.map(H + 2, 'FROM_DEVICE');
      k.ref('page_ref_mod_unless', H, 1);
      change(k, 'page_ref_mod_and_test', -1, ...frames);
      k.wait(100);
      k.unmap(H + 2, 'FROM_DEVICE');
      change(k, 'page_ref_mod_and_test', -1, 'gup_put_folio', 'unpin_user_pages');
      k.munmap(H);
    };

  it('is one where it drops a pin, alone or in a bio', async () => {
    const found = 'unpin-while-dma error sure 0x4002';
    expect(await told(PUTS, during('gup_put_folio', 'unpin_user_pages'), '6.1')).toContain(found);
    const bio = during('gup_put_folio', 'unpin_user_page', '__bio_release_pages');
    expect(await told(PUTS, bio)).toContain(found);
  });

  it('is none where a bio puts plain references, as up to 6.4, or an interrupt came within the call', async () => {
    expect(await told(PUTS, during('__bio_release_pages', 'blkdev_bio_end_io'), '6.1')).toEqual([]);
    const interrupt = ['skb_release_data', 'asm_common_interrupt', 'unpin_user_pages'];
    expect(await told(PUTS, during(...interrupt))).toEqual([]);
  });
});

describe('a marking whose stack', () => {
  /** Cleaned while pinned for a device, then marked by who unpins; somebody took the page in between. */
  async function marked(...frames: string[]): Promise<string[]> {
    const k = new SmallKernel();
    k.file(P);
    k.markDirty(P);
    k.pin(P);
    k.map(P, 'FROM_DEVICE');
    k.writeOut(P);
    k.unmap(P, 'FROM_DEVICE');
    k.wait(20_000);
    k.ref('page_ref_mod_unless', P, 1);
    k.markDirty(P);
    k.stack('kprobe_trace_func', ...frames);
    k.put(P);
    k.wait(200);
    k.unpin(P);
    const {findings} = await analyzeText(k.text());
    return findings.filter(({rule}) => rule.startsWith('dirty')).map(({rule, verdict}) => `${rule} ${verdict}`);
  }

  it('names what marks at an unpin is that', async () => {
    const frames = ['folio_mark_dirty', 'set_page_dirty_lock', '__ib_umem_release'];
    expect(await marked(...frames)).toEqual(['dirty-after-writeback sure']);
  });

  it.each([
    ['a write() of another file system', 'folio_mark_dirty', 'btrfs_dirty_folio', 'btrfs_buffered_write', 'vfs_write'],
    ['bare addresses', '0xffffffff81273765', '0xffffffff812894ef'],
  ])('names %s may be that', async (_, ...frames) => {
    expect(await marked(...frames)).toEqual(['dirty-after-writeback possible']);
  });

  it('names a read that begins is none', async () => {
    expect(await marked('folio_mark_dirty', 'set_page_dirty_lock', 'bio_set_pages_dirty')).toEqual([]);
  });
});
