/** What of it all was recorded, and how it is told: events left out, tasks, CPUs, a part of the time, clocks, order, losses. */
import {Random} from '../../fuzz/random.js';
import type {Run} from './simulate.js';
import type {Written} from './world.js';

export interface Recording {
  text: string;
  /** in words */
  what: string;
  /** by how much times are off */
  slack_ns?: number;
  /** when its last line was written, by the world's clock; not of one that lacks lines and does not say so */
  end_ns?: number;
  lines: number;
}

/** Kinds of events that are switched on together. */
const GROUPS: Record<string, RegExp> = {
  counts: /^page_ref_/,
  grabs: /^try_grab/,
  'the fast grab': /^try_grab_(?:folio_fast|compound_head)/,
  'the slow grab': /^try_grab_(?:folio|page)(?:_ret)?$/,
  'returns of grabs': /^try_grab.*_ret$/,
  puts: /^(?:gup_put_folio|put_compound_head)$/,
  'calls that pin': /^(?:pin|get)_user_pages/,
  'calls that unpin': /^unpin_user/,
  bios: /^_*bio_release/,
  DMA: /^dma_|^swiotlb/,
  'DMA maps': /^dma_map/,
  'DMA unmaps': /^dma_unmap/,
  IOMMU: /^(?:un)?map$/,
  bounces: /^swiotlb/,
  blocks: /^block_/,
  'block completions': /^block_rq_complete/,
  pages: /^mm_page_/,
  'page frees': /^mm_page_free/,
  files: /^mm_filemap/,
  writeback: /writeback/,
  dirtying: /dirty/,
  'last puts': /^(?:folios_put_refs|_+folio_put|_+put_page)$/,
};

/** What people set as the `filter` of an event; chosen of a run's own values. */
const FILTERS: readonly ((
  lines: readonly Written[],
  random: Random,
) => {what: string; shows: (line: Written) => boolean})[] = [
  (lines, random) => {
    const [from, to] = [pfnOf(random.of(lines)), pfnOf(random.of(lines))].toSorted((a, b) => a - b) as [number, number];
    const [system, events] = random.of([
      ['page_ref', /^page_ref_/],
      ['kmem', /^mm_page_/],
      ['page_ref and kmem', /^(?:page_ref|mm_page)_/],
    ] as const);
    const within = (line: Written): boolean => pfnOf(line) >= from && pfnOf(line) <= to;
    return {what: `${system} of pfn ${from} to ${to}`, shows: (line) => !events.test(line.name) || within(line)};
  },
  (lines, random) => {
    const device = random.of(lines.filter(({name}) => name.startsWith('dma_')))?.text.match(DEVICE)?.[1];
    return {
      what: `DMA of ${device}`,
      shows: ({name, text}) => !name.startsWith('dma_') || DEVICE.exec(text)?.[1] === device,
    };
  },
  (_, random) => {
    const [name, least] = [random.of([/^dma_/, /^dma_unmap/, /^dma_map/]), random.of([4097, 8192])];
    const enough = (text: string): boolean => Number(/ size=(\d+)/.exec(text)?.[1] ?? least) >= least;
    return {what: `${name.source} of ${least} bytes`, shows: (line) => !name.test(line.name) || enough(line.text)};
  },
  () => ({
    what: 'page_ref of pins',
    shows: ({name, text}) => !name.startsWith('page_ref_') || /val=-?\d{4}/.test(text),
  }),
  () => ({
    what: 'page_ref of pinned pages',
    shows: ({name, text}) => !name.startsWith('page_ref_') || /count=\d{4}/.test(text),
  }),
  (_, random) => {
    const events = random.of([/^mm_page_/, /^mm_page_free/, /^mm_page_alloc/, /^mm_filemap/]);
    const order = random.below(2) === 0;
    return {
      what: `${events.source} of ${order ? 'order 0' : 'higher orders'}`,
      shows: ({name, text}) => !events.test(name) || text.includes(' order=0') === order,
    };
  },
  (_, random) => {
    const names = random.of([/^try_grab/, /^gup_put/, /^unpin_user/, /^pin_user/]);
    const one = random.below(2) === 0;
    return {
      what: `${names.source} of ${one ? 'one page' : 'several'}`,
      shows: ({name, text}) =>
        !names.test(name) || !/ (?:refs|nr|npages)=/.test(text) || / (?:refs|nr|npages)=1\b/.test(text) === one,
    };
  },
  (_, random) => {
    const dir = random.of(['TO_DEVICE', 'FROM_DEVICE']);
    return {
      what: `DMA ${dir}`,
      shows: ({name, text}) => !/^dma_(?:map|unmap)/.test(name) || text.includes(`dir=${dir}`),
    };
  },
];
const DEVICE = /^\S+ (?:\S+ dev=)?"?([^\s"]+)/;
const pfnOf = ({text}: Written): number => Number(/ pfn=(0x[\da-f]+|\d+)/.exec(text)?.[1] ?? 0x2000);

