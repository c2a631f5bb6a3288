/** Real and documented lines of trace-cmd report and perf script. */

import {describe, expect, it} from 'vitest';
import {detect} from '../../parsers/detect.js';
import type {LineForm} from '../../parsers/form.js';
import {ftrace} from '../../parsers/ftrace/index.js';
import {perfScript} from '../../parsers/perf-script/index.js';
import {traceCmd} from '../../parsers/trace-cmd/index.js';
import {DmaDir, PageFlag, PageName} from '../../src/events/event.js';
import {read, type Seen} from './collect.js';

function events(seen: Seen[]): Seen[] {
  return seen.filter((s) => s['kind']);
}

describe('trace-cmd report', () => {
  const line = (rest: string): string => `              wl-507   [000]    29.801468: ${rest}\n`;

  it.each([
    ['3.2, no flags', '              wl-507   [000]    29.801468: ', {comm: 'wl', pid: 507, cpu: 0, context: -1}],
    ['3.3 on, flags', '              wl-507   [000] d.h2.    29.801468: ', {pid: 507, context: 2}],
    ['3.3 on, -R', '              wl-507   [000]-0x9    29.801468: ', {comm: 'wl', pid: 507, cpu: 0, context: 2}],
    ['3.3 on, -R, in a task', '       trace-cmd-451   [000]-0x0    71.385827: ', {comm: 'trace-cmd', context: 0}],
    ['3.3 on, -R, in a softirq, resched', '              wl-507   [000]-0x34    29.801468: ', {context: 1}],
    ['3.3 on, -R -l', '      wl-507     0-0x2d    29.801468: ', {comm: 'wl', pid: 507, cpu: 0, context: 2}],
    ['-t', '              wl-507   [000]    29.801468123: ', {pid: 507}],
    ['-l', '      wl-507     0d.h2.    29.801468: ', {comm: 'wl', pid: 507, cpu: 0, context: 2}],
    ['--ts-diff', '              wl-507   [000]    29.801468: (+123)   ', {pid: 507}],
    ['several buffers', '   buffer1:               wl-507   [000]    29.801468: ', {comm: 'wl', pid: 507}],
    [
      'a buffer whose name ends as a task does',
      'pinscope-397:               wl-507   [000]    29.801468: ',
      {comm: 'wl', pid: 507},
    ],
    [
      'several files, the unnamed one',
      '                          wl-507   [000]    29.801468: ',
      {comm: 'wl', pid: 507},
    ],
  ])('columns: %s', (_name, columns, expected) => {
    const payload = 'gup_put_folio:        (ffffffffb9b7f290) folio=0xfffff011000b5040 refs=1 flags=0x80000';
    const {seen, reader} = read(traceCmd, `cpus=2\n${columns}${payload}\n`);
    expect(reader.counters.unrecognised).toBe(0);
    expect(events(seen)).toMatchObject([
      {kind: 'GupPut', ptrHi: 0xfffff011, ptrLo: 0xb5040, gupFlags: 0x80000, ...expected},
    ]);
  });

  it('reads stacks as they are printed without plugins', () => {
    const {seen, reader} = read(
      traceCmd,
      `cpus=2\n${line('__folio_put:          (ffffffffa1746224) folio=0xffcc8c4f001625c0')}` +
        `${line('kernel_stack:         \t=> __folio_put')}\t=> io_pages_unmap\n\t=> 0x0\n\t=> 0x0\n`,
    );
    expect(reader.counters.unrecognised).toBe(0);
    expect(seen.flatMap((entry) => entry['frame'] ?? [])).toEqual(['__folio_put', 'io_pages_unmap']);
  });

  it('does not take a computed page for a pointer', () => {
    const {seen} = read(
      traceCmd,
      line('mm_page_alloc:        page=0xffffffffbaddbb74 pfn=0x35dc order=1 migratetype=0 gfp_flags=GFP_KERNEL'),
    );
    expect(events(seen)).toMatchObject([
      {kind: 'PageAlloc', pfn: 0x35dc, order: 1, mt: 0, ptrHi: 0, pageName: PageName.pfn},
    ]);
  });

  it('takes the report -R of trace-cmd 3.3 for what it is', () => {
    const lines = Array.from(
      {length: 40},
      (_, i) =>
        `       trace-cmd-451   [000]-0x${i % 3 === 0 ? '2d' : '1'}    71.3858${10 + i}: mm_page_alloc:         pfn=0x588ab order=0 gfp_flags=0x140cca migratetype=1\n`,
    );
    const head = Buffer.from(`cpus=2\n${lines.join('')}`, 'latin1');
    expect(detect(head)).toMatchObject({outcome: 'read', form: {id: 'trace-cmd'}});
    const {seen, reader} = read(traceCmd, head.toString('latin1'));
    expect(reader.counters.unrecognised).toBe(0);
    expect(events(seen).map((s) => s['context'])).toEqual(lines.map((_, i) => (i % 3 === 0 ? 2 : 0)));
  });

  it('reads arrays that only -R has, and none from zeros', () => {
    const plain = read(
      traceCmd,
      line('unpin_user_pages:     (ffffffffb9b7f3d4) npages=2 pages={0x0,0x0,0x0,0x0}'),
    ).seen;
    expect(events(plain)).toMatchObject([{kind: 'UnpinCall', nr: 2, list: []}]);
    const bytes = '80, 63, 0b, 00, 11, f0, ff, ff, c0, 63, 0b, 00, 11, f0, ff, ff, 00, 00, 00, 00, 00, 00, 00, 00';
    const raw = read(
      traceCmd,
      line(`unpin_user_pages:      __probe_ip=ffffffffb9b7f3d4 npages=2 pages=ARRAY[${bytes}]`),
    ).seen;
    expect(events(raw)).toMatchObject([
      {
        kind: 'UnpinCall',
        nr: 2,
        list: [
          [0xfffff011, 0x0b6380],
          [0xfffff011, 0x0b63c0],
        ],
      },
    ]);
  });

  it('reads scatterlists that trace-cmd cannot print', () => {
    const {seen} = read(
      traceCmd,
      line(
        'dma_map_sg:           [FAILED TO PARSE] device=pinbug.0 full_nents=1 full_ents=1 truncated=0 phys_addrs=ARRAY[00, a0, d9, 02, 00, 00, 00, 00] dma_addrs=ARRAY[00, a0, d9, 02, 00, 00, 00, 00] lengths=ARRAY[00, 10, 00, 00] dir=0 attrs=0x0',
      ) +
        line(
          'dma_unmap_sg:         [FAILED TO PARSE] device=pinbug.0 addrs=ARRAY[00, a0, d9, 02, 00, 00, 00, 00] dir=0 attrs=0x0',
        ),
    );
    expect(events(seen)).toMatchObject([
      {
        kind: 'DmaMapSg',
        device: 'pinbug.0',
        dir: DmaDir.bidirectional,
        list: [[0x2d9a000, 4096]],
        dmaList: [[0x2d9a000, 4096]],
        truncated: 0,
      },
      {kind: 'DmaUnmapSg', device: 'pinbug.0', list: [[0x2d9a000, -1]]},
    ]);
  });

  it('reads what trace-cmd 3.3 and perf 7.3 cannot print of 6.18 and later, and of arm64', () => {
    const long = (n: number): string =>
      `dma_map_sg: [FAILED TO PARSE] device=pinbug.0 full_nents=${n} full_ents=${n} truncated=${n > 2 ? 1 : 0} phys_addrs=ARRAY[00, 00, 87, 5b, 00, 00, 00, 00, 00, c0, 86, 5b, 00, 00, 00, 00] dma_addrs=ARRAY[00, 00, 87, 5b, 00, 00, 00, 00, 00, c0, 86, 5b, 00, 00, 00, 00] lengths=ARRAY[00, 10, 00, 00, 00, 10, 00, 00] dir=0 attrs=0x0`;
    const perf = (name: string): string =>
      `              wl     464 [001]    64.734086:                            ${name}\n`;
    const list = [
      [0x5b870000, 4096],
      [0x5b86c000, 4096],
    ];
    const {seen} = read(
      perfScript,
      perf(`dma:${long(2)}`) +
        perf(`dma:${long(130)}`) +
        perf('kmem:mm_page_alloc: [FAILED TO PARSE] pfn=0x4928e order=0 gfp_flags=0x500cc2 migratetype=0'),
    );
    expect(events(seen)).toMatchObject([
      {kind: 'DmaMapSg', device: 'pinbug.0', list, dmaList: list, truncated: 0},
      {kind: 'DmaMapSg', list, truncated: 1},
      {kind: 'PageAlloc', pfn: 0x4928e, order: 0, mt: 0},
    ]);
  });

  it('reads the fields of -R', () => {
    const {seen} = read(
      traceCmd,
      line('mm_filemap_add_to_page_cache:  pfn=0x2d46 i_ino=366083 index=0xc1 s_dev=29 order=0') +
        line(
          'block_rq_issue:        dev=271581184 sector=16968 nr_sector=8 bytes=4096 ioprio=16388 rwbs=WM comm=pfn=0x1 cmd=',
        ) +
        line('try_grab_folio_ret:    __probe_func=ffffffffb9b80384 __probe_ret_ip=ffffffffb9b80546 ret=0') +
        line('dma_unmap_page:        device=pinbug.0 addr=2d8e000 size=4096 dir=2 attrs=0x0'),
    );
    expect(events(seen)).toMatchObject([
      {kind: 'CacheAdd', pfn: 0x2d46, ino: 0x366083, index: 0xc1, ofs: -1, devId: 29, order: 0},
      {kind: 'BlockIssue', devId: 259 * 2 ** 20, sector: 16968, nr: 8, write: 1},
      {kind: 'GrabReturn', ok: 1},
      {kind: 'DmaUnmap', dmaAddr: 0x2d8e000, dir: DmaDir.fromDevice},
    ]);
  });

  it('takes no mapping of device memory for one of pages', () => {
    const map = (attrs: string): string =>
      line(`dma_map_phys:          device=pinbug.0 phys_addr=2b4f000 dma_addr=2b4f000 size=4096 dir=0 attrs=${attrs}`);
    const {seen, reader} = read(traceCmd, ['0x0', '0x0', '0x400', '0x420', '0x0', '0x800'].map(map).join(''));
    expect(reader.counters).toMatchObject({events: 6, unrecognised: 0});
    expect(events(seen).map((s) => s['line'])).toEqual([1, 2, 5, 6]);
  });

  it('decodes numbers of page flags once it knows their layout', () => {
    const flags = (s: Seen): unknown => s['pageFlags'];
    const {seen} = read(
      traceCmd,
      line(
        'page_ref_mod:         pfn=0x5b20 flags=locked|0x828 count=6 mapcount=3 mapping=0xffff888003909418 mt=1 val=1',
      ) +
        line('page_ref_set:         pfn=0x47eb flags=none count=1 mapcount=-1 mapping=(nil) mt=0 val=1') +
        line(
          'page_ref_mod:         pfn=0x5b20 flags=locked|0x82a count=6 mapcount=3 mapping=0xffff888003909418 mt=1 val=1',
        ),
    );
    expect(events(seen).map(flags)).toEqual([
      PageFlag.locked | PageFlag.unknownLayout,
      0,
      PageFlag.locked | PageFlag.writeback | PageFlag.uptodate | PageFlag.lru,
    ]);
  });

  it.each([
    ['5.10.262', 0x8008, PageFlag.dirty | PageFlag.writeback],
    ['6.8.12', 0x80080, PageFlag.waiters | PageFlag.swapbacked],
    ['6.10.1', 0x80080, PageFlag.unknownLayout],
    ['6.12.117', 0x80002, PageFlag.writeback | PageFlag.mlocked],
    ['7.3.4', 0x80002, PageFlag.writeback],
    ['7.3.4', 0x120002, PageFlag.writeback | PageFlag.swapbacked | PageFlag.mlocked],
    ['7.4.0', 0x120002, PageFlag.unknownLayout],
  ])('decodes numbers of page flags by the release: %s 0x%x', (release, raw, expected) => {
    const {seen} = read(
      perfScript,
      `# os release : ${release}\n            bash     469 [000]    25.871530:     page_ref:page_ref_mod: ` +
        `pfn=0x5b20 flags=0x${raw.toString(16)} count=6 mapcount=3 mapping=0xffff888003909418 mt=1 val=1\n`,
    );
    expect(events(seen)).toMatchObject([{pageFlags: expected}]);
  });

  it('tells of losses, stacks, and lines about the file', () => {
    const {seen, reader} = read(
      traceCmd,
      [
        'cpus=2',
        'CPU 1 is empty',
        'CPU:1 [2292 EVENTS DROPPED]',
        'CPU:0 [EVENTS DROPPED]',
        line('mm_page_free:         page=0x1 pfn=0x52c5 order=0').trimEnd(),
        '              wl-507   [000]    29.801470: kernel_stack:         <stack trace >',
        '=> free_unref_page (ffffffff812e1078)',
        '=> dopin+0x2e (ffffffffc0a751ac)',
        '',
      ].join('\n'),
    );
    expect(reader.counters.unrecognised).toBe(0);
    expect(seen).toContainEqual({fact: 'cpus', value: '2'});
    expect(seen).toContainEqual({loss: {input: 0, line: 3, cpu: 1, count: 2292, what: 'lost'}});
    expect(seen).toContainEqual({loss: {input: 0, line: 4, cpu: 0, count: -1, what: 'lost'}});
    expect(seen.slice(-4)).toEqual([
      {stack: 'begin', cpu: 0, pid: 507},
      {frame: 'free_unref_page'},
      {frame: 'dopin+0x2e'},
      {stack: 'end'},
    ]);
  });
});

