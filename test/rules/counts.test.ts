/** put-on-pin, unpin-without-pin, pin-leak, get-leak: what the counts prove. */
import {describe, expect, it} from 'vitest';
import {analyzeText, toldOf} from './analyze-text.js';
import {SmallKernel} from './small-kernel.js';

const P = 0x2fb0;
const THP = 0x600;

/** Something that happens later than any rule waits. */
function later(k: SmallKernel): void {
  k.wait(50_000);
  k.by({task: 'bash-77', cpu: 1}, () => k.anon(0x900));
}

describe('put-on-pin', () => {
  function put(lossy = false): SmallKernel {
    const k = new SmallKernel();
    k.anon(P);
    k.pin(P);
    if (lossy) {
      k.by({task: 'bash-77', cpu: 1}, () => {
        k.alloc(0x500);
        k.lose(1, 12);
        k.alloc(0x501);
      });
    }
    k.put(P);
    k.munmap(P);
    later(k);
    return k;
  }

  it('tells of the 1023 references that stay behind, and of no leak beside it', async () => {
    const {findings} = await analyzeText(put().text());
    expect(findings.map((f) => [f.rule, f.severity, f.verdict])).toEqual([['put-on-pin', 'error', 'sure']]);
    expect(findings[0]!.message).toContain('1023 of its 1024 references stay behind');
    expect(findings[0]!.evidence.map((e) => e.role).slice(0, 2)).toEqual(['pin', 'put']);
  });

  it('is sure by the count alone, whatever was lost since the pin', async () => {
    expect(await toldOf(put(true).text())).toEqual(['put-on-pin error sure 0x2fb0']);
  });

  it('is silent about puts of other references while the pin lives on', async () => {
    const k = new SmallKernel();
    k.anon(P);
    k.get(P);
    k.pin(P);
    k.put(P);
    k.unpin(P);
    k.munmap(P);
    expect(await toldOf(k.text())).toEqual([]);
  });

  it('is silent when the mapping goes first and the pin later', async () => {
    const k = new SmallKernel();
    k.anon(P);
    k.pin(P);
    k.munmap(P);
    k.unpin(P);
    expect(await toldOf(k.text())).toEqual([]);
  });

  it('is silent about the references of the LRU and of mlock batches', async () => {
    const k = new SmallKernel();
    k.anon(P);
    k.pin(P);
    k.ref('page_ref_mod', P, 1); // folio_add_lru(), mlock_folio(): held by a batch of the CPU
    k.by({task: 'kworker/1:1-29', cpu: 1}, () => k.put(P)); // lru_add_drain_per_cpu()
    k.unpin(P);
    k.munmap(P);
    expect(await toldOf(k.text())).toEqual([]);
  });

  it('takes no put for one of a batch that the task has left behind', async () => {
    const k = new SmallKernel();
    k.anon(P);
    // the pages that this one names were put before the trace knew them
    k.line(`folios_put_refs: (folios_put_refs+0x4/0x1a0) nr=4 f={${k.pointer(0x500)},0x0,0x0,0x0}`);
    k.pin(P);
    k.put(P);
    const at = k.text(null).split('\n').length - 1;
    k.munmap(P);
    later(k);
    const {findings} = await analyzeText(k.text());
    expect(findings.map((f) => f.rule)).toEqual(['put-on-pin']);
    expect(findings[0]!.evidence.find((e) => e.role === 'put')?.line).toBe(at);
  });

  it('is not run without page_ref events: put_page() leaves no other', async () => {
    const k = new SmallKernel({refs: false});
    k.anon(P);
    k.pin(P);
    k.unpin(P);
    const {rules} = await analyzeText(k.text());
    expect(rules.find((r) => r.id === 'put-on-pin')).toMatchObject({status: 'not-run'});
  });
});