/** What has the `stacktrace` option or trigger. */
const STACKED: readonly RegExp[] = [
  /./,
  /^page_ref_/,
  /^page_ref_mod$/,
  /^page_ref_mod_and_test$/,
  /^page_ref_mod_unless$/,
  /dirty/,
  /^(?:page_ref_|.*dirty)/,
  /^(?:try_grab|gup_put|pin_user|unpin)/,
];

/** What the tracer adds to a stack (kernel/trace/trace.c: __ftrace_trace_stack()). */
function innermost({name, text, stack}: Written): readonly string[] {
  if (text.startsWith(`${name}: (`)) {
    const itself = name.endsWith('_ret') || stack?.[0] === name ? [] : [name];
    return ['kprobe_trace_func', 'kprobe_dispatcher', 'kprobe_ftrace_handler', ...itself];
  }
  return [`trace_event_raw_event_${name}`, ...(name.startsWith('page_ref_') ? [`__${name}`] : [])];
}

interface Clock {
  name: string;
  time: (t: number, i: number) => number;
  /** ticks, or microseconds */
  ticks: boolean;
  slack_ns: number;
}

const whole = (t: number): number => t;
/** trace_clocks besides mono and local (kernel/trace/trace.c). */
const CLOCKS: readonly Clock[] = [
  {name: 'x86-tsc', time: (t) => Math.floor(t * 2.4), ticks: true, slack_ns: Infinity},
  {name: 'counter', time: (_, i) => 1_000_000 + i, ticks: true, slack_ns: Infinity},
  {name: 'uptime', time: (t) => t - (t % 4_000_000), ticks: false, slack_ns: 4_000_000},
  {name: 'boot', time: (t) => t + 5e12, ticks: false, slack_ns: Infinity},
  {name: 'global', time: whole, ticks: false, slack_ns: 0},
  {name: 'mono_raw', time: whole, ticks: false, slack_ns: 0},
];

const stamp = ({ticks}: Clock, t: number): string => (ticks ? String(t) : seconds(t));

function seconds(t: number): string {
  const us = Math.floor(t / 1000);
  return `${Math.floor(us / 1e6)}.${String(us % 1e6).padStart(6, '0')}`;
}

export type Manner = 'complete' | 'any';