describe('perf script', () => {
  const payload = 'gup:gup_put_folio: (ffffffffa777f290) folio=0xfffffb1a401ad300 refs=1 flags=0x80000';

  it.each([
    [
      'default fields',
      '            bash     469 [000]    25.871530:                         ',
      {comm: 'bash', pid: 469, tgid: -1, cpu: 0},
    ],
    ['-F pid,tid --ns', '            bash     469/470     [000]    25.871530560:              ', {pid: 470, tgid: 469}],
    [
      'call chains, comm not padded',
      'bash     469 [000]    25.871530:                         ',
      {comm: 'bash', pid: 469},
    ],
    ['no comm', '            :472     472 [001]    26.412310: ', {comm: ':472', pid: 472, cpu: 1}],
    ['comm with blanks and numbers', '     my 12 th 3     469 [000]    25.871530: ', {comm: 'my 12 th 3', pid: 469}],
    ['comm of all 15 bytes', ' kworker/u4:0-ev       9 [000]    31.023749: ', {comm: 'kworker/u4:0-ev', pid: 9}],
    ['-F +misc', '            bash     469 [000] K     25.871530: ', {pid: 469, cpu: 0}],
    ['no cpu', '            bash     469    25.871530: ', {pid: 469, cpu: -1}],
  ])('columns: %s', (_name, columns, expected) => {
    const {seen, reader} = read(perfScript, `${columns}${payload}\n`);
    expect(reader.counters.unrecognised).toBe(0);
    expect(events(seen)).toMatchObject([{kind: 'GupPut', ptrLo: 0x401ad300, ...expected}]);
  });

  it('skips the source lines of -F +srcline, below events and frames', () => {
    const event = '            bash     469 [000]    25.870861: kmem:mm_page_free: page=0x35dc pfn=0x35dc order=1';
    const frame = '\tffffffff8133b2d3 __free_pages+0x43 ([kernel.kallsyms])';
    const {seen, reader} = read(
      perfScript,
      [event, '  page_alloc.c:123', event, frame, '  page_alloc.c:9', frame, '  ??:0', '', event, ''].join('\n'),
    );
    expect(reader.counters).toMatchObject({unrecognised: 0, events: 3});
    expect(seen.filter((s) => 'frame' in s)).toHaveLength(2);
    expect(detect(Buffer.from(`${event}\n  page_alloc.c:123\n`.repeat(20)))).toMatchObject({form: {id: 'perf-script'}});
  });

  it('reads calls and returns of a page that begins with neither', () => {
    const event = '            bash     469 [000]    25.870861: kmem:mm_page_free: page=0x35dc pfn=0x35dc order=1\n';
    const back =
      '            bash     469 [000]    25.870951: gup:pin_user_pages_fast_ret: (ffffffffa7784934 <- ffffffffa7ab33f9) ret=3\n';
    const escaped = (line: string): string => line.replace('<', '&lt;');
    for (const [before, after] of [
      ['', ''],
      ['<!DOCTYPE html><html><body><pre>\n', '</pre></body></html>\n'],
    ]) {
      const text = before + event.repeat(400) + escaped(back) + after;
      const found = detect(Buffer.from(text)) as {form: LineForm};
      const {seen, reader} = read(found.form, text);
      expect(reader.counters.unrecognised).toBe(0);
      expect(seen.filter((s) => 'kind' in s).at(-1)).toMatchObject({kind: 'PinReturn', ret: 3});
    }
  });

  it('reads call chains of the kernel, losses and headers', () => {
    const {seen, reader} = read(
      perfScript,
      [
        '# os release : 6.12.117-gupl',
        '# nrcpus online : 2',
        'perf612     386 [001]    18.371710:              page_ref:page_ref_mod_unless: pfn=0x8e39 flags=0x2011c count=3 mapcount=-1 mapping=0xffff888004c27358 mt=1 val=1 ret=1',
        '\tffffffff8133b2d3 __page_ref_mod_unless+0x43 ([kernel.kallsyms])',
        '\tffffffffc0a751ac [unknown] ([pinbug])',
        '\t    7f6a7ed1638f write+0x4f (/lib/x86_64-linux-gnu/libc.so.6)',
        '',
        '       perf-exec     401 [000]    25.595182: PERF_RECORD_LOST lost 7',
        '            wl     402 [001]    22.777556:      sched:sched_switch: prev=1',
        '\tffffffff8133b2d3 schedule+0x43 ([kernel.kallsyms])',
        '',
      ].join('\n'),
    );
    expect(reader.counters).toMatchObject({unrecognised: 0, events: 2});
    expect(seen).toContainEqual({fact: 'kernel', value: '6.12.117-gupl'});
    expect(seen).toContainEqual({loss: {input: 0, line: 8, cpu: 0, count: 7, what: 'lost'}});
    const {uptodate, dirty, referenced, active, swapbacked} = PageFlag;
    expect(events(seen)).toMatchObject([
      {kind: 'RefModUnless', pageFlags: referenced | uptodate | dirty | active | swapbacked},
    ]);
    expect(seen.filter((s) => s['stack'] || s['frame'])).toEqual([
      {stack: 'begin', cpu: 1, pid: 386},
      {frame: '__page_ref_mod_unless+0x43'},
      {frame: 'ffffffffc0a751ac'},
      {stack: 'end'},
    ]);
  });
});