describe('unpin-without-pin', () => {
  it('tells of the second unpin of one pin', async () => {
    const k = new SmallKernel();
    k.anon(P);
    k.pin(P);
    k.unpin(P);
    k.unpin(P);
    const {findings} = await analyzeText(k.text());
    expect(findings.map((f) => [f.rule, f.severity, f.verdict])).toEqual([['unpin-without-pin', 'error', 'sure']]);
    expect(findings[0]!.message).toContain('its count fell to -1023');
  });

  it('tells of an unpin of a plain reference, and not of a leak of it', async () => {
    const k = new SmallKernel();
    k.anon(P);
    k.get(P);
    k.unpin(P);
    later(k);
    const {findings} = await analyzeText(k.text());
    expect(findings.map((f) => [f.rule, f.verdict])).toEqual([['unpin-without-pin', 'sure']]);
    expect(findings[0]!.message).toContain('although it held a plain get_user_pages reference');
  });

  it('takes a fast grab of neither kind for one whose flags were cut off', async () => {
    const k = new SmallKernel({refs: false});
    k.anon(P);
    k.pin(P);
    k.get(P);
    k.unpin(P);
    const cut = (text: string): string => text.replaceAll(/(?<=try_grab_folio_fast: .* flags=0x8)\d+$/gm, '');
    expect(cut(k.text())).not.toBe(k.text());
    expect(await toldOf(k.text())).toEqual([]);
    expect(await toldOf(cut(k.text()))).toContain('unpin-without-pin error possible 0x2fb0');
  });

  it('is sure from probes alone where the whole life of the page is in the trace', async () => {
    const k = new SmallKernel({refs: false});
    k.anon(P);
    k.pin(P);
    k.unpin(P);
    k.unpin(P);
    expect(await toldOf(k.text())).toEqual(['unpin-without-pin error sure 0x2fb0']);
  });

  it('is only possible from probes alone in an interrupt, or when events were lost', async () => {
    for (const lossy of [false, true]) {
      const k = new SmallKernel({refs: false});
      k.anon(P);
      if (lossy) k.lose(0, 12);
      k.pin(P);
      k.unpin(P);
      k.by({irq: !lossy}, () => k.unpin(P));
      expect(await toldOf(k.text())).toEqual(['unpin-without-pin error possible 0x2fb0']);
    }
  });

  it('is only possible from probes alone in the thread of an interrupt, as PREEMPT_RT has it, which is no task with pins', async () => {
    const k = new SmallKernel({refs: false});
    k.anon(P);
    k.pin(P);
    k.unpin(P);
    k.by({task: 'irq/31-nvme0q1-123'}, () => k.unpin(P));
    const {findings} = await analyzeText(k.text());
    expect(findings.map((f) => [f.rule, f.verdict])).toEqual([['unpin-without-pin', 'possible']]);
    expect(findings[0]!.reason).toContain('the unpin ends an I/O');
    // the thread does it in its own name
    expect(findings[0]!.tasks).toContainEqual({role: 'unpin', comm: 'irq/31-nvme0q1', pid: 123});
  });

  it('is silent about unpins of pins from before the trace', async () => {
    const k = new SmallKernel();
    k.anon(P);
    k.pin(P);
    k.pin(P);
    const lines = k.text().split('\n');
    const before = lines.length;
    k.unpin(P);
    k.unpin(P);
    k.munmap(P);
    // what the trace holds of the page begins with the unpins
    const late = k.text().split('\n');
    const text = [...lines.filter((line) => !line.includes('wl-309')), ...late.slice(before - 1)].join('\n');
    expect(text).toContain('count=1025');
    expect(await toldOf(text)).toEqual([]);
  });

  it('is silent about a fast pin that failed and was undone', async () => {
    const k = new SmallKernel();
    k.anon(P);
    // gup_fast_pte_range(): the PTE changed, so the grab is undone right away
    k.line(`try_grab_folio_fast: (try_grab_folio_fast+0x0/0x150) page=${k.pointer(P)} refs=1 flags=0x80001`);
    k.ref('page_ref_mod_unless', P, 1);
    k.ref('page_ref_mod', P, 1023);
    k.line(`try_grab_folio_fast_ret: (gup_fast_fallback+0x7d8/0xda0 <- try_grab_folio_fast) folio=${k.pointer(P)}`);
    k.putPinned(P);
    k.munmap(P);
    expect(await toldOf(k.text())).toEqual([]);
  });

  it('is silent about a grab that failed: nothing was taken, nothing is dropped', async () => {
    for (const refs of [true, false]) {
      const k = new SmallKernel({refs});
      k.anon(P);
      k.line(`try_grab_folio_fast: (try_grab_folio_fast+0x0/0x150) page=${k.pointer(P)} refs=1 flags=0x80001`);
      k.ref('page_ref_mod_unless', P, 1, false);
      k.line('try_grab_folio_fast_ret: (gup_fast_fallback+0x7d8/0xda0 <- try_grab_folio_fast) folio=0x0');
      k.munmap(P);
      later(k);
      expect(await toldOf(k.text())).toEqual([]);
    }
  });

  it('counts no pin for a grab that failed, with either kind of event', async () => {
    const probed = new SmallKernel({refs: false});
    probed.anon(P);
    probed.line(`try_grab_folio_fast: (try_grab_folio_fast+0x0/0x150) page=${probed.pointer(P)} refs=1 flags=0x80001`);
    probed.line('try_grab_folio_fast_ret: (gup_fast_fallback+0x7d8/0xda0 <- try_grab_folio_fast) folio=0x0');
    const counted = new SmallKernel({version: '5.7', probes: false});
    counted.anon(P);
    counted.ref('page_ref_mod_unless', P, 1024, false);
    for (const k of [probed, counted]) {
      later(k);
      expect(await toldOf(k.text())).toEqual([]);
    }
  });

  it('is silent about the zero page: since 6.5 its pins change no count', async () => {
    const k = new SmallKernel();
    for (let i = 0; i < 3; i++) {
      k.line(`try_grab_folio_fast: (try_grab_folio_fast+0x0/0x150) page=${k.pointer(0x2a)} refs=1 flags=0x80000`);
      k.line(
        `try_grab_folio_fast_ret: (gup_fast_fallback+0x7d8/0xda0 <- try_grab_folio_fast) folio=${k.pointer(0x2a)}`,
      );
    }
    k.anon(P);
    k.pin(P);
    for (let i = 0; i < 3; i++)
      k.line(`gup_put_folio: (gup_put_folio+0x0/0x90) folio=${k.pointer(0x2a)} refs=1 flags=0x80000`);
    k.unpin(P);
    k.munmap(P);
    later(k);
    expect(await toldOf(k.text())).toEqual([]);
  });

  it('does not take a value filter, which hides the halves of fast pins, for unpins without pins', async () => {
    const k = new SmallKernel({probes: false});
    for (let i = 0; i < 3; i++) {
      k.anon(P + i);
      k.pin(P + i);
      k.unpin(P + i);
      k.munmap(P + i);
    }
    // echo 'val>=1024 || val<=-1024' > events/page_ref/filter
    const text = k
      .text()
      .split('\n')
      .filter((line) => !/ val=/.test(line) || Math.abs(Number(/ val=(-?\d+)/.exec(line)![1])) >= 1024)
      .join('\n');
    expect(text).toContain('val=-1024');
    expect(text).not.toContain('val=1023');
    expect(await toldOf(text)).toEqual([]);
  });

  it('takes events of two CPUs that are written in the other order for what they are', async () => {
    const k = new SmallKernel();
    k.anon(P);
    k.pin(P);
    const unordered = k.text().split('\n');
    k.by({task: 'other-400', cpu: 1}, () => k.pin(P, {slow: true, bare: true}));
    k.unpin(P);
    k.unpin(P);
    k.munmap(P);
    const text = k.text().split('\n');
    // the other CPU's +1024 is in the count that this unpin prints, and its own event comes after
    const at = text.findIndex((line, i) => i >= unordered.length - 1 && line.includes('val=1024'));
    const unpin = text.findIndex((line) => line.includes('val=-1024'));
    const moved = text.splice(at, 1)[0]!;
    text.splice(
      unpin,
      0,
      moved.replace(/10\.\d+:/, () => /10\.\d+:/.exec(text[unpin - 1]!)![0]),
    );
    expect(await toldOf(text.join('\n'))).toEqual([]);
  });
});

