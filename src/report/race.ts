/**
 * The race as people draw it by hand in mail threads: time downwards, who did it on the left, who did the other half
 * on the right. With two CPUs (or two tasks) each has a column; when one task did everything, the other column is the
 * device or the writeback that went on meanwhile, drawn as a bar from its start to its end.
 */
import {nounOfFinding} from '../words/place.js';
import {ascii} from '../words/clean.js';
import {clip, duration, task, time, wrap} from '../words/format.js';
import type {Evidence, Finding} from '../results/report.js';
import {deed, decidingEvidence, entryOf, mark} from '../words/words.js';

interface Step {
  evidence: Evidence;
  time: string;
  ns: bigint | null;
  cpu: number | null;
  who: string;
  text: string;
  /** lines that this step stands for: the same deed on several pages, or seen by a probe and a tracepoint */
  lines: number;
  deciding: boolean;
}

/** Lines of ASCII of at most `width` columns; none when fewer than two events are known. */
export function drawRace(finding: Finding, width: number): string[] {
  const all = stepsOf(finding);
  if (all.length < 2) return [];
  const steps = firstTime(all);
  const lines = drawn(finding, steps, width);
  if (steps.length < all.length) lines.push('(the first time; the same was done again later)');
  return lines;
}

/** A deed done several times is drawn once: up to where, after the violation, it begins anew. */
function firstTime(steps: Step[]): Step[] {
  const deciding = steps.findIndex((step) => step.deciding);
  const anew = steps.findIndex((step, at) => at > deciding && step.evidence.role === steps[0]?.evidence.role);
  return deciding < 0 || anew < 0 ? steps : steps.slice(0, anew);
}

function drawn(finding: Finding, steps: Step[], width: number): string[] {
  const cpus = distinct(steps.map((step) => step.cpu).filter((cpu) => cpu !== null));
  const tasks = distinct(steps.map((step) => step.who).filter((who) => who !== '-'));
  if (cpus.length >= 2)
    return twoSides(
      finding,
      steps,
      width,
      (step) => step.cpu,
      cpus,
      (cpu) => `CPU ${cpu}`,
    );
  if (tasks.length >= 2)
    return twoSides(
      finding,
      steps,
      width,
      (step) => step.who,
      tasks,
      (who) => who,
    );
  return besideDevice(finding, steps, width);
}

function stepsOf(finding: Finding): Step[] {
  const deciding = decidingEvidence(finding);
  const steps: Step[] = [];
  for (const [index, evidence] of finding.evidence.entries()) {
    const entry = entryOf(finding, evidence);
    const ns = evidence.t_ns ?? entry?.t_ns ?? null;
    const step: Step = {
      evidence,
      time: time(ns, evidence.t_ticks ?? entry?.t_ticks),
      ns: ns === null ? null : BigInt(ns),
      cpu: evidence.cpu ?? entry?.cpu ?? null,
      who:
        evidence.task === undefined
          ? task(entry?.task ?? null, entry?.pid ?? null)
          : task(evidence.task, evidence.pid ?? null),
      text: deed(evidence.role),
      lines: 1,
      deciding: index === deciding,
    };
    const last = steps.at(-1);
    if (last !== undefined && sameDeed(last, step)) {
      last.lines++;
      last.deciding ||= step.deciding;
      if (last.time === '-') last.time = step.time;
    } else steps.push(step);
  }
  const noun = nounOfFinding(finding);
  for (const step of steps) if (step.lines > 1) step.text += ` (${step.lines} ${noun}s)`;
  return steps;
}

/** Two lines in a row that are one step of the drawing. */
function sameDeed(one: Step, other: Step): boolean {
  return one.evidence.role === other.evidence.role && one.cpu === other.cpu && one.who === other.who;
}

function distinct<T>(values: T[]): T[] {
  return [...new Set(values)];
}

/** What goes on meanwhile, as one character a line: a mapping from its map to its unmap, a writeback likewise. */
const OPENS: Record<string, string> = {'dma-map': 'D', 'writeback-start': 'W'};
const CLOSES: Record<string, string> = {'dma-unmap': 'D', 'dma-complete': 'D', 'writeback-end': 'W'};