describe('what the times and periods of perf script are', () => {
  const event = (time: string, cpu = 0, period = ''): string =>
    `             wrk     701 [00${cpu}] ${time}: ${period}page_ref:page_ref_mod: pfn=0x4a10 flags=0x2011c count=3 mapcount=-1 mapping=0xffff888003c23c10 mt=1 val=1\n`;

  it('distances are no times', () => {
    const distances = ['0.000000', '0.000130', '0.000012', '0.000400', '0.000001'].map((t) => event(t)).join('');
    expect(detect(Buffer.from(distances))).toMatchObject({outcome: 'refused', advice: /--deltatime/});
    const cut = Array.from({length: 40}, (_, i) => event(`0.000${((i * 37) % 100) + 100}`, i % 2)).join('');
    expect(detect(Buffer.from(cut))).toMatchObject({outcome: 'refused'});
    // --reltime, and two traces one behind the other
    const times = Array.from({length: 40}, (_, i) => event(`0.000${100 + i}`, i % 2)).join('');
    expect(detect(Buffer.from(event('0.000000') + times))).toMatchObject({outcome: 'read', form: {id: 'perf-script'}});
    expect(detect(Buffer.from(times + times))).toMatchObject({outcome: 'read', form: {id: 'perf-script'}});
  });

  it.each([
    ['a sample stands for many', event('25.774732', 0, '        99 '), 'left_out', 'samples'],
    ['each event is a sample', event('25.774732', 0, '         1 '), undefined, ''],
    ['-F', '# cmdline : /usr/bin/perf record -a -F 99 -e page_ref:* \n', 'left_out', 'samples'],
    ['-C', '# cmdline : /usr/bin/perf record -C 0,1 -e page_ref:* \n', 'left_out', 'CPUs'],
    ['--filter', '# cmdline : /usr/bin/perf record -ae page_ref:* --filter pfn == 1 sleep 5 \n', 'left_out', 'filter'],
    ['-p', '# cmdline : /usr/bin/perf record -e page_ref:* -p 701 \n', 'pid_filter', 'process 701'],
    ['a command', '# cmdline : /usr/bin/perf record -e page_ref:* -- fio job \n', 'pid_filter', "the command's"],
    ['a command, of all CPUs', '# cmdline : /usr/bin/perf record -ag -e page_ref:* fio job \n', undefined, ''],
    ['no command', '# cmdline : /usr/bin/perf record -e page_ref:* \n', undefined, ''],
  ])('what is not recorded is told: %s', (_name, lines, fact, says) => {
    const {seen} = read(perfScript, lines + event('25.774735'));
    const told = seen.filter(({fact: name}) => name === 'left_out' || name === 'pid_filter');
    expect(told).toEqual(fact === undefined ? [] : [{fact, value: expect.stringContaining(says)}]);
  });
});

