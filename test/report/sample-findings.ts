/**
 * Reports written by hand from real captures: what the renderers are tried on. The trace lines are those of a 6.12
 * kernel whose test module unpinned pages before it unmapped them, and wrote back pages that it had pinned.
 */
import {causesOf} from '../../src/findings/causes.js';
import type {Evidence, Finding, HistoryEntry, Report} from '../../src/results/report.js';

/** A report that found nothing, with every rule run; samples start from it. */
export function emptyReport(): Report {
  return {
    schema: 'pinscope.report/2',
    tool: {name: 'pinscope', version: '0.1.0'},
    command: ['pinscope', 'analyze', 'bugs.txt'],
    inputs: [
      {
        path: 'bugs.txt',
        format: 'ftrace',
        evidence: ['first line is "# tracer: nop"', '6680 of 6692 lines have task, CPU, flags and time'],
        compression: 'none',
        bytes: 1_082_307,
        lines: 6692,
        events: 6680,
        event_names: ['page_ref_mod', 'page_ref_mod_and_test', 'dma_map_page', 'dma_unmap_page'],
        unrecognised: {count: 0, first: []},
        sha256: '8fd1070e35ddb6f689db437bd653d27b01a8482a4edba20463884ca90bbe4f7e',
      },
    ],
    clock: {name: null, unit: 'ns', known_by: 'times are seconds with a fraction'},
    span: {start_ns: '17012627000', end_ns: '17486522000'},
    kernel: {
      release: null,
      range: '6.11 to 6.13',
      known_by: 'its events',
      signals: ['try_grab_folio_fast is probed (6.11 and later)', 'dma events exist (6.12 and later)'],
    },
    quality: [],
    rules_version: '1',
    rules: [
      {id: 'unpin-while-dma', status: 'ran', missing: [], advice: '', lacks: []},
      {id: 'free-while-dma', status: 'ran', missing: [], advice: '', lacks: []},
      {id: 'writeback-while-pinned', status: 'ran', missing: [], advice: '', lacks: []},
      {id: 'put-on-pin', status: 'ran', missing: [], advice: '', lacks: []},
    ],
    summary: {
      by_rule: {},
      by_severity: {error: 0, warning: 0, note: 0},
      by_verdict: {sure: 0, possible: 0},
      pages: 1234,
      pins: 310,
      gets: 21,
      dma_windows: 88,
      writebacks: 12,
      suppressed: 0,
      suppressions: [],
    },
    selection: {filters: [], shown: 0, found: 0, left_out: 0},
    causes: [],
    findings: [],
    near_misses: [],
    timing: {seconds: 0.21, events_per_second: 31_809, bytes_per_second: 5_153_842, peak_rss_bytes: 91_000_000},
  };
}

/** Puts findings in and counts them. */
export function withFindings(report: Report, findings: Finding[]): Report {
  for (const finding of findings) {
    report.summary.by_rule[finding.rule] = (report.summary.by_rule[finding.rule] ?? 0) + 1;
    report.summary.by_severity[finding.severity]++;
    report.summary.by_verdict[finding.verdict]++;
  }
  report.findings = findings;
  report.selection = {filters: [], shown: findings.length, found: findings.length, left_out: 0};
  report.causes = causesOf(findings);
  return report;
}

const WL = '              wl-309     [000] ';

function line(role: string, number: number, seconds: string, flags: string, text: string): Evidence {
  return {
    role,
    input: 0,
    line: number,
    text: `${WL}${flags}    ${seconds}: ${text}`,
    t_ns: `${seconds.replace('.', '')}000`,
    cpu: 0,
    task: 'wl',
    pid: 309,
  };
}

function entry(number: number, seconds: string, what: string, more: Partial<HistoryEntry> = {}): HistoryEntry {
  return {
    t_ns: `${seconds.replace('.', '')}000`,
    cpu: 0,
    task: 'wl',
    pid: 309,
    line: number,
    input: 0,
    what,
    kind: null,
    delta: null,
    known_by: null,
    note: null,
    counts: null,
    ...more,
  };
}

