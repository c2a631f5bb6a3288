/** What a call of the GUP family proves about the pins that it takes or drops, and what it does not. */
import {expect, it} from 'vitest';
import {analyzeText, toldOf} from './analyze-text.js';
import {SmallKernel} from './small-kernel.js';

const P = 0x5dac9;

it('an unpin of many pages that names the first drops one pin of it, not all', async () => {
  const k = new SmallKernel({refs: false});
  k.anon(P);
  k.pin(P);
  k.pin(P);
  for (let i = 0; i < 2; i++) {
    k.line(
      `unpin_user_page_range_dirty_lock: (unpin_user_page_range_dirty_lock+0x0/0x90) page=${k.pointer(P)} npages=4 make_dirty=0`,
    );
    k.wait(30_000);
  }
  k.munmap(P);
  const text = k.text().split('\n');
  expect(await toldOf(text.filter((line) => !line.includes(' gup_put_folio: ')).join('\n'))).toEqual([]);
});

it('a call without a return may have pinned what its grabs do not show', async () => {
  const k = new SmallKernel({refs: false});
  k.anon(P);
  for (let i = 0; i < 10; i++) {
    k.pin(P);
    k.unpin(P);
  }
  const before = k.text(null);
  k.pin(P);
  const pinned = k.text(null).slice(before.length).split('\n');
  expect(pinned.length).toBe(5); // call, grab, the grab's return, the call's return, and the end
  k.pin(P);
  k.unpin(P);
  k.unpin(P);
  k.munmap(P);
  const rest = k.text().slice(before.length + pinned.join('\n').length);
  const whole = `${before}${pinned.join('\n')}${rest}`;
  expect(await toldOf(whole)).toEqual([]);
  // the first of the two lost its grab and its return
  expect(await toldOf(`${before}${pinned[0]}\n${rest}`)).toEqual(['unpin-without-pin error possible 0x5dac9']);
});

it('unpin_user_folio() that a program names by a PFN drops as many pins of the folio as it says', async () => {
  const k = new SmallKernel({refs: false});
  // the kernel shows gup_put_folio() elsewhere, and has it inlined here (6.18 and later)
  k.anon(0x4000, 2);
  for (let i = 0; i < 4; i++)
    k.line(
      `try_grab_folio_fast: (try_grab_folio_fast+0x0/0x10) pfn=0x${(0x4000 + i).toString(16)} refs=1 flags=0x80001`,
    );
  k.by({irq: true}, () => k.line('unpin_user_folio: (unpin_user_folio+0x4/0x80) pfn=0x4000 npages=4'));
  k.wait(2_000_000);
  k.line('mm_page_alloc: page=0000000000000000 pfn=0x5000 order=0 migratetype=1 gfp_flags=GFP_KERNEL');
  const after = await toldOf(k.text());
  expect(after).toEqual([]);
  const leaks = await toldOf(k.text().replace(/^.*unpin_user_folio.*\n/m, ''));
  expect(leaks.length).toBeGreaterThan(0);
});

it('takes a marking that follows unpin_user_page() for late, where its drop leaves no event (6.18 and later)', async () => {
  const k = new SmallKernel({refs: false});
  // a write() marks nothing on this file system, and a fault marks twice
  k.file(0x210);
  k.writeOut(0x210);
  k.file(0x200);
  k.markDirty(0x200);
  k.markDirty(0x200);
  k.file(0x300);
  k.markDirty(0x300);
  k.pin(0x300);
  k.map(0x300);
  k.by({task: 'flush-30', cpu: 1}, () => k.writeOut(0x300));
  k.unmap(0x300);
  k.wait(100);
  k.unpin(0x300);
  k.wait(30_000);
  k.markDirty(0x300);
  k.wait(2000);
  k.file(0x201);
  const once = k.text();
  k.markDirty(0x201);
  k.markDirty(0x201);
  const late = async (text: string): Promise<string[]> =>
    (await toldOf(inlined(text))).filter((t) => t.startsWith('dirty-after'));
  expect(await late(k.text())).toEqual(['dirty-after-unpin warning sure 0x300']);
  // ext4 marks once in a fault while it is nearly full: that it did twice before proves nothing of later
  expect(await late(once)).toEqual(['dirty-after-unpin warning possible 0x300']);
});

/** As where gup_put_folio() is inlined into unpin_user_page(). */
function inlined(text: string): string {
  return text
    .replaceAll(
      'unpin_user_pages: (unpin_user_pages+0x4/0xc0) npages=1 pages={',
      'unpin_user_page: (unpin_user_page+0x4/0xc0) page=',
    )
    .replaceAll(/(unpin_user_page: .*page=0x[0-9a-f]+),.*/g, '$1')
    .split('\n')
    .filter((line) => !line.includes(' gup_put_folio: '))
    .join('\n');
}

