/**
 * How traces get worse in the field: each takes away, blurs or renames what was recorded, and adds nothing. What is certain
 * in the whole trace may become uncertain; nothing may become certain that was not.
 */
import type {Random} from '../fuzz/random.js';
import {at, type Line} from './lines.js';

export interface Mutation {
  name: string;
  /** null where the trace has nothing of the kind */
  make: (lines: readonly Line[], random: Random) => Mutated | null;
}

export interface Mutated {
  lines: Line[];
  /** what was chosen, for the reader */
  what?: string;
  /** by how much times are off */
  slack_ns?: number;
}

type Gone = (line: Line, index: number) => boolean;

/** Without some events; with `marked`, as trace_pipe tells of them: before the next event of that CPU. */
function without(lines: readonly Line[], gone: Gone, marked = false): Line[] {
  const lost = new Map<number, number>();
  const out: Line[] = [];
  const mark = (cpu: number): void => {
    const n = lost.get(cpu);
    if (n === undefined) return;
    lost.delete(cpu);
    // bpftrace names no CPU
    const text = / cpu=\d+ /.test(lines.at(-1)!.text) ? `Lost ${n} events` : `CPU:${cpu} [LOST ${n} EVENTS]`;
    out.push({text, name: '', t: 0, cpu, pid: -1, irq: false});
  };
  lines.forEach((line, i) => {
    if (line.name !== '' && gone(line, i)) lost.set(line.cpu, (lost.get(line.cpu) ?? 0) + 1);
    else {
      if (marked && line.name !== '') mark(line.cpu);
      out.push(line);
    }
  });
  return out;
}

const events = (lines: readonly Line[]): Line[] => lines.filter((line) => line.name !== '');
const someOf = <K>(lines: readonly Line[], key: (line: Line) => K, random: Random): K =>
  random.of([...new Set(events(lines).map(key))]);

/** The events in another order, where heads and marks stay. */
function reordered(lines: readonly Line[], order: (events: Line[]) => Line[]): Line[] {
  const sorted = order(events(lines));
  let i = 0;
  return lines.map((line) => (line.name === '' ? line : sorted[i++]!));
}

/** A part of the trace's time, `least` to `most` of it */
function span(lines: readonly Line[], random: Random, least: number, most: number): (line: Line) => boolean {
  const times = events(lines).map((line) => line.t);
  const first = times.reduce((a, b) => Math.min(a, b));
  const whole = times.reduce((a, b) => Math.max(a, b)) - first;
  const length = whole * (least + random.next() * (most - least));
  const from = first + random.next() * (whole - length);
  return (line) => line.t >= from && line.t < from + length;
}

function burst(lines: readonly Line[], random: Random): Gone {
  const ranges = Array.from({length: 3}, () => {
    const n = 5 + random.below(395);
    const from = random.below(Math.max(1, lines.length - n));
    return [from, from + n] as const;
  });
  return (_, i) => ranges.some(([from, to]) => i >= from && i < to);
}

const share = (part: number, which: (line: Line) => boolean = () => true) => ({
  make: (lines: readonly Line[], random: Random): Mutated => ({
    lines: without(lines, (line) => which(line) && random.chance(part)),
  }),
});

