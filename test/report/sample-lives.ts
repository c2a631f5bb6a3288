/** Results of the history and pins commands, written by hand after the captures that the sample findings are from. */
import {distribution} from '../../src/readers/pins/distribution.js';
import type {HistoryReport, LifeEntry} from '../../src/results/history.js';
import type {PinsReport} from '../../src/results/pins.js';
import {earlyUnpinWithStacks, emptyReport} from './sample-findings.js';

function basis(command: string) {
  const {tool, inputs, clock, span, kernel, quality, timing} = emptyReport();
  return {tool, command: ['pinscope', command, 'bugs.txt'], inputs, clock, span, kernel, quality, timing};
}

export function historyReport(): HistoryReport {
  const finding = earlyUnpinWithStacks();
  const life = finding.history.map((entry): LifeEntry => ({...entry, pair: null}));
  const pin = life[2];
  const unpin = life[4];
  if (pin !== undefined) pin.frames = finding.stacks[0]?.frames ?? [];
  if (unpin !== undefined) {
    unpin.pair = {input: 0, line: 3620, distance_ns: '3576000', how: 'same kind, oldest first'};
    unpin.note = null;
  }
  const lookUps = Array.from({length: 40}, (_, at): LifeEntry[] => {
    const base = {cpu: 1, task: 'cat', pid: 411, input: 0, known_by: null, note: null, pair: null};
    const t = 17_240_000_000 + at * 20_000;
    return [
      {
        ...base,
        t_ns: String(t),
        line: 3700 + 2 * at,
        what: 'taken',
        kind: 'transient',
        delta: 1,
        counts: {refs: 3, pins: 0, raw: 3},
      },
      {
        ...base,
        t_ns: String(t + 3000),
        line: 3701 + 2 * at,
        what: 'dropped',
        kind: 'transient',
        delta: -1,
        counts: {refs: 2, pins: 0, raw: 2},
      },
    ];
  }).flat();
  return {
    schema: 'pinscope.history/2',
    ...basis('history'),
    pages: [
      {
        pfn: '0x2fb0',
        why: 'F1',
        generations: [
          {
            order: 0,
            born: 'alloc',
            died: 'free',
            start_ns: '17231549000',
            end_ns: '17239191000',
            entries: life,
            windows: finding.windows,
            findings: ['F1'],
          },
          {
            order: 0,
            born: 'unknown',
            died: null,
            start_ns: '17239607000',
            end_ns: '17241000000',
            file: {dev: '259:0', ino: '14', index: '3'},
            entries: [
              ...lookUps,
              {
                t_ns: '17240900000',
                cpu: 1,
                task: null,
                pid: null,
                line: 3790,
                input: 0,
                what: 'gap',
                kind: null,
                delta: null,
                known_by: null,
                note: 'CPU 1 lost 12 events',
                counts: null,
                pair: null,
              },
            ],
            windows: [
              {
                kind: 'writeback',
                label: 'writeback',
                start_ns: '17240100000',
                end_ns: null,
                input: 0,
                start_line: 3705,
                end_line: null,
                start_known: 'writeback-start',
                end_known: 'unknown',
              },
            ],
            findings: [],
          },
        ],
      },
    ],
    absent: ['0x99999'],
  };
}

export function pinsReport(): PinsReport {
  const holds = Array.from({length: 310}, (_, at) => 2_000 + at * at * 700);
  const stack = earlyUnpinWithStacks().stacks[0]?.frames ?? [];
  const held = {order: 0, task: {comm: 'wl', pid: 309}, input: 0, stack: null, cma: false};
  return {
    schema: 'pinscope.pins/1',
    ...basis('pins'),
    totals: {
      pins: 310,
      pages: 88,
      unpins: 302,
      from_before: 2,
      held_at_end: 10,
      held_from_before: 0,
      dropped_here: 299,
      gone: 1,
      unexplained: 1,
      longterm: 3,
      longterm_in_cma: 1,
    },
    live: {
      start_ns: '17012627000',
      step_ns: '4738950',
      most: Array.from({length: 100}, (_, at) => Math.max(0, Math.round(60 * Math.sin(at / 9) + at / 3))),
      peak: 88,
      peak_ns: '17345000000',
    },
    tasks: [
      {task: {comm: 'wl', pid: 309}, stack: null, pins: 300, pages: 80, held_at_end: 10, hold: distribution(holds)},
      {
        task: {comm: 'bash', pid: 101},
        stack: null,
        pins: 10,
        pages: 8,
        held_at_end: 0,
        hold: distribution([1_000_000, 17_000_000]),
      },
    ],
    stacks: [
      {task: null, stack, pins: 300, pages: 80, held_at_end: 10, hold: distribution(holds)},
      {
        task: null,
        stack: ['try_grab_folio', 'iov_iter_extract_pages', 'bio_iov_iter_get_pages', ...stack.slice(-3)],
        pins: 10,
        pages: 8,
        held_at_end: 0,
        hold: null,
      },
    ],
    hold: distribution(holds),
    unmap_to_unpin: [{device: 'pinbug.0', times: distribution([90_000, 100_000, 323_000, 1_200]) ?? never()}],
    longest: [
      {...held, pfn: '0x2fea', start_ns: '17256732000', end_ns: null, held_ns: '229790000', line: 4001},
      {...held, pfn: '0x2fb0', start_ns: '17231918000', end_ns: '17235494000', held_ns: '3576000', line: 3620},
    ],
    longterm: [
      {
        ...held,
        pfn: '0x12200',
        order: 9,
        start_ns: '17256732000',
        end_ns: null,
        held_ns: '229790000',
        line: 4100,
        cma: true,
      },
    ],
  };
}

function never(): never {
  throw new Error('no times');
}
