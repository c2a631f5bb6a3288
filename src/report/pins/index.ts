/** `pinscope pins` in its output forms. */
import {nounOf} from '../../words/place.js';
import {jsonDocument} from '../json.js';
import {ascii, htmlText, markdownBlock, markdownCode, printable, untabbed} from '../../words/clean.js';
import {factLines} from '../finding-text.js';
import {defectText} from '../../words/defects.js';
import {bytes, clip, counted, duration, number, task, time, wrap} from '../../words/format.js';
import {continued, MAIL_WIDTH} from '../mail.js';
import {fold, table as markdownTable} from '../markdown.js';
import {paint, type Paint} from '../paint.js';
import {shownCount, type Renderer, type RenderOptions} from '../render.js';
import {trimmed, stackLines} from '../stacks.js';
import {textTable} from '../text-table.js';
import {clockText, commandText, cutText, kernelText} from '../../words/words.js';
import {histogram, livePlot} from './plot.js';
import type {Distribution, HeldPin, Holder, PinsReport} from '../../results/pins.js';

export type PinsForm = 'table' | 'mail' | 'markdown' | 'json' | 'folded';

/** Rows of each list unless --limit says otherwise. */
const USUAL_LIMIT = 10;

const renderTable: Renderer<PinsReport> = function* (report, options) {
  const width = Math.max(76, Math.min(options.width, 200));
  for (const line of allLines(report, options, width, paint(options.color))) yield `${line}\n`;
};

const renderMail: Renderer<PinsReport> = function* (report, options) {
  const lines = allLines(report, options, MAIL_WIDTH, paint(false));
  for (const line of [...lines, '', 'To repeat it:', '', ...continued(report.command)]) {
    yield `${clip(ascii(untabbed(line)).trimEnd(), MAIL_WIDTH)}\n`;
  }
};

const renderMarkdown: Renderer<PinsReport> = function* (report, options) {
  yield `## pinscope: ${counted(report.totals.pins, 'pin')} of ${counted(report.totals.pages, 'page')}\n\n`;
  yield markdownTable(
    ['', ''],
    facts(report).map(([label, text]) => [label, markdownCode(text)]),
  );
  for (const {title, lines} of sections(report, options, 110)) {
    yield `\n${fold(htmlText(title), markdownBlock(lines), true)}`;
  }
  yield `\nTo repeat it:\n\n${markdownBlock([commandText(report.command)])}`;
};

const renderJson: Renderer<PinsReport> = (report, options) => jsonDocument(report, options.whole === true);

/**
 * `root;...;leaf COUNT`, as flame graphs, speedscope and inferno take them: pins by call stack, outermost first, then those
 * of no known stack by task.
 */
const renderFolded: Renderer<PinsReport> = function* ({stacks, tasks, totals}) {
  const counts = new Map<string, number>();
  for (const {stack, pins} of stacks) {
    // a semicolon or a space in a frame would be another frame, or the count
    const folded = (stack ?? []).map((frame) => printable(frame.replace(/[+ ].*/s, '')).replaceAll(';', ':'));
    const key = folded.length > 0 ? folded.toReversed().join(';') : '(no stack)';
    counts.set(key, (counts.get(key) ?? 0) + pins);
  }
  if (counts.size === 0) for (const {task: of, pins} of tasks) counts.set(comm(of), (counts.get(comm(of)) ?? 0) + pins);
  const told = [...counts.values()].reduce((sum, n) => sum + n, 0);
  for (const [folded, n] of counts) yield `${folded} ${n}\n`;
  if (told < totals.pins) yield `(no stack) ${totals.pins - told}\n`;
};

function comm(of: Holder['task']): string {
  return of === null ? '(no task)' : printable(of.comm).replaceAll(/[; ]/g, '_');
}

export const PINS_RENDERERS: Record<PinsForm, Renderer<PinsReport>> = {
  folded: renderFolded,
  table: renderTable,
  mail: renderMail,
  markdown: renderMarkdown,
  json: renderJson,
};

interface Section {
  title: string;
  lines: string[];
}

function allLines(report: PinsReport, options: RenderOptions, width: number, color: Paint): string[] {
  const out = factLines(facts(report), width, '');
  for (const {title, lines} of sections(report, options, width)) out.push('', color.strong(title), ...lines);
  if (report.partial !== undefined) out.push('', printable(report.partial));
  return out;
}