/** Four pages unpinned by one unpin_user_pages() 3.2 ms before their dma_unmap_page(). */
export function earlyUnpin(): Finding {
  return {
    id: 'F1',
    key: '3f9a1c02',
    cause: 'C1',
    rule: 'unpin-while-dma',
    severity: 'error',
    verdict: 'sure',
    reason: null,
    pages: ['0x2fb0', '0x2f7c', '0x2ff4', '0x2fae'].map((pfn, at) => ({
      pfn,
      order: 0,
      start_ns: String(17235494000 + at * 7000),
      end_ns: String(17238705000 + at * 35000),
      occurrences: 1,
    })),
    start_ns: '17235494000',
    end_ns: '17238810000',
    at_ns: '17235494000',
    distance_ns: '3211000',
    occurrences: 4,
    related: [],
    tasks: [
      {role: 'pin', comm: 'wl', pid: 309},
      {role: 'unpin', comm: 'wl', pid: 309},
    ],
    stacks: [],
    device: 'pinbug.0',
    kind: 'anonymous',
    message:
      'wl/309 dropped the last pin of 4 pages while pinbug.0 still had them mapped for DMA (BIDIRECTIONAL): the device could write them for another 3.21 ms.',
    proof: [],
    evidence: [
      line(
        'pin',
        3620,
        '17.231918',
        'd....',
        'page_ref_mod: pfn=0x2fb0 flags=uptodate|owner_2|swapbacked count=1026 mapcount=0 mapping=00000000261e2897 mt=1 val=1023',
      ),
      line(
        'dma-map',
        3635,
        '17.232232',
        '.....',
        'dma_map_page: pinbug.0 dir=BIDIRECTIONAL dma_addr=2fb0000 size=4096 phys_addr=2fb0000 attrs=',
      ),
      line(
        'unpin',
        3641,
        '17.235494',
        '.....',
        'page_ref_mod_and_test: pfn=0x2fb0 flags=referenced|uptodate|owner_2|swapbacked count=2 mapcount=0 mapping=00000000261e2897 mt=1 val=-1024 ret=0',
      ),
      line(
        'dma-unmap',
        3648,
        '17.238705',
        '.....',
        'dma_unmap_page: pinbug.0 dir=BIDIRECTIONAL dma_addr=2fb0000 size=4096 attrs=',
      ),
    ],
    history: [
      entry(3602, '17.231549', 'alloc', {counts: {refs: 1, pins: 0, raw: 1}}),
      entry(3604, '17.231571', 'taken', {
        kind: 'mapping',
        delta: 1,
        known_by: 'count',
        counts: {refs: 2, pins: 0, raw: 2},
      }),
      entry(3620, '17.231918', 'taken', {
        kind: 'pin',
        delta: 1024,
        known_by: 'probe',
        note: 'by try_grab_folio_fast, FOLL_WRITE; two events of one deed (+1, +1023)',
        counts: {refs: 3, pins: 1, raw: 1026},
      }),
      entry(3635, '17.232232', 'dma-map', {note: 'pinbug.0, BIDIRECTIONAL, 4096 bytes'}),
      entry(3641, '17.235494', 'dropped', {
        kind: 'pin',
        delta: -1024,
        known_by: 'probe',
        note: 'the pin of line 3620 (3.58 ms ago): the only pin of this page',
        counts: {refs: 2, pins: 0, raw: 2},
      }),
      entry(3648, '17.238705', 'dma-unmap', {note: 'the mapping of line 3635 (6.47 ms ago)'}),
      entry(3653, '17.238951', 'dropped', {kind: 'lru-batch', delta: -1, counts: {refs: 1, pins: 0, raw: 1}}),
      entry(3663, '17.239191', 'free', {counts: {refs: 0, pins: 0, raw: 0}}),
    ],
    windows: [
      {
        kind: 'pin',
        label: 'pin by wl/309',
        start_ns: '17231918000',
        end_ns: '17235494000',
        input: 0,
        start_line: 3620,
        end_line: 3641,
        start_known: 'pin',
        end_known: 'unpin',
      },
      {
        kind: 'dma',
        label: 'pinbug.0 BIDIRECTIONAL',
        start_ns: '17232232000',
        end_ns: '17238705000',
        input: 0,
        start_line: 3635,
        end_line: 3648,
        start_known: 'map',
        end_known: 'unmap',
      },
    ],
    counts: {before: {refs: 3, pins: 1, raw: 1026}, after: {refs: 2, pins: 0, raw: 2}},
  };
}