/** The probes of pinscope record: a function's address, or bpftrace's own name. */
const isProbe = (line: Line): boolean =>
  /\(\S+\+0x|<- /.test(line.text) ||
  /^(?:try_grab|gup_put|unpin_user|pin_user|get_user|folio_|__folio)/.test(line.name);
const named =
  (pattern: RegExp) =>
  (line: Line): boolean =>
    pattern.test(line.name);

const PFN = /\bpfn=(?:0x)?([0-9a-f]+)/;
const ALLOCATIONS = /^(?:mm_page_alloc|page_ref_set)$/;
const FREES = /^mm_page_free/;

export const MUTATIONS: readonly Mutation[] = [
  ...[0.001, 0.01, 0.1].map((part) => ({name: `lines lost without a mark, ${part * 100} %`, ...share(part)})),
  ...[false, true].flatMap((marked): Mutation[] => {
    const how = marked ? 'with a mark' : 'without a mark';
    return [
      {
        name: `bursts lost ${how}`,
        make: (lines, random) => ({lines: without(lines, burst(lines, random), marked)}),
      },
      {
        name: `a CPU lost for a time, ${how}`,
        make(lines, random) {
          const cpu = someOf(lines, (line) => line.cpu, random);
          const within = span(lines, random, 0.01, 0.2);
          return {lines: without(lines, (line) => line.cpu === cpu && within(line), marked), what: `CPU ${cpu}`};
        },
      },
      {
        name: `a CPU lost for many short times, ${how}`,
        make(lines, random) {
          const cpu = someOf(lines, (line) => line.cpu, random);
          const times = Array.from({length: 20}, () => span(lines, random, 0.0005, 0.004));
          const gone: Gone = (line) => line.cpu === cpu && times.some((within) => within(line));
          return {lines: without(lines, gone, marked), what: `CPU ${cpu}`};
        },
      },
    ];
  }),
  ...[1, 2].map((n): Mutation => ({
    name: `${n} kinds of events not recorded`,
    make(lines, random) {
      const names = Array.from({length: n}, () => someOf(lines, (line) => line.name, random));
      return {lines: without(lines, (line) => names.includes(line.name)), what: names.join(', ')};
    },
  })),
  {
    name: 'a kind of event not recorded on one CPU',
    make(lines, random) {
      const name = someOf(lines, (line) => line.name, random);
      const cpu = someOf(lines, (line) => line.cpu, random);
      return {lines: without(lines, (l) => l.name === name && l.cpu === cpu), what: `${name} on CPU ${cpu}`};
    },
  },
  {
    name: 'a kind of event not recorded for a time',
    make(lines, random) {
      const name = someOf(lines, (line) => line.name, random);
      const within = span(lines, random, 0.1, 0.9);
      return {lines: without(lines, (line) => line.name === name && within(line)), what: name};
    },
  },
  ...(
    [
      ['page_ref', named(/^page_ref/)],
      ['probes', (line) => isProbe(line) && !line.name.startsWith('dma_')],
      ['kmem', named(/^mm_page/)],
      ['unmaps', named(/^dma_unmap|^unmap$/)],
      ['the ends of writeback', named(/end_writeback/)],
      ['puts', named(/^gup_put/)],
      ['grabs', named(/^try_grab/)],
    ] as [string, (line: Line) => boolean][]
  ).map(([what, which]): Mutation => ({
    name: `not recorded: ${what}`,
    make: (lines) => ({lines: without(lines, which)}),
  })),
  {
    name: 'the middle is missing',
    make(lines, random) {
      return {lines: without(lines, span(lines, random, 0.05, 0.4))};
    },
  },
  {
    name: 'a part of the time only',
    make(lines, random) {
      const within = span(lines, random, 0.1, 0.6);
      return {lines: without(lines, (line) => !within(line))};
    },
  },
  {
    name: 'several snapshots with gaps',
    make(lines, random) {
      const parts = Array.from({length: 6}, () => span(lines, random, 0.05, 0.15));
      return {lines: without(lines, (line) => !parts.some((within) => within(line)))};
    },
  },
  {
    name: 'one CPU is missing',
    make(lines, random) {
      const cpu = someOf(lines, (line) => line.cpu, random);
      return {lines: without(lines, (line) => line.cpu === cpu), what: `CPU ${cpu}`};
    },
  },
  {
    name: 'filter: one task',
    make(lines, random) {
      const pid = someOf(lines, (line) => line.pid, random);
      return {lines: without(lines, (line) => line.pid !== pid), what: `pid ${pid}`};
    },
  },
  {
    name: 'filter: without one task',
    make(lines, random) {
      const pid = someOf(lines, (line) => line.pid, random);
      return {lines: without(lines, (line) => line.pid === pid), what: `pid ${pid}`};
    },
  },
  {name: 'filter: nothing from interrupts', ...share(1, (line) => line.irq)},
  {name: 'probes missed in interrupts, all', ...share(1, (line) => line.irq && isProbe(line))},
  {name: 'probes missed in interrupts, half', ...share(0.5, (line) => line.irq && isProbe(line))},
  ...[0.02, 0.2].map((part) => ({name: `probes missed, ${part * 100} %`, ...share(part, isProbe)})),
  {name: 'allocations missing', ...share(0.3, named(ALLOCATIONS))},
  {name: 'frees missing', ...share(0.3, named(FREES))},
  {name: 'allocations and frees missing', ...share(0.3, (l) => ALLOCATIONS.test(l.name) || FREES.test(l.name))},
  {name: 'unmaps missing', ...share(0.05, named(/^dma_unmap/))},
  {name: 'maps missing', ...share(0.05, named(/^dma_map/))},
  {name: 'pins missing', ...share(0.05, (l) => l.name.startsWith('try_grab') || /val=102[34]\b/.test(l.text))},
  {name: 'unpins missing', ...share(0.05, (l) => l.name.startsWith('gup_put') || /val=-1024\b/.test(l.text))},
  ...[1, 10, 100, 1000, 10_000].map((us): Mutation => ({
    name: `the clock of a CPU ${us} us off`,
    make(lines, random) {
      const cpu = someOf(lines, (line) => line.cpu, random);
      const by = (random.chance(0.5) ? -1000 : 1000) * us;
      // a clock that differs from CPU to CPU is none that the recorder calls one for all
      const moved = lines
        .filter((l) => !l.text.startsWith('# pinscope-record: clock='))
        .map((l) => (l.name !== '' && l.cpu === cpu ? at(l, Math.max(0, l.t + by)) : l));
      return {
        lines: reordered(moved, (list) => list.sort((a, b) => a.t - b.t)),
        what: `CPU ${cpu}`,
        slack_ns: us * 1000,
      };
    },
  })),
  ...[10, 100].map((us): Mutation => ({
    name: `times cut to ${us} us, equal ones in any order`,
    make(lines, random) {
      const first = someOf(lines, (line) => line.cpu, random);
      const cut = lines.map((l) => (l.name === '' ? l : at(l, l.t - (l.t % (us * 1000)))));
      const rank = (l: Line): number => (l.cpu === first ? -1 : l.cpu);
      return {
        lines: reordered(cut, (list) => list.sort((a, b) => a.t - b.t || rank(a) - rank(b))),
        slack_ns: us * 1000,
      };
    },
  })),
  {
    name: 'CPU after CPU',
    make: (lines) => ({lines: reordered(lines, (list) => list.sort((a, b) => a.cpu - b.cpu))}),
  },
  {
    name: 'snapshots that overlap',
    make(lines, random) {
      const from = random.below(lines.length);
      const to = Math.min(lines.length, from + 200);
      return {lines: [...lines.slice(0, to), ...lines.slice(from)]};
    },
  },
  {
    name: 'tasks share a pid',
    make: (lines) => ({
      lines: lines.map((l) => ({
        ...l,
        text: l.text.replace(
          /^( *.{1,40})-(\d{3}) /,
          (_, comm: string, pid: string) => `${comm}-30${Number(pid) % 2} `,
        ),
      })),
    }),
  },
  {
    name: 'comms forgotten',
    make: (lines, random) => ({
      lines: lines.map((l) =>
        l.name !== '' && l.pid > 0 && random.chance(0.5)
          ? {...l, text: l.text.replace(/^ *[^-\s]{1,16}(?=-\d)/, (comm) => '<...>'.padStart(comm.length))}
          : l,
      ),
    }),
  },
  {
    name: 'where struct pages begin is not told',
    make: (lines) => ({
      lines: lines.map((l) => ({...l, text: l.text.replace(/ ?vmemmap(?:_base)?=0x[0-9a-f]+/g, '')})),
    }),
  },
  // what people do to a trace before they send it
  ...[0, 20, 200].map((around): Mutation => ({
    name: around === 0 ? 'grep: a page' : `grep: a page, ${around} lines around`,
    make(lines, random) {
      const digits = someOf(lines, (line) => PFN.exec(line.text)?.[1] ?? '', random);
      const near = new Set<number>();
      lines.forEach((line, i) => {
        if (line.text.includes(digits)) for (let at = i - around; at <= i + around; at++) near.add(at);
      });
      return {lines: without(lines, (_, i) => !near.has(i)), what: digits};
    },
  })),
  {
    name: 'grep: some kinds of events',
    make(lines, random) {
      const kinds = new Set([...new Set(events(lines).map(({name}) => name))].filter(() => random.chance(0.5)));
      return {lines: without(lines, (line) => !kinds.has(line.name)), what: [...kinds].join(' ')};
    },
  },
  {
    name: 'filter: half of the pages in one kind of event',
    make(lines, random) {
      const kind = someOf(lines, (line) => line.name, random);
      const half = random.below(2);
      const gone = ({name, text}: Line): boolean =>
        name === kind && ((Number.parseInt(PFN.exec(text)?.[1] ?? '', 16) >> 3) & 1) === half;
      return {lines: without(lines, gone), what: kind};
    },
  },
  {
    name: 'lines cut at a column',
    make(lines, random) {
      const width = 70 + random.below(130);
      const cut = (text: string): string => text.replaceAll(/^.+$/gm, (line) => line.slice(0, width));
      return {lines: lines.map((l) => (l.name === '' ? l : {...l, text: cut(l.text)})), what: `${width}`};
    },
  },
  {
    name: 'lines cut anywhere, 2 %',
    make: (lines, random) => ({
      lines: lines.map((l) =>
        l.name !== '' && random.chance(0.02) ? {...l, text: l.text.slice(0, 20 + random.below(l.text.length))} : l,
      ),
    }),
  },
];
