/** What of it all was recorded, and how it is told: events left out, tasks, CPUs, a part of the time, clocks, order, losses. */
import {Random} from '../../fuzz/random.js';
import type {Run} from './simulate.js';
import type {Written} from './world.js';

export interface Recording {
  text: string;
  /** in words */
  what: string;
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

export type Manner = 'complete' | 'any';

export function record(run: Run, seed: number, manner: Manner): Recording {
  const random = new Random(seed ^ 0x5bd1e995);
  const what: string[] = [];
  let lines: readonly Written[] = run.world.written;
  let clock: string | null = 'mono';
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
      lines = lose(lines, random, marks);
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
  const body = lines.map((line) => (marks.get(line) ?? '') + printed(line, old, features.has('no context')));
  return {text: `${[...head, ...body].join('\n')}\n`, what: what.join(', '), lines: lines.length};
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

function printed({t, cpu, comm, pid, context, text}: Written, old: boolean, bare: boolean): string {
  const us = Math.floor(t / 1000);
  const time = `${Math.floor(us / 1e6)}.${String(us % 1e6).padStart(6, '0')}`;
  const flags = bare ? '' : `${context === '.' ? '....' : `d.${context}1`}${old ? '' : '.'} `;
  return `${comm.padStart(16)}-${String(pid).padEnd(7)} [00${cpu}] ${flags}${time.padStart(12)}: ${text}`;
}