function facts(report: PinsReport): [string, string][] {
  const list: [string, string][] = [];
  for (const input of report.inputs) {
    const name = input.path === '-' ? 'standard input' : input.path;
    list.push(['input', `${name}: ${input.format}, ${bytes(input.bytes)}, ${counted(input.lines, nounOf(input))}`]);
    if (input.sha256 !== undefined) list.push(['sha256', input.sha256]);
  }
  const {filters = []} = report;
  if (filters.length > 0)
    list.push(['shows', `only pins within ${filters.map(({flag, value}) => `${flag} ${value}`).join(' ')}`]);
  list.push(['clock', clockText(report)], ['kernel', kernelText(report)]);
  for (const counter of report.quality) list.push([counter.severity, defectText(counter)]);
  const {pins, pages, unpins, from_before, held_at_end, longterm, longterm_in_cma, ...rest} = report.totals;
  const held = held_at_end - rest.held_from_before;
  list.push([
    'pins',
    pins === 0
      ? 'none taken'
      : `${number(pins)} taken on ${counted(pages, 'page')}: ${partsOf(pins, [
          [rest.dropped_here, 'dropped'],
          [rest.gone, 'gone with their page, or taken back'],
          [held, 'still held at the end of the trace'],
        ])}`,
  ]);
  if (rest.held_from_before > 0)
    list.push(['', `${number(rest.held_from_before)} from before the trace are still held at its end`]);
  if (unpins > 0)
    list.push([
      'unpins',
      `${number(unpins)}: ${partsOf(unpins, [
        [rest.dropped_here, 'of pins taken here'],
        [from_before, 'of pins from before the trace'],
        [rest.unexplained, 'that no pin in view explains'],
      ])}`,
    ]);
  if (longterm > 0) list.push(['long-term', `${number(longterm)}, ${number(longterm_in_cma)} of them in CMA`]);
  return list.map(([label, text]) => [label, printable(text)]);
}

/** `73 dropped, 29 still held`; `all dropped` */
function partsOf(total: number, parts: [number, string][]): string {
  const some = parts.filter(([count]) => count > 0);
  const [only] = some;
  if (some.length === 1 && only?.[0] === total) return `all ${only[1]}`;
  return some.map(([count, what]) => `${number(count)} ${what}`).join(', ');
}

function sections(report: PinsReport, options: RenderOptions, width: number): Section[] {
  const list: Section[] = [];
  if (report.live !== null && report.live.most.length > 0) {
    const {peak, peak_ns} = report.live;
    const title = `Live pins over time: at most ${number(peak)}, at ${time(peak_ns)}`;
    list.push({title, lines: livePlot(report.live, width - 2, report.span.end_ns).map((line) => `  ${line}`)});
  }
  if (report.tasks.length > 0) list.push({title: 'Who pins, by task', lines: taskTable(report.tasks, options, width)});
  const names = namesOf(report.tasks);
  if (names.length > 0) list.push({title: 'Who pins, by name', lines: nameTable(names, options, width)});
  if (report.stacks.length > 0) {
    list.push({title: 'Who pins, by call stack', lines: stackList(report.stacks, options, width)});
  }
  if (report.hold !== null) list.push({title: 'Time held, ns', lines: spread(report.hold, width)});
  for (const {device, times} of report.unmap_to_unpin) {
    list.push({title: printable(`Time from unmap to unpin on ${device}, ns`), lines: spread(times, width)});
  }
  if (report.longest.length > 0) list.push({title: 'Held longest', lines: heldTable(report.longest, options, width)});
  if (report.longterm.length > 0) {
    const lines = heldTable(report.longterm, options, width);
    const same = lines.join('\n') === heldTable(report.longest, options, width).join('\n');
    list.push({title: 'Long-term pins (FOLL_LONGTERM)', lines: same ? ['  those held longest, above'] : lines});
  }
  return list;
}

function spread(times: Distribution, width: number): string[] {
  const {count, min_ns, p50_ns, p90_ns, p99_ns, max_ns} = times;
  const numbers = `${counted(count, 'pin')}: least ${duration(min_ns)}, median ${duration(p50_ns)}, 90 % ${duration(p90_ns)}, 99 % ${duration(p99_ns)}, most ${duration(max_ns)}`;
  return [...wrap(numbers, width, '    ', '  '), ...histogram(times, width - 2).map((line) => `  ${line}`)];
}

function holdCells(hold: Distribution | null): string[] {
  return hold === null ? ['-', '-', '-'] : [hold.p50_ns, hold.p99_ns, hold.max_ns].map((ns) => duration(ns));
}