/** The same mistake in a capture with stacks (stacktrace option, no CPU flags). */
export function earlyUnpinWithStacks(): Finding {
  const outer = ['pb_ioctl', '__x64_sys_ioctl', 'do_syscall_64', 'entry_SYSCALL_64_after_hwframe'];
  const finding = earlyUnpin();
  finding.stacks = [
    {
      role: 'pin',
      frames: [
        'trace_event_raw_event_page_ref_mod_template',
        '__page_ref_mod',
        'try_grab_folio_fast',
        'gup_fast_fallback',
        'pin_user_pages_fast',
        'dopin',
        ...outer,
      ],
    },
    {
      role: 'unpin',
      frames: [
        'trace_event_raw_event_page_ref_mod_and_test_template',
        '__page_ref_mod_and_test',
        'gup_put_folio',
        'unpin_user_pages',
        'dounpin',
        ...outer,
      ],
    },
  ];
  return finding;
}

function on(cpu: number, task: string, pid: number, evidence: Evidence): Evidence {
  return {...evidence, cpu, task, pid};
}

function event(role: string, number: number, seconds: string, text: string): Evidence {
  return line(role, number, seconds, '.....', text);
}

/** A page of a file written back by fsync() under a pin whose mapping the device could write; two CPUs. */
export function writebackWhilePinned(): Finding {
  return {
    id: 'F2',
    key: '81c02e55',
    cause: 'C2',
    rule: 'writeback-while-pinned',
    severity: 'error',
    verdict: 'sure',
    reason: null,
    pages: ['0x5dac9', '0x5dad5', '0x5c0ea', '0x5c0e0', '0x5c0e3'].map((pfn) => ({
      pfn,
      order: 0,
      start_ns: '16298671000',
      end_ns: '16299623000',
      occurrences: 1,
    })),
    start_ns: '16298671000',
    end_ns: '16299640000',
    at_ns: '16298671000',
    distance_ns: '15505000',
    occurrences: 5,
    related: ['F3'],
    tasks: [
      {role: 'pin', comm: 'wl', pid: 310, tgid: 310},
      {role: 'writeback-start', comm: 'kworker/u8:1', pid: 31},
    ],
    stacks: [],
    device: 'pinbug.0',
    kind: 'file',
    file: {dev: '259:0', ino: '14', index: '0'},
    message:
      'A page of a file went under writeback by kworker/u8:1/31 while wl/310 held a write pin whose mapping pinbug.0 could write: what reached the disk may be torn, and its checksum may not match.',
    proof: [],
    evidence: [
      on(
        0,
        'wl',
        310,
        event(
          'pin',
          4429,
          '16.283166',
          'page_ref_mod: pfn=0x5dac9 flags=uptodate|dirty|lru|private count=1027 mapcount=0 mapping=00000000fdefbca1 mt=1 val=1023',
        ),
      ),
      on(
        0,
        'wl',
        310,
        event(
          'dma-map',
          4448,
          '16.283266',
          'dma_map_page: pinbug.0 dir=BIDIRECTIONAL dma_addr=5dac9000 size=4096 phys_addr=5dac9000 attrs=',
        ),
      ),
      on(
        1,
        'kworker/u8:1',
        31,
        event(
          'writeback-start',
          4460,
          '16.298671',
          '__folio_start_writeback: (__folio_start_writeback+0x4/0x240) folio=0xffffea000176b240',
        ),
      ),
      on(
        1,
        '<idle>',
        0,
        event(
          'writeback-end',
          4483,
          '16.299623',
          'folio_end_writeback: (folio_end_writeback+0x4/0xc0) folio=0xffffea000176b240',
        ),
      ),
      on(
        0,
        'wl',
        310,
        event(
          'dma-unmap',
          4527,
          '16.317637',
          'dma_unmap_page: pinbug.0 dir=BIDIRECTIONAL dma_addr=5dac9000 size=4096 attrs=',
        ),
      ),
      on(
        0,
        'wl',
        310,
        event(
          'unpin',
          4534,
          '16.317746',
          'page_ref_mod_and_test: pfn=0x5dac9 flags=referenced|uptodate|lru|private count=3 mapcount=0 mapping=00000000fdefbca1 mt=1 val=-1024 ret=0',
        ),
      ),
    ],
    history: [
      entry(4429, '16.283166', 'taken', {
        kind: 'pin',
        delta: 1024,
        known_by: 'probe',
        counts: {refs: 4, pins: 1, raw: 1027},
        pid: 310,
      }),
      entry(0, '16.290000', 'folded', {
        task: null,
        pid: null,
        cpu: null,
        note: '2 page-cache look-ups taken and dropped',
      }),
      entry(4460, '16.298671', 'writeback-start', {task: 'kworker/u8:1', pid: 31, cpu: 1}),
      entry(4483, '16.299623', 'writeback-end', {task: '<idle>', pid: 0, cpu: 1}),
    ],
    windows: [
      {
        kind: 'pin',
        label: 'pin by wl/310',
        start_ns: '16283166000',
        end_ns: '16317746000',
        input: 0,
        start_line: 4429,
        end_line: 4534,
        start_known: 'pin',
        end_known: 'unpin',
      },
      {
        kind: 'dma',
        label: 'pinbug.0 BIDIRECTIONAL',
        start_ns: '16283266000',
        end_ns: '16317637000',
        input: 0,
        start_line: 4448,
        end_line: 4527,
        start_known: 'map',
        end_known: 'unmap',
      },
      {
        kind: 'writeback',
        label: 'writeback',
        start_ns: '16298671000',
        end_ns: '16299623000',
        input: 0,
        start_line: 4460,
        end_line: 4483,
        start_known: 'writeback-start',
        end_known: 'writeback-end',
      },
    ],
    counts: {before: {refs: 4, pins: 1, raw: 1027}, after: {refs: 4, pins: 1, raw: 1027}},
  };
}