export function record(run: Run, seed: number, manner: Manner): Recording {
  const random = new Random(seed ^ 0x5bd1e995);
  const what: string[] = [];
  let lines: readonly Written[] = run.world.written;
  let clock: string | null = 'mono';
  let gaps = false;
  const marks = new Map<Written, string>();
  const features = new Set(run.features);
  const later = new Random(seed ^ 0x27d4eb2f);
  let overwritten = 0;
  if (manner === 'any') {
    // what is asked of runs with features only leaves those without as they were
    const other = new Random(seed ^ 0x3c6ef372);
    if (features.has('some tasks')) {
      const comms = Array.from({length: 1 + other.below(3)}, () => other.of(lines).comm);
      what.push(`only ${comms.join(' ')}`);
      lines = lines.filter(({comm}) => comms.includes(comm));
    }
    if (features.has('overwritten')) {
      // each CPU's buffer begins where it was last overwritten
      const before = lines.length;
      for (const {id} of run.world.cpus) {
        const mine = lines.filter(({cpu}) => cpu === id);
        const from = Math.floor(mine.length * other.next() * 0.6);
        const gone = new Set(mine.slice(0, from));
        if (from > 0 && from < mine.length) marks.set(mine[from]!, `##### CPU ${id} buffer started ####\n`);
        lines = lines.filter((line) => !gone.has(line));
      }
      overwritten = before - lines.length;
    }
    if (features.has('filters') && lines.length > 0)
      for (let i = 1 + later.below(2); i > 0; i--) {
        const {what: how, shows} = later.of(FILTERS)(lines, later);
        what.push(how);
        lines = lines.filter((line) => shows(line));
      }
    if (features.has('paused')) {
      const from = Math.floor(lines.length * later.next());
      const to = Math.floor(from + (lines.length - from) * later.next() ** 3);
      what.push(`paused for ${to - from} lines`);
      gaps ||= to > from;
      lines = lines.filter((_, i) => i < from || i >= to);
    }
    if (lines.length < 100) lines = run.world.written;
  }
  if (manner === 'any') {
    for (let i = random.below(3); i > 0; i--) {
      const name = random.of(Object.keys(GROUPS));
      what.push(`no ${name}`);
      lines = lines.filter((line) => !GROUPS[name]!.test(line.name));
    }
    if (random.chance(0.25)) {
      const from = random.next() * 0.6;
      what.push(`begun after ${Math.round(from * 100)} %`);
      lines = lines.slice(Math.floor(lines.length * from));
    }
    if (random.chance(0.15)) {
      what.push('ended before the end');
      lines = lines.slice(0, Math.floor(lines.length * (0.4 + random.next() * 0.5)));
    }
    const filter = random.below(14);
    if (filter === 0) {
      const cpu = random.below(run.world.cpus.length);
      what.push(`CPU ${cpu} is missing`);
      lines = lines.filter((line) => line.cpu !== cpu);
    } else if (filter === 1) {
      const {comm} = random.of(lines);
      what.push(`without ${comm}`);
      lines = lines.filter((line) => line.comm !== comm);
    } else if (filter === 2) {
      what.push('nothing from interrupts');
      lines = lines.filter(({context}) => context === '.');
    } else if (filter === 3) {
      what.push('without the idle task');
      lines = lines.filter(({pid}) => pid !== 0);
    }
    if (random.chance(0.2)) {
      what.push('losses that are marked');
      const all = lines;
      lines = lose(lines, random, marks);
      // the last of a CPU are followed by nothing that could say so
      gaps ||= run.world.cpus.some(({id}) => {
        const ofCpu = ({cpu}: Written): boolean => cpu === id;
        return all.findLast(ofCpu) !== lines.findLast(ofCpu);
      });
    }
    const clocks = random.below(5);
    if (clocks === 0) clock = null;
    else if (clocks === 1) {
      clock = 'local';
      const ahead = run.world.cpus.map(() => random.below(2) * random.below(30_000));
      what.push(`clocks apart by ${Math.max(...ahead)} ns`);
      lines = lines.map((line) => {
        const moved = {...line, t: line.t + ahead[line.cpu]!};
        const mark = marks.get(line);
        if (mark !== undefined) marks.set(moved, mark);
        return moved;
      });
      lines = lines.toSorted((a, b) => a.t - b.t);
    }
    if (random.chance(0.1)) {
      what.push('a CPU after the other');
      lines = run.world.cpus.flatMap(({id}) => lines.filter((line) => line.cpu === id));
    }
  }
  const other = manner === 'any' && features.has('clocks') ? later.of(CLOCKS) : undefined;
  const times = new Map<Written, number>();
  const end = lines.reduce((last, {t}) => Math.max(last, t), 0);
  if (other !== undefined) {
    clock = other.name;
    what.push(`clock ${clock}`);
    const ahead = run.world.cpus.map(() => (clock === 'x86-tsc' ? later.below(2) * later.below(2000) : 0));
    lines.forEach((line, i) => times.set(line, other.time(line.t, i) + ahead[line.cpu]!));
    // the oldest of all CPUs' next events is printed, of equal ones that of the first CPU (__find_next_entry(), kernel/trace/trace.c)
    lines = lines.toSorted((a, b) => times.get(a)! - times.get(b)! || a.cpu - b.cpu);
    if (later.chance(0.2)) clock = null;
  }
  const head = [
    '# tracer: nop',
    '#',
    `# entries-in-buffer/entries-written: ${lines.length}/${lines.length + overwritten}   #P:${run.world.cpus.length}`,
  ];
  if (manner === 'complete' || random.chance(0.8))
    head.push(`# pinscope-record: vmemmap_base=0x${run.build.vmemmap.toString(16)}`);
  else what.push('vmemmap not told');
  if (features.has('arm64')) {
    if (manner === 'complete' || later.chance(0.5)) head.push(`# pinscope-record: page_size=${run.kernel.page}`);
    else what.push('page size not told');
  }
  if (clock !== null) head.push(`# pinscope-record: clock=${clock}`);
  else what.push('clock not told');
  const old = run.build.release === '5.10';
  const stacks = new Random(seed ^ 0x510e527f);
  const stacked = features.has('stacks') ? stacks.of(STACKED) : undefined;
  const depth = stacks.of([64, 64, 16, 8]);
  if (stacked) what.push(`stacks of ${depth} of ${stacked.source}`);
  const body = lines.map((line) => {
    const print = (text: string): string =>
      printed(line, text, old, features.has('no context'), other && stamp(other, times.get(line)!));
    const frames = stacked?.test(line.name) === true ? [...innermost(line), ...(line.stack ?? [])].slice(0, depth) : [];
    const stack = frames.length === 0 ? [] : [print('<stack trace>'), ...frames.map((frame) => ` => ${frame}`)];
    return (marks.get(line) ?? '') + [print(line.text), ...stack].join('\n');
  });
  let text = `${[...head, ...body].join('\n')}\n`;
  if (manner === 'any' && features.has('cut file')) {
    // by a full disk, a limit of a tracker or a mailer, dd, tail -c: a line is cut, the head may be gone
    const [from, to] = later
      .of([
        [0, 0.2 + 0.8 * later.next()],
        [later.next() * 0.6, 1],
        [later.next() * 0.3, 0.6 + 0.4 * later.next()],
      ])
      .map((part) => Math.floor(part * text.length)) as [number, number];
    what.push(`bytes ${from} to ${to} of ${text.length}`);
    text = text.slice(from, to);
  }
  const uncut = manner === 'complete' || !(gaps || features.has('cut file'));
  return {
    text,
    what: what.join(', '),
    lines: lines.length,
    ...(other && {slack_ns: other.slack_ns}),
    ...(uncut && {end_ns: end}),
  };
}