/** Reads into pages of a file that are written back meanwhile, each let go by one call with gup_put_folio() inlined, as from 6.18 on. */
function letGoBy(call: string, marks: boolean): string {
  const k = new SmallKernel({refs: false});
  for (let i = 0; i < 3; i++) {
    const page = P + i;
    k.file(page);
    k.pin(page);
    k.map(page, 'FROM_DEVICE');
    k.writeOut(page);
    k.unmap(page, 'FROM_DEVICE');
    k.line(`${call}: (${call}+0x0/0x148) npages=1${marks ? ' make_dirty=1' : ''} pages={${k.pointer(page)}}`);
    k.wait(140);
    k.markDirty(page);
    k.wait(10);
    k.anon(0x900 + i); // what the task does next: no event of the drop came
    k.wait(50_000);
    k.by({task: 'bash-77', cpu: 1}, () => k.anon(0x700 + i));
  }
  const lines = k.text().split('\n');
  return lines.filter((line) => !line.includes(' gup_put_folio: ')).join('\n');
}

it('a call that marks its pages dirty does so before it drops them, whatever the time of the call is', async () => {
  expect(await toldOf(letGoBy('unpin_user_pages_dirty_lock', true))).not.toContainEqual(
    expect.stringContaining('dirty-after-unpin'),
  );
  expect(await toldOf(letGoBy('unpin_user_pages', false))).toContainEqual(expect.stringMatching(/^dirty-after-unpin/));
});

it('an unpin of a page that was pinned and got in its life proves nothing where a put leaves no event', async () => {
  const life = (pinned: boolean): string => {
    const k = new SmallKernel({refs: false});
    k.anon(P);
    if (pinned) k.pin(P);
    k.get(P);
    if (pinned) k.unpin(P);
    k.unpin(P);
    k.munmap(P);
    return k.text();
  };
  expect(await toldOf(life(false))).toContainEqual(expect.stringMatching(/^unpin-without-pin error sure/));
  expect(await toldOf(life(true))).toContainEqual(expect.stringMatching(/^unpin-without-pin error possible/));
});

it('a grab that is put back at once is no drop of the call before, where that one leaves no other event (6.18 and later)', async () => {
  const k = new SmallKernel({refs: false});
  const folio = 0x4000;
  const inlined = (): void =>
    k.line(`unpin_user_folio: (unpin_user_folio+0x4/0x80) folio=${k.pointer(folio)} npages=1`);
  k.anon(folio, 2);
  k.anon(P);
  for (let i = 0; i < 3; i++) {
    // of the folio that the task has just unpinned, and of another page
    for (const page of [folio, P]) {
      k.pin(folio, {slow: true});
      inlined();
      k.line(`pin_user_pages_fast: (pin_user_pages_fast+0x4/0x60) start=0x7f771c659000 nr=1 gup_flags=0x1`);
      k.line(`try_grab_folio_fast: (try_grab_folio_fast+0x0/0x270) page=${k.pointer(page)} refs=1 flags=0x80001`);
      k.line(
        `try_grab_folio_fast_ret: (gup_fast_fallback+0x769/0xe00 <- try_grab_folio_fast) folio=${k.pointer(page)}`,
      );
      k.line(`gup_put_folio: (gup_put_folio+0x0/0xa0) folio=${k.pointer(page)} refs=1 flags=0x80001`);
      k.line('pin_user_pages_fast_ret: (iov_iter_extract_pages+0xff/0xb00 <- pin_user_pages_fast) ret=0');
    }
  }
  k.wait(2_000_000);
  k.munmap(P);
  expect(await toldOf(k.text())).toEqual([]);
});

/** process_vm_readv() of one page on 7.3, as a program of bpftrace prints it: of a list it prints the first page. */
function readsOfOthers(times: number, more: readonly string[] = []): string {
  const events = [
    'pin_user_pages_remote start=0x7f3e83cac000 nr=1 flags=0x0',
    'try_grab_folio pfn=0x86e7 refs=1 flags=0x2d0000',
    'pin_user_pages_remote_ret ret=1',
    'unpin_user_pages_dirty_lock npages=1 dirty=0 first_pfn=0x86e7',
    'unpin_user_pages npages=1 first_pfn=0x86e7',
    'gup_put_folio pfn=0x86e7 refs=1 flags=0x80000',
  ];
  const all = ['mm_page_alloc pfn=0x86e7 order=0', ...Array.from({length: times}, () => events).flat(), ...more];
  const lines = all.map((event, i) => `${139_638_000_000 + i * 9000} cpu=0 pid=550 tid=552 comm=work ${event}`);
  const probed = ['try_grab_folio', 'try_grab_folio_fast'].map((fn) => `probe=p:bpftrace/${fn} ${fn}`);
  const facts = ['tool=bpftrace', 'kernel=7.3.4', ...probed].map((fact) => `# pinscope-record: ${fact}`);
  return [...facts, ...lines, ''].join('\n');
}

