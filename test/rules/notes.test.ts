/** dma-without-pin, longterm-pin-in-cma, long-pin. */
import {describe, expect, it} from 'vitest';
import {analyzeText, toldOf} from './analyze-text.js';
import {SmallKernel} from './small-kernel.js';

const P = 0x2fb0;

describe('dma-without-pin', () => {
  function mapped(version: '6.1' | '6.12', who: {task?: string} = {}, remote = false): SmallKernel {
    const k = new SmallKernel({version});
    k.anon(P);
    k.get(P, {remote});
    k.by(who, () => {
      k.map(P);
      k.unmap(P);
    });
    k.put(P);
    k.munmap(P);
    return k;
  }

  it('is a note where a task maps what it holds by get_user_pages only', async () => {
    const {findings} = await analyzeText(mapped('6.12').text());
    expect(findings.map((f) => [f.rule, f.severity, f.verdict])).toEqual([['dma-without-pin', 'note', 'sure']]);
    expect(findings[0]!.evidence.map((e) => e.role)).toEqual(['get', 'dma-map']);
  });

  it('is silent before 6.3, where direct I/O itself takes plain references', async () => {
    expect(await toldOf(mapped('6.1').text())).toEqual([]);
  });

  it('is silent when another task maps the page, or when the pages were those of another task (FOLL_REMOTE)', async () => {
    expect(await toldOf(mapped('6.12', {task: 'nfsd-60'}).text())).toEqual([]);
    expect(await toldOf(mapped('6.12', {}, true).text())).toEqual([]);
  });

  it('is silent when a pin holds the page as well', async () => {
    const k = new SmallKernel();
    k.anon(P);
    k.get(P);
    k.pin(P);
    k.map(P);
    k.unmap(P);
    k.unpin(P);
    k.put(P);
    k.munmap(P);
    expect(await toldOf(k.text())).toEqual([]);
  });

  it('is only possible when events were lost between get and map', async () => {
    const k = new SmallKernel();
    k.anon(P);
    k.get(P);
    k.lose(0, 12);
    k.map(P);
    k.unmap(P);
    k.put(P);
    k.munmap(P);
    expect(await toldOf(k.text())).toEqual(['dma-without-pin note possible 0x2fb0']);
  });
});

describe('a get that is held at the end of the trace', () => {
  /** Got as others are, and put or not; somebody else has the page meanwhile. */
  async function held(order: number, put: boolean): Promise<string[]> {
    const k = new SmallKernel();
    k.anon(P, order);
    k.by({task: 'cat-400', cpu: 1}, () => k.ref('page_ref_mod_unless', P, 1));
    k.get(P);
    if (put) k.put(P);
    k.idle();
    k.wait(200);
    k.by({task: 'bash-77', cpu: 1}, () => k.anon(0x900));
    return (await analyzeText(k.text())).findings.map(({rule, severity, verdict}) => `${rule} ${severity} ${verdict}`);
  }

  it('is for sure as long as nothing was put of its page: a put names no reference', async () => {
    expect(await held(0, false)).toEqual(['get-leak note sure']);
    expect(await held(0, true)).toEqual(['get-leak note possible']);
    expect(await held(4, true)).toEqual(['get-leak note possible']);
  });
});