function twoSides<T>(
  finding: Finding,
  steps: Step[],
  width: number,
  key: (step: Step) => T,
  keys: T[],
  label: (side: T) => string,
): string[] {
  const timeWidth = Math.max(6, ...steps.map((step) => step.time.length));
  const half = Math.floor((width - timeWidth - 8) / 2);
  const left = keys[0] as T;
  const others = keys.length > 2;
  const lines: string[] = [];
  /** A step may need several lines in its column; the bars go on beside all of them. */
  const row = (when: string, bars: string, one: string[], two: string[]): void => {
    for (let at = 0; at < Math.max(one.length, two.length); at++) {
      const cells = [one[at] ?? '', two[at] ?? ''];
      lines.push(
        `${(at === 0 ? when : '').padEnd(timeWidth)} ${bars.padEnd(3)} ${clip(cells[0] ?? '', half).padEnd(half)}  ${clip(cells[1] ?? '', half)}`.trimEnd(),
      );
    }
  };
  const folded = (text: string): string[] => wrap(ascii(text), half, '  ', '');
  const tasksOf = (side: T): string[] => distinct(steps.filter((step) => key(step) === side).map((step) => step.who));
  const head = (side: T): string => {
    const who = tasksOf(side);
    return typeof side === 'number' && who.length === 1 ? `${label(side)}: ${who[0] ?? ''}` : label(side);
  };
  const rightHead = others ? `the other ${typeof left === 'number' ? 'CPUs' : 'tasks'}` : head(keys[1] as T);
  row('time', '', folded(head(left)), folded(rightHead));
  row('-'.repeat(timeWidth), '', ['-'.repeat(half)], ['-'.repeat(half)]);
  const open = new Map<string, number>();
  const bars = (): string =>
    [...open]
      .map(([letter, depth]) => (depth > 0 ? letter : ' '))
      .join('')
      .slice(0, 3);
  let last: Step | undefined;
  for (const step of steps) {
    gap(lines, last, step, timeWidth, bars());
    last = step;
    const opens = OPENS[step.evidence.role];
    if (opens !== undefined) open.set(opens, (open.get(opens) ?? 0) + 1);
    const side = key(step);
    const onLeft = side === left || side === null;
    const who = typeof side === 'number' && tasksOf(side).length > 1 ? `${step.who} ` : '';
    const words = folded(`${!onLeft && others ? `${label(side)}: ` : ''}${who}${step.text}`);
    row(step.time, bars(), onLeft ? words : [], onLeft ? [] : words);
    if (step.deciding) {
      const here = pointer(finding, step, half);
      row('', bars(), onLeft ? here : [], onLeft ? [] : here);
    }
    const closes = CLOSES[step.evidence.role];
    if (closes !== undefined) open.set(closes, Math.max(0, (open.get(closes) ?? 0) - 1));
  }
  const legend = [
    ...(open.has('D') ? ['D: mapped for DMA'] : []),
    ...(open.has('W') ? ['W: under writeback'] : []),
  ].join(', ');
  if (legend !== '')
    lines.push(`${' '.repeat(Math.max(0, Math.min(timeWidth + 1, width - legend.length - 2)))}(${legend})`);
  return lines;
}

function besideDevice(finding: Finding, steps: Step[], width: number): string[] {
  const timeWidth = Math.max(6, ...steps.map((step) => step.time.length));
  const half = Math.floor((width - timeWidth - 5) / 2);
  const row = (when: string, one: string, two: string): string =>
    `${when.padEnd(timeWidth)}  ${clip(one, half).padEnd(half)}  ${clip(two, half)}`.trimEnd();
  const first = steps[0] as Step;
  const cpu = first.cpu === null ? '' : `CPU ${first.cpu}: `;
  const other = finding.device === undefined ? 'meanwhile' : `device ${finding.device}`;
  const lines = [
    row('time', ascii(`${cpu}${first.who === '-' ? 'task unknown' : first.who}`), ascii(other)),
    row('-'.repeat(timeWidth), '-'.repeat(half), '-'.repeat(half)),
  ];
  let mapped = 0;
  let writeback = 0;
  const bar = (): string => (mapped > 0 && writeback > 0 ? '| :' : mapped > 0 ? '|' : writeback > 0 ? '  :' : '');
  let last: Step | undefined;
  for (const step of steps) {
    gap(lines, last, step, timeWidth, bar() === '' ? '' : `${' '.repeat(half + 3)}${bar()}`);
    last = step;
    const role = step.evidence.role;
    let beside = bar();
    if (role === 'dma-map') {
      mapped++;
      beside = writeback > 0 ? '+ : DMA may begin' : '+ DMA may begin';
    } else if (role === 'dma-unmap' || role === 'dma-complete') {
      beside = writeback > 0 ? '+ : DMA is over' : '+ DMA is over';
      mapped = Math.max(0, mapped - 1);
    } else if (role === 'writeback-start') {
      writeback++;
      beside = mapped > 0 ? '| + writeback begins' : '  + writeback begins';
    } else if (role === 'writeback-end') {
      beside = mapped > 0 ? '| + writeback is over' : '  + writeback is over';
      writeback = Math.max(0, writeback - 1);
    }
    wrap(step.text, half, '  ', '').forEach((text, at) =>
      lines.push(at === 0 ? row(step.time, text, beside) : row('', text, bar())),
    );
    if (step.deciding) for (const here of pointer(finding, step, half)) lines.push(row('', here, bar()));
  }
  return lines;
}

/** What happened here, under the step that it is about. */
function pointer(finding: Finding, step: Step, width: number): string[] {
  return wrap(mark(finding.rule, step.evidence.role), width, '    ', '^^^ ');
}

/** A line that tells how long nothing happened between two steps, when that is known and long enough to matter. */
function gap(lines: string[], last: Step | undefined, step: Step, timeWidth: number, beside: string): void {
  if (last === undefined || last.ns === null || step.ns === null) return;
  const length = step.ns - last.ns;
  if (length < 1_000n) return;
  lines.push(`${`+${duration(length)}`.padStart(timeWidth)} ${beside}`.trimEnd());
}