it('what one of several buffers lost may be as old as its own last event, which others hide', () => {
  const of = (buffer: string, cpu: number, t: string): string =>
    `${buffer}              wl-507   [00${cpu}]    ${t}: mm_page_free:         page=0x100 pfn=0x100 order=0\n`;
  const report = `cpus=2\n${of('one: ', 1, '29.1')}${of('     ', 1, '29.2')}one: CPU:1 [12 EVENTS DROPPED]\n${of('one: ', 1, '29.3')}`;
  const {seen, reader} = read(traceCmd, report);
  expect(reader.counters.unrecognised).toBe(0);
  expect(seen.flatMap(({loss}) => loss ?? [])).toEqual([
    expect.objectContaining({cpu: 1, count: 12, since: -Infinity}),
  ]);
});

describe('lines whose end is missing', () => {
  const whole = [
    'page_ref_mod_and_test: pfn=0x4a10 flags=lru count=1 mapcount=-1 mapping=0000000000000000 mt=1 val=-1024 ret=0',
    'page_ref_mod: pfn=0x4a10 flags=lru count=1025 mapcount=-1 mapping=0000000000000000 mt=1 val=1024',
    'mm_page_free: page=00000000b9111fae pfn=0x100 order=0',
    'gup_put_folio: (gup_put_folio+0x0/0x90) folio=0xffffea0000180b00 refs=1 flags=0x80000',
    'unpin_user_pages: (unpin_user_pages+0x4/0x60) npages=2 pages={0xffffea0000180b00,0xffffea0000180b40}',
    'dma_unmap_page: 0000:00:03.0 dir=FROM_DEVICE dma_addr=123000 size=4096 attrs=',
  ];
  const line = (event: string): string => `              wl-507     [000] d.h1.    29.801468: ${event}\n`;

  it.each(whole)('tell nothing: %s', (event) => {
    const all = whole.map(line).join('');
    const {seen: known} = read(ftrace, all);
    // as soon as a field is missing that is always there, wherever that is; the digits of the last one tell nothing
    const most = event.endsWith('}') ? event.length - 1 : event.lastIndexOf('=');
    for (let length = 5; length <= most; length++) {
      const {seen, reader} = read(ftrace, all + line(event.slice(0, length)) + all);
      const between = event.slice(0, length);
      // a probe has what arguments its user gave it
      if (between.includes('(') && /(?:=\w+|\)) ?$/.test(between) && !between.includes('{')) continue;
      expect(seen.length, between).toBe(2 * known.length);
      expect(reader.counters.torn, between).toBe(1);
    }
  });
});