it('calls that unpin a list by another call drop its pages once, where the first page alone is printed', async () => {
  expect(await toldOf(readsOfOthers(6))).toEqual([]);
  const again = 'gup_put_folio pfn=0x86e7 refs=1 flags=0x80000';
  expect(await toldOf(readsOfOthers(6, [again]))).toEqual(['unpin-without-pin error sure 0x86e7']);
});

it('a look-up of pages that takes nothing (MAP_POPULATE, mlock) leaves no doubt of what was pinned', async () => {
  const populate = 'try_grab_folio pfn=0x9000 refs=1 flags=0x210008';
  const again = 'gup_put_folio pfn=0x86e7 refs=1 flags=0x80000';
  expect(await toldOf(readsOfOthers(6, [populate, again]))).toEqual(['unpin-without-pin error sure 0x86e7']);
});

/** perf script prints no context: what an interrupt does stands under the task that it interrupts. */
function interruptedGrab(context: boolean): string {
  const k = new SmallKernel({refs: false, kmem: false});
  const inCall = (...deeds: string[]): void => {
    k.line('pin_user_pages_fast: (pin_user_pages_fast+0x4/0x60) start=0x7f771c659000 nr=2 gup_flags=0x1');
    for (const deed of deeds) k.by({irq: deed.startsWith('!')}, () => k.line(deed.replace('!', '')));
    k.line('pin_user_pages_fast_ret: (iov_iter_extract_pages+0xff/0xb00 <- pin_user_pages_fast) ret=2');
  };
  const grab = (pfn: number): string[] => [
    `try_grab_folio: (try_grab_folio+0x4/0xc0) folio=${k.pointer(pfn)} refs=1 flags=0x290401`,
    'try_grab_folio_ret: (follow_page_pte+0xe6/0x490 <- try_grab_folio) ret=0',
  ];
  const release = (pfn: number): string[] => [
    `!unpin_user_folio: (unpin_user_folio+0x4/0x80) folio=${k.pointer(pfn)} npages=1`,
    `!gup_put_folio: (gup_put_folio+0x0/0xa0) folio=${k.pointer(pfn)} refs=1 flags=0x80000`,
  ];
  const [first, last] = [P, P + 1].map(grab);
  const more = [P + 8, P + 9].map(grab).flat();
  inCall(...first!, ...last!);
  // between two grabs, and between a grab and its return
  inCall(more[0]!, more[1]!, ...release(P), ...more.slice(2));
  inCall(first![0]!, ...release(P + 1), first![1]!, ...last!);
  for (const pfn of [P, P + 1, P + 8, P + 9])
    for (const deed of release(pfn)) k.by({irq: true}, () => k.line(deed.replace('!', '')));
  const text = k.text();
  return context ? text : text.replace(/ (?:d\.h1\.|\.{5}) /g, ' ');
}

it.each([true, false])('an interrupt within a call takes no grab back (context printed: %s)', async (context) => {
  const {findings, quality} = await analyzeText(interruptedGrab(context));
  expect(findings).toEqual([]);
  expect(quality.map(({id}) => id).filter((id) => id.startsWith('law-'))).toEqual([]);
});

it('a grab that is preempted returns after those of others, on whatever CPU (PREEMPT_RT)', async () => {
  const k = new SmallKernel({refs: false, kmem: false});
  const enter = (pfn: number): void =>
    k.line(`try_grab_folio: (try_grab_folio+0x4/0xc0) folio=${k.pointer(pfn)} refs=1 flags=0x290401`);
  const leave = (): void => k.line('try_grab_folio_ret: (follow_page_pte+0xe6/0x490 <- try_grab_folio) ret=0');
  const other = {task: 'other-400'};
  enter(P);
  leave();
  for (const cpu of [0, 1]) {
    enter(P);
    k.wait(27_000);
    k.by(other, () => {
      enter(P + 1);
      leave();
    });
    k.by({cpu}, leave);
  }
  const {quality} = await analyzeText(k.text());
  expect(quality.map(({id}) => id).filter((id) => id.startsWith('law-'))).toEqual([]);
});

it('what is unpinned in the release of a bio ends an I/O, whose pin may be missing, under whatever task it is printed', async () => {
  const drop = ['unpin_user_folio pfn=0x86e7 npages=1', 'gup_put_folio pfn=0x86e7 refs=1 flags=0x80000'];
  const release = 'bio_release_pages bio=0xff38c982418d5600 dirty=0';
  expect(await toldOf(readsOfOthers(6, drop))).toEqual(['unpin-without-pin error sure 0x86e7']);
  expect(await toldOf(readsOfOthers(6, [release, ...drop]))).toEqual(['unpin-without-pin error possible 0x86e7']);
});