/** 512 pages of one I/O, only possible, with the reason. */
export function manyPages(): Finding {
  const finding = earlyUnpin();
  return {
    ...finding,
    id: 'F3',
    key: 'a0441709',
    cause: 'C3',
    verdict: 'possible',
    reason: 'CPU 1 lost 12 events between 17.232 and 17.240: an unmap may be among them',
    pages: Array.from({length: 512}, (_, at) => ({
      pfn: `0x${(0x40000 + at + (at > 255 ? 1 : 0) + (at > 400 ? 3 : 0)).toString(16)}`,
      order: 0,
      start_ns: '17235494000',
      end_ns: null,
      occurrences: 2,
    })),
    end_ns: null,
    occurrences: 1024,
    windows: finding.windows.map((window) =>
      window.kind === 'dma' ? {...window, end_ns: null, end_line: null, end_known: 'unknown' as const} : window,
    ),
    counts: {before: {refs: null, pins: 1, raw: null}, after: null},
  };
}

/** A folio of 2 MB. */
export function largeFolio(): Finding {
  return {
    ...earlyUnpin(),
    id: 'F4',
    key: 'b7d2e8f1',
    cause: 'C4',
    pages: [{pfn: '0x12200', order: 9, start_ns: '17235494000', end_ns: '17238705000', occurrences: 1}],
    occurrences: 1,
  };
}
