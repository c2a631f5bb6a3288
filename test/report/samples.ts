/** Whole reports of samples: other clocks, hostile text, losses, many findings. */
import type {Finding, Report} from '../../src/results/report.js';
import {
  earlyUnpin,
  earlyUnpinWithStacks,
  emptyReport,
  largeFolio,
  manyPages,
  withFindings,
  writebackWhilePinned,
} from './sample-findings.js';

export {earlyUnpinWithStacks, emptyReport, manyPages, withFindings, writebackWhilePinned} from './sample-findings.js';

/** On a clock that counts, times in ns are null and no duration is known. */
export function ticksReport(): Report {
  const finding = earlyUnpin();
  const report = withFindings(emptyReport(), [
    {
      ...finding,
      start_ns: null,
      end_ns: null,
      start_ticks: '46021779126',
      end_ticks: '46033001207',
      at_ns: null,
      at_ticks: '46021779126',
      distance_ns: null,
      pages: finding.pages.map((page) => ({
        ...page,
        start_ns: null,
        end_ns: null,
        start_ticks: '46021779126',
        end_ticks: '46033001207',
      })),
      evidence: finding.evidence.map((item) => ({...item, t_ns: undefined, text: item.text.replace('17.2', '460217')})),
      history: finding.history.map((item, at) => ({...item, t_ns: null, t_ticks: String(46021779126 + at * 1000)})),
      windows: finding.windows.map((window) => ({...window, start_ns: null, end_ns: null})),
      message: 'wl/309 dropped the last pin of 4 pages while pinbug.0 still had them mapped for DMA (BIDIRECTIONAL).',
    },
  ]);
  report.clock = {name: 'x86-tsc', unit: 'ticks', known_by: 'times are whole numbers'};
  report.span = {start_ns: null, end_ns: null, start_ticks: '45000000000', end_ticks: '47000000000'};
  report.rules.push({
    id: 'long-pin',
    status: 'not-run',
    missing: ['a clock of seconds'],
    advice: 'echo mono > trace_clock',
    lacks: [{need: 'time', what: 'a clock of seconds', record: 'echo mono > trace_clock'}],
  });
  return report;
}

/** Every string that a task or a file could have chosen, hostile. */
export const HOSTILE = '\u001b[31mx<script>\n|`@me #1';

export function hostileReport(): Report {
  const finding = writebackWhilePinned();
  const report = withFindings(emptyReport(), [
    {
      ...finding,
      message: `${HOSTILE}/310 did it </script><!--`,
      reason: HOSTILE,
      verdict: 'possible',
      device: HOSTILE,
      file: {dev: HOSTILE, ino: HOSTILE, index: HOSTILE},
      tasks: [{role: 'pin', comm: HOSTILE, pid: 310}],
      stacks: [{role: 'pin', frames: [HOSTILE, '=> ok']}],
      evidence: finding.evidence.map((item) => ({
        ...item,
        task: HOSTILE,
        text: `${HOSTILE}\t\u202e${item.text} </script> é`,
      })),
      history: finding.history.map((item) => ({...item, task: HOSTILE, note: HOSTILE, frames: [HOSTILE]})),
      windows: finding.windows.map((window) => ({...window, label: HOSTILE})),
    },
  ]);
  const input = report.inputs[0];
  if (input !== undefined) {
    input.path = HOSTILE;
    input.evidence = [HOSTILE];
    input.unrecognised = {count: 1, first: [{line: 3, text: HOSTILE}]};
  }
  report.command = ['pinscope', 'analyze', HOSTILE];
  report.near_misses = [
    {
      rule: 'unpin-while-dma',
      what: 'dma-unmap to unpin',
      device: HOSTILE,
      stack: [HOSTILE],
      count: 3,
      min_ns: '1200',
      p1_ns: '1200',
      p50_ns: '92000',
      at: {pfn: '0x1', input: 0, line: 7},
    },
  ];
  return report;
}

/** Lossy, with rules that could not run and nothing found. */
export function nothingFound(): Report {
  const report = emptyReport();
  report.quality = [
    {
      id: 'lost-events',
      severity: 'warning',
      count: 1184,
      cpu: 1,
      message: 'events of CPU 1 were lost (2 markers)',
      advice: 'record with a larger buffer: trace-cmd record -b 65536',
    },
    {
      id: 'overwritten-start',
      severity: 'note',
      count: 1,
      message: 'the start of the trace was overwritten',
      advice: 'pins taken before 17.01 are not known',
    },
  ];
  report.rules = report.rules.map((rule) =>
    rule.id === 'writeback-while-pinned'
      ? {
          ...rule,
          status: 'not-run',
          missing: ['__folio_start_writeback', 'folio_end_writeback'],
          advice: 'record the probes that `pinscope record --print` sets',
          lacks: [{need: 'writeback', what: 'writeback', record: 'the probes that `pinscope record --print` sets'}],
        }
      : rule.id === 'free-while-dma'
        ? {
            ...rule,
            status: 'partial',
            missing: ['mm_page_alloc'],
            advice: 'without frees it misses reuse',
            lacks: [{need: 'free', what: 'frees', record: 'add kmem:mm_page_alloc', misses: 'reuse'}],
          }
        : rule,
  );
  report.near_misses = [
    {
      rule: 'unpin-while-dma',
      what: 'dma-unmap to unpin',
      device: '0000:00:03.0',
      stack: null,
      count: 512,
      min_ns: '1200',
      p1_ns: '3100',
      p50_ns: '92000',
      at: {pfn: '0x2fb0', input: 0, line: 3588},
    },
  ];
  return report;
}

/** Several findings of different weight; `count` copies more of the first. */
export function manyFindings(count: number): Report {
  const kinds = [earlyUnpinWithStacks(), writebackWhilePinned(), manyPages(), largeFolio()];
  const rest = Array.from({length: count}, (_, at): Finding => {
    const finding = earlyUnpin();
    return {
      ...finding,
      key: (0x1000 + at).toString(16).padStart(8, '0'),
      severity: at % 3 === 0 ? 'warning' : at % 3 === 1 ? 'error' : 'note',
      rule: at % 3 === 2 ? 'long-pin' : finding.rule,
      device: at % 2 === 0 ? 'pinbug.0' : '0000:00:03.0',
      pages: finding.pages.map((page) => ({
        ...page,
        pfn: `0x${(BigInt(page.pfn) + BigInt(at) * 0x1000n).toString(16)}`,
      })),
    };
  });
  const findings = [...kinds, ...rest].map((finding, at) => ({...finding, id: `F${at + 1}`}));
  const report = withFindings(emptyReport(), findings);
  report.near_misses = nothingFound().near_misses;
  return report;
}