function taskTable(holders: Holder[], options: RenderOptions, width: number): string[] {
  const shown = shownCount(options, USUAL_LIMIT, holders.length);
  const rows = holders
    .slice(0, shown)
    .map((holder) => [
      clip(printable(holder.task === null ? '-' : task(holder.task.comm, holder.task.pid)), Math.min(30, width - 52)),
      number(holder.pins),
      number(holder.pages),
      number(holder.held_at_end),
      ...holdCells(holder.hold),
    ]);
  const heads = ['pins', 'pages', 'held', 'median', '99 %', 'longest'].map((head) => ({head, right: true}));
  return [...textTable([{head: 'task'}, ...heads], rows), ...cutLine(holders.length - shown)];
}

interface Named {
  comm: string;
  tasks: number;
  pins: number;
  held: number;
}

/** Tasks of one name together, most pins first; none where no name is of several tasks. */
function namesOf(tasks: readonly Holder[]): Named[] {
  const names = new Map<string, Named>();
  for (const {task: of, pins, held_at_end} of tasks) {
    const name = of?.comm ?? '-';
    const known = names.get(name) ?? {comm: name, tasks: 0, pins: 0, held: 0};
    names.set(name, {...known, tasks: known.tasks + 1, pins: known.pins + pins, held: known.held + held_at_end});
  }
  if (names.size === tasks.length) return [];
  return [...names.values()].toSorted((a, b) => b.pins - a.pins);
}

function nameTable(names: readonly Named[], options: RenderOptions, width: number): string[] {
  const shown = shownCount(options, USUAL_LIMIT, names.length);
  const rows = names
    .slice(0, shown)
    .map(({comm: name, tasks, pins, held}) => [
      clip(printable(name), Math.min(30, width - 40)),
      number(tasks),
      number(pins),
      number(held),
    ]);
  const heads = ['tasks', 'pins', 'held'].map((head) => ({head, right: true}));
  return [...textTable([{head: 'name'}, ...heads], rows), ...cutLine(names.length - shown)];
}

function stackList(holders: Holder[], options: RenderOptions, width: number): string[] {
  const shown = shownCount(options, USUAL_LIMIT, holders.length);
  const stacks = trimmed(holders.slice(0, shown).map((holder) => ({role: '', frames: framesOf(holder)})));
  const out: string[] = [];
  holders.slice(0, shown).forEach((holder, at) => {
    const held = holder.held_at_end > 0 ? `, ${number(holder.held_at_end)} still held` : '';
    const hold =
      holder.hold === null
        ? ''
        : `, held ${duration(holder.hold.p50_ns)} at median, ${duration(holder.hold.max_ns)} at most`;
    const head = `${counted(holder.pins, 'pin')} of ${counted(holder.pages, 'page')}${held}${hold}`;
    out.push(...wrap(head, width, '    ', '  '));
    const stack = stacks[at];
    if (stack !== undefined) out.push(...stackLines(stack).map((line) => `    ${printable(line)}`));
  });
  return [...out, ...cutLine(holders.length - shown)];
}

function heldTable(pins: HeldPin[], options: RenderOptions, width: number): string[] {
  const shown = shownCount(options, USUAL_LIMIT, pins.length);
  const cma = pins.some((pin) => pin.cma === true);
  const rows = pins
    .slice(0, shown)
    .map((pin) => [
      pin.order > 0 ? `${pin.pfn} (order ${pin.order})` : pin.pfn,
      pin.held_ns === null ? '-' : duration(pin.held_ns),
      time(pin.start_ns),
      pin.end_ns === null ? 'held' : time(pin.end_ns),
      clip(
        printable(pin.task === null ? '-' : task(pin.task.comm, pin.task.pid)),
        Math.min(24, width - (cma ? 61 : 56)),
      ),
      String(pin.line),
      ...(cma ? [pin.cma === true ? 'CMA' : ''] : []),
    ]);
  const columns = [
    {head: 'pfn'},
    {head: 'held', right: true},
    {head: 'from'},
    {head: 'to'},
    {head: 'task'},
    {head: 'line', right: true},
    ...(cma ? [{head: ''}] : []),
  ];
  return [...textTable(columns, rows), ...cutLine(pins.length - shown)];
}

function cutLine(hidden: number): string[] {
  return hidden > 0 ? [`  ${cutText(hidden)}`] : [];
}

function framesOf(holder: Holder): string[] {
  return holder.stack === null || holder.stack.length === 0 ? ['(no stack)'] : holder.stack;
}