describe('longterm-pin-in-cma', () => {
  /** mt of the page's block, and an isolated block elsewhere, which only kernels with CMA number 5 */
  function pinnedIn(mt: number, {cma = true, longterm = true, lossy = false} = {}): SmallKernel {
    const k = new SmallKernel();
    if (cma) k.by({task: 'bash-77', cpu: 1}, () => k.anon(0x900, 0, 5));
    k.anon(P, 0, mt);
    const flags = longterm ? 0x101 : 0x1;
    k.line(
      `pin_user_pages_fast: (pin_user_pages_fast+0x4/0x60) start=0x7f6bcd7fc000 nr=1 gup_flags=0x${flags.toString(16)} ` +
        'pages=0xffff888005834000',
    );
    k.pin(P, {longterm, bare: true});
    if (lossy) k.lose(0, 12);
    k.line('pin_user_pages_fast_ret: (ib_umem_get+0x1b0/0x3d0 [ib_uverbs] <- pin_user_pages_fast) ret=1');
    k.wait(1000);
    k.unpin(P);
    k.munmap(P);
    return k;
  }

  it('tells of a long-term pin that the call left in a CMA block', async () => {
    const {findings} = await analyzeText(pinnedIn(4).text());
    expect(findings.map((f) => [f.rule, f.severity, f.verdict])).toEqual([['longterm-pin-in-cma', 'warning', 'sure']]);
    expect(findings[0]!.evidence.map((e) => e.role)).toEqual(['pin', 'return']);
  });

  it('is only possible when nothing shows that the kernel has CMA (4 is "isolate" without it), or events were lost', async () => {
    expect(await toldOf(pinnedIn(4, {cma: false}).text())).toEqual(['longterm-pin-in-cma warning possible 0x2fb0']);
    expect(await toldOf(pinnedIn(4, {lossy: true}).text())).toEqual(['longterm-pin-in-cma warning possible 0x2fb0']);
  });

  it('is silent about movable blocks, and about pins that are not long-term', async () => {
    expect(await toldOf(pinnedIn(1).text())).toEqual([]);
    expect(await toldOf(pinnedIn(4, {longterm: false}).text())).toEqual([]);
  });

  it('is silent about a pin that the call takes back to migrate the page out of the block', async () => {
    const k = new SmallKernel();
    k.by({task: 'bash-77', cpu: 1}, () => k.anon(0x900, 0, 5));
    k.anon(P, 0, 4);
    k.line(
      'pin_user_pages_fast: (pin_user_pages_fast+0x4/0x60) start=0x7f6bcd7fc000 nr=1 gup_flags=0x101 pages=0xffff888005834000',
    );
    k.pin(P, {longterm: true, bare: true});
    k.putPinned(P); // check_and_migrate_movable_pages()
    k.anon(P + 1);
    k.pin(P + 1, {longterm: true, bare: true, slow: true});
    k.line('pin_user_pages_fast_ret: (ib_umem_get+0x1b0/0x3d0 [ib_uverbs] <- pin_user_pages_fast) ret=1');
    k.unpin(P + 1);
    k.munmap(P + 1);
    k.munmap(P);
    expect(await toldOf(k.text())).toEqual([]);
  });

  it('is silent about a call that failed', async () => {
    const k = new SmallKernel();
    k.by({task: 'bash-77', cpu: 1}, () => k.anon(0x900, 0, 5));
    k.anon(P, 0, 4);
    k.line(
      'pin_user_pages_fast: (pin_user_pages_fast+0x4/0x60) start=0x7f6bcd7fc000 nr=1 gup_flags=0x101 pages=0xffff888005834000',
    );
    k.pin(P, {longterm: true, bare: true});
    k.putPinned(P);
    k.line('pin_user_pages_fast_ret: (ib_umem_get+0x1b0/0x3d0 [ib_uverbs] <- pin_user_pages_fast) ret=-12');
    k.munmap(P);
    expect(await toldOf(k.text())).toEqual([]);
  });
});