/** Bursts of a CPU's events are gone, and the next of it says so. */
function lose(lines: readonly Written[], random: Random, marks: Map<Written, string>): Written[] {
  const gone = new Set<Written>();
  if (lines.length === 0) return [];
  for (let i = 1 + random.below(3); i > 0; i--) {
    const at = random.below(lines.length);
    const {cpu} = lines[at]!;
    let n = 5 + random.below(60);
    let lost = 0;
    let j = at;
    for (; j < lines.length && n > 0; j++) {
      if (lines[j]!.cpu !== cpu) continue;
      n--;
      lost++;
      gone.add(lines[j]!);
    }
    while (j < lines.length && (lines[j]!.cpu !== cpu || gone.has(lines[j]!))) j++;
    if (j < lines.length) marks.set(lines[j]!, `CPU:${cpu} [LOST ${lost} EVENTS]\n`);
  }
  return lines.filter((line) => !gone.has(line));
}

function printed(
  {t, cpu, comm, pid, context}: Written,
  text: string,
  old: boolean,
  bare: boolean,
  stamped?: string,
): string {
  const time = stamped ?? seconds(t);
  const flags = bare ? '' : `${context === '.' ? '....' : `d.${context}1`}${old ? '' : '.'} `;
  return `${comm.padStart(16)}-${String(pid).padEnd(7)} [00${cpu}] ${flags}${time.padStart(12)}: ${text}`;
}