describe('pin-leak', () => {
  it('tells of a pin that is left when the last mapping goes', async () => {
    const k = new SmallKernel();
    k.anon(P);
    k.pin(P);
    k.map(P);
    k.unmap(P);
    k.munmap(P);
    later(k);
    const {findings} = await analyzeText(k.text());
    expect(findings.map((f) => [f.rule, f.severity, f.verdict])).toEqual([['pin-leak', 'error', 'sure']]);
    expect(findings[0]!.evidence.map((e) => e.role)).toEqual(['pin', 'end-of-owner']);
  });

  it('is only possible where no mapping tells that its I/O is over', async () => {
    const k = new SmallKernel();
    k.anon(P);
    k.pin(P);
    k.munmap(P);
    later(k);
    expect(await toldOf(k.text())).toEqual(['pin-leak error possible 0x2fb0']);
  });

  it('is a note while the device still has it mapped', async () => {
    const k = new SmallKernel();
    k.anon(P);
    k.pin(P);
    k.map(P);
    k.munmap(P);
    later(k);
    expect(await toldOf(k.text())).toEqual(['pin-leak note possible 0x2fb0']);
  });

  it.each([
    ['the owner lives on', {}, (k: SmallKernel) => k.pin(P)],
    [
      'it is long-term and outlives the mapping by design (io_uring, RDMA, VFIO)',
      {},
      (k: SmallKernel) => {
        k.pin(P, {longterm: true});
        k.munmap(P);
      },
    ],
    [
      'the trace ends right after the mapping went: the drop may come',
      {},
      (k: SmallKernel) => {
        k.wait(50_000);
        k.pin(P);
        k.munmap(P);
      },
    ],
  ] as const)('is a note when %s', async (_, __, deeds) => {
    const k = new SmallKernel();
    k.anon(P);
    const ends = _.startsWith('the trace ends');
    deeds(k);
    if (!ends) later(k);
    const lines = await toldOf(k.text());
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^pin-leak note (sure|possible) 0x2fb0$/);
  });

  it('is a note with probes alone: a put or a missed probe leaves no mark there', async () => {
    const k = new SmallKernel({refs: false});
    k.anon(P);
    k.pin(P);
    k.munmap(P);
    later(k);
    expect(await toldOf(k.text())).toEqual(['pin-leak note possible 0x2fb0']);
  });

  it('is only possible when events were lost since the pin', async () => {
    const k = new SmallKernel();
    k.anon(P);
    k.pin(P);
    k.munmap(P);
    k.by({task: 'bash-77', cpu: 1}, () => {
      k.alloc(0x500);
      k.lose(1, 12);
      k.alloc(0x501);
    });
    later(k);
    expect(await toldOf(k.text())).toEqual(['pin-leak error possible 0x2fb0']);
  });

  it('tells of a huge page left pinned', async () => {
    const k = new SmallKernel();
    k.anon(THP, 9);
    k.pin(THP, {n: 4, sub: THP + 8});
    k.map(THP + 8);
    k.unmap(THP + 8);
    k.munmap(THP);
    later(k);
    expect(await toldOf(k.text())).toEqual(['pin-leak error sure 0x608,0x609,0x60a,0x60b']);
  });

  it('is only possible where a drop may have been of another pin of the folio, of which one is long-term', async () => {
    const k = new SmallKernel();
    k.anon(THP, 9);
    k.by({task: 'uring-500', cpu: 1}, () => k.pin(THP, {slow: true, longterm: true}));
    k.pin(THP, {slow: true});
    k.map(THP);
    k.unmap(THP);
    k.by({irq: true}, () => k.putPinned(THP));
    k.munmap(THP);
    later(k);
    const leaks = (await toldOf(k.text())).filter((line) => line.startsWith('pin-leak error'));
    expect(leaks.filter((line) => line.includes('sure'))).toEqual([]);
  });

  it('is silent about a deferred unpin by a worker', async () => {
    const k = new SmallKernel();
    k.anon(P);
    k.pin(P);
    k.map(P, 'FROM_DEVICE');
    k.by({irq: true}, () => k.unmap(P, 'FROM_DEVICE'));
    k.munmap(P);
    k.wait(30_000);
    k.by({task: 'kworker/1:1-29', cpu: 1}, () => k.unpin(P)); // bio_dirty_fn()
    later(k);
    expect(await toldOf(k.text())).toEqual([]);
  });
});