describe('long-pin', () => {
  const held = (ms: number, longterm = false, lossy = false): string => {
    const k = new SmallKernel();
    k.anon(P);
    k.pin(P, {longterm});
    k.wait(ms * 500);
    if (lossy) k.lose(0, 12);
    k.wait(ms * 500);
    k.unpin(P);
    k.munmap(P);
    return k.text();
  };

  it('is a note about a pin held longer than --long-pin, 1 s by default', async () => {
    const {findings} = await analyzeText(held(1500));
    expect(findings.map((f) => [f.rule, f.severity, f.verdict])).toEqual([['long-pin', 'note', 'sure']]);
    expect(findings[0]!.message).toMatch(/pinned by wl\/309 for 1\.5\d* s/);
    expect(await toldOf(held(900))).toEqual([]);
    expect(await toldOf(held(900), {longPin_ns: 5e8})).toEqual(['long-pin note sure 0x2fb0']);
  });

  it('is silent about FOLL_LONGTERM: io_uring, RDMA and VFIO hold for as long as they live', async () => {
    expect(await toldOf(held(60_000, true))).toEqual([]);
  });

  it('is only possible when events were lost meanwhile: it may be two pins', async () => {
    expect(await toldOf(held(1500, false, true))).toEqual(['long-pin note possible 0x2fb0']);
  });

  it('is only possible when no flags were traced', async () => {
    const k = new SmallKernel({probes: false});
    k.anon(P);
    k.pin(P);
    k.wait(2_000_000);
    k.unpin(P);
    k.munmap(P);
    expect(await toldOf(k.text())).toEqual(['long-pin note possible 0x2fb0']);
  });

  it('is told of pins still held at the end, beside the note that they are', async () => {
    const k = new SmallKernel();
    k.anon(P);
    k.pin(P);
    k.idle();
    k.wait(2_000_000);
    k.by({task: 'bash-77', cpu: 1}, () => k.anon(0x900));
    expect((await toldOf(k.text())).toSorted()).toEqual(['long-pin note sure 0x2fb0', 'pin-leak note sure 0x2fb0']);
  });

  it('does not run on clocks that count: they tell no durations', async () => {
    const ticks = held(1500).replaceAll(/ 1(\d)\.(\d{6}): /g, '1$1$2: ');
    const report = await analyzeText(ticks);
    expect(report.clock.unit).toBe('ticks');
    expect(report.findings).toEqual([]);
    expect(report.rules.find((r) => r.id === 'long-pin')).toMatchObject({status: 'not-run'});
  });
});

/** A page that is pinned for an I/O, and still is when that is over and its owner gone. `irq`: the I/O ends in an interrupt. */
function leaked(irq = false): string {
  const k = new SmallKernel();
  k.anon(P);
  k.pin(P);
  k.map(P, 'FROM_DEVICE');
  k.by(irq ? {task: '<idle>-0', irq} : {}, () => k.unmap(P, 'FROM_DEVICE'));
  k.munmap(P);
  k.wait(500_000);
  k.idle();
  return k.text();
}

it('is a leak that is only possible where an interrupt ended the I/O: its task may not have collected it', async () => {
  expect(await toldOf(leaked(true))).toContain('pin-leak error possible 0x2fb0');
});

describe('what is held at the end of a trace without times', () => {
  it('is a leak that is only possible: how long the trace goes on after its I/O is not known', async () => {
    expect(await toldOf(leaked())).toContain('pin-leak error sure 0x2fb0');
    const ticks = leaked().replaceAll(/ 1(\d)\.(\d{6}): /g, '1$1$2: ');
    expect(await toldOf(ticks)).toEqual(['pin-leak error possible 0x2fb0']);
  });

  it('is nothing where a line before its taking may be its drop: lines stand in whatever order', async () => {
    const [pin, unpin] = [
      'wl 309 try_grab_folio_fast pfn=0x2fb0 refs=1 flags=0x80001',
      'wl 309 gup_put_folio pfn=0x2fb0 refs=1 flags=0x80000',
    ];
    const told = async (...lines: string[]): Promise<string[]> => {
      const all = await toldOf(
        Array.from({length: 4}, () => [pin, unpin])
          .flat()
          .concat(lines)
          .join('\n'),
      );
      return all.filter((one) => one.startsWith('pin-leak'));
    };
    expect(await told(pin)).toEqual(['pin-leak note possible 0x2fb0']);
    expect(await told(unpin, pin)).toEqual([]);
  });
});

describe('a pin that is held at the end of the trace', () => {
  const held = async (k: SmallKernel, shows: (line: string) => boolean = () => true): Promise<string[]> =>
    (await toldOf(k.text().split('\n').filter(shows).join('\n'))).filter((one) => one.startsWith('pin-leak'));

  it('is for sure only where what interrupts do beside the tasks is recorded', async () => {
    const k = new SmallKernel();
    k.anon(P);
    k.pin(P);
    k.map(P, 'FROM_DEVICE');
    k.idle();
    expect(await held(k)).toEqual(['pin-leak note sure 0x2fb0']);
    // as `echo 309 77 >set_event_pid` records it: the completion, while nothing runs, leaves no event
    k.by({task: '<idle>-0', irq: true}, () => {
      k.unmap(P, 'FROM_DEVICE');
      k.unpin(P);
    });
    expect(await held(k, (line) => !line.includes('<idle>'))).toEqual(['pin-leak note possible 0x2fb0']);
  });

  it('is for sure of a long-term pin only where several tasks are recorded: another that has the ring drops it too', async () => {
    const k = new SmallKernel();
    k.anon(P);
    k.pin(P, {longterm: true});
    k.idle();
    expect(await held(k)).toEqual(['pin-leak note sure 0x2fb0']);
    // as `echo 309 0 >set_event_pid` records it
    expect(await held(k, (line) => !line.includes('bash'))).toEqual(['pin-leak note possible 0x2fb0']);
  });

  it('is for sure only where page_ref events of unpinned pages are recorded: the last unpin leaves such a one', async () => {
    const k = new SmallKernel({probes: false});
    k.anon(P);
    k.pin(P);
    k.pin(P);
    k.unpin(P);
    k.idle();
    expect(await held(k)).toEqual(['pin-leak note sure 0x2fb0']);
    k.unpin(P);
    // filter of page_ref/page_ref_mod_and_test: count>=1024
    const told = await held(k, (line) => !/page_ref.* count=\d{1,3} /.test(line));
    expect(told).toContain('pin-leak note possible 0x2fb0');
  });

  it('is told of whom, and of which page, only where no drop may have been of it', async () => {
    const of = async (order: number, ...pins: [task: string, sub: number][]): Promise<string> => {
      const k = new SmallKernel();
      k.file(P, {order});
      for (const [task, sub] of pins) k.by({task}, () => k.pin(P, order > 0 ? {sub} : {}));
      k.idle();
      k.by({task: '<idle>-0', irq: true}, () => k.putPinned(P));
      const [first] = await held(k);
      return first!.split(' ')[2]!;
    };
    expect(await of(0, ['fio-400', P], ['fio-400', P])).toBe('sure');
    expect(await of(0, ['fio-400', P], ['wl-309', P])).toBe('possible');
    expect(await of(4, ['fio-400', P + 3], ['fio-400', P + 5])).toBe('possible');
  });
});

describe('a pin that is held at the end of a recording of one process', () => {
  const of = (k: SmallKernel): string =>
    k.text().replace(/^# pinscope-record: vmemmap/m, '# pinscope-record: pid_filter=309\n$&');

  it('is nothing to tell of where its I/O ends in an interrupt, which such a recording has only by chance', async () => {
    const k = new SmallKernel({refs: false});
    k.anon(P);
    k.pin(P);
    k.map(P, 'FROM_DEVICE', '0000:00:03.0');
    k.wait(2_000_000);
    k.by({task: 'bash-77'}, () => k.anon(P + 2));
    const rules = (told: string[]): string[] => told.map((one) => one.split(' ')[0]!).sort();
    expect(rules(await toldOf(of(k)))).toEqual([]);
    expect(rules(await toldOf(k.text()))).toEqual(['long-pin', 'pin-leak']);
  });

  it('is a possible leak where its I/O was seen to end', async () => {
    const k = new SmallKernel({refs: false});
    k.anon(P);
    k.pin(P);
    k.map(P);
    k.unmap(P);
    expect((await toldOf(of(k))).filter((told) => told.startsWith('pin-leak'))).toEqual([
      'pin-leak note possible 0x2fb0',
    ]);
  });
});