describe('get-leak', () => {
  it('tells of a plain reference that is left when the last mapping goes', async () => {
    const k = new SmallKernel();
    k.anon(P);
    k.get(P);
    k.munmap(P);
    later(k);
    // a pipe or a socket may carry it on (vmsplice, MSG_ZEROCOPY): no event tells
    expect(await toldOf(k.text())).toEqual(['get-leak warning possible 0x2fb0']);
  });

  it('is a note while the page is mapped', async () => {
    const k = new SmallKernel();
    k.anon(P);
    k.get(P);
    later(k);
    k.idle();
    expect(await toldOf(k.text())).toEqual(['get-leak note sure 0x2fb0']);
  });

  it('is only possible when events were lost since the get', async () => {
    const k = new SmallKernel();
    k.anon(P);
    k.get(P);
    k.munmap(P);
    k.by({task: 'bash-77', cpu: 1}, () => {
      k.alloc(0x500);
      k.lose(1, 12);
      k.alloc(0x501);
    });
    later(k);
    expect(await toldOf(k.text())).toEqual(['get-leak warning possible 0x2fb0']);
  });

  it('is silent when the put comes after the mapping went', async () => {
    const k = new SmallKernel();
    k.anon(P);
    k.get(P);
    k.munmap(P);
    k.put(P);
    later(k);
    expect(await toldOf(k.text())).toEqual([]);
  });
});
