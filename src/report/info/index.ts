/** `pinscope info` in its output forms. */
import {nounOf} from '../../words/place.js';
import {jsonDocument} from '../json.js';
import {ascii, markdownBlock, markdownText, printable, untabbed} from '../../words/clean.js';
import {factLines} from '../finding-text.js';
import {defectText} from '../../words/defects.js';
import {bytes, clip, counted, number, time, wrap} from '../../words/format.js';
import {MAIL_WIDTH} from '../mail.js';
import {paint, type Paint} from '../paint.js';
import {shownCount, type Renderer, type RenderOptions} from '../render.js';
import {textTable} from '../text-table.js';
import {advice, baseName, clockText, cutText, kernelText} from '../../words/words.js';
import type {Certificate, InfoInput, InfoReport, LossSpan} from '../../results/info.js';

export type InfoForm = 'table' | 'mail' | 'markdown' | 'json';

/** Rows of each list unless --limit says otherwise. */
const USUAL_LIMIT = 40;
const INFERRED_LIMIT = 3;
/** Columns of the name of an event. */
const EVENT_WIDTH = 29;
/** From so many columns on a table has room for what an event shows. */
const WIDE = 100;

const renderTable: Renderer<InfoReport> = function* (report, options) {
  const width = Math.max(76, Math.min(options.width, 200));
  const color = paint(options.color);
  for (const line of lines(report, options, width, color)) yield `${line}\n`;
};

const renderJson: Renderer<InfoReport> = (report, options) => jsonDocument(report, options.whole === true);

/** The same for who is asked "what is this trace?": no folders, no colour, lines that no mailer breaks. */
const renderMail: Renderer<InfoReport> = function* (report, options) {
  for (const line of lines(sent(report), options, MAIL_WIDTH, paint(false)))
    yield `${clip(ascii(untabbed(line)).trimEnd(), MAIL_WIDTH)}\n`;
};

const renderMarkdown: Renderer<InfoReport> = function* (report, options) {
  yield `## pinscope info: ${markdownText(report.inputs.map(({path}) => baseName(path)).join(', '))}\n\n`;
  yield markdownBlock([...lines(sent(report), options, 110, paint(false))]);
};

function sent(report: InfoReport): InfoReport {
  return {...report, inputs: report.inputs.map((input) => ({...input, path: baseName(input.path)}))};
}

export const INFO_RENDERERS: Record<InfoForm, Renderer<InfoReport>> = {
  table: renderTable,
  mail: renderMail,
  markdown: renderMarkdown,
  json: renderJson,
};

function* lines(report: InfoReport, options: RenderOptions, width: number, color: Paint): Iterable<string> {
  if (report.answer !== undefined) yield* [...wrap(printable(`${report.answer}.`), width), ''];
  for (const input of report.inputs) {
    yield color.strong(printable(input.path === '-' ? 'standard input' : input.path));
    yield* factLines(inputFacts(input), width, '  ');
    yield '';
  }
  yield* factLines(facts(report), width, '');
  if (report.partial !== undefined) yield* wrap(printable(report.partial), width);
  for (const {title, body} of sections(report, options, width, color)) {
    yield '';
    yield color.strong(title);
    yield* body;
  }
  yield '';
  const judged = report.rules.filter((rule) => rule.status !== 'not-run').length;
  yield `${judged} of ${report.rules.length} rules can run on ${report.inputs.length === 1 ? 'this trace' : 'these traces'}.`;
}

function inputFacts(input: InfoInput): [string, string][] {
  const packed = input.compression === 'none' ? '' : `, ${input.compression}`;
  const list: [string, string][] = [['form', `${input.format}: ${input.title}${packed}`]];
  input.evidence.forEach((reason, at) => list.push([at === 0 ? 'because' : '', reason]));
  list.push([
    'size',
    `${bytes(input.bytes)}, ${counted(input.lines, nounOf(input))}, ${counted(input.events, 'event')}`,
  ]);
  if (input.sha256 !== undefined) list.push(['sha256', input.sha256]);
  if (input.cut !== undefined) list.push(['cut', input.cut]);
  if (input.out_of_order > 0) {
    const onCpu = input.out_of_order_on_cpu;
    const same = onCpu === 0 ? 'none of them on one CPU' : `${number(onCpu)} of them on one CPU`;
    list.push(['order', `${counted(input.out_of_order, 'event')} earlier than one before, ${same}`]);
  }
  const {count, first} = input.unrecognised;
  list.push([
    'unread',
    count === 0 ? `none: every ${nounOf(input)} was understood` : `${counted(count, nounOf(input))} not understood`,
  ]);
  for (const {line, text} of first) list.push(['', `${nounOf(input)} ${line}: ${clip(untabbed(text).trim(), 100)}`]);
  return list.map(([label, text]) => [label, printable(text)]);
}

function facts(report: InfoReport): [string, string][] {
  const list: [string, string][] = [['clock', clockText(report)]];
  list.push(['kernel', kernelText(report)]);
  for (const signal of report.kernel.signals) list.push(['', signal]);
  const {names, vmemmap_base, known_by, confirmed, contradicted} = report.identity;
  list.push(['pages', names.length === 0 ? 'no event names any' : `named by ${names.join(', ')}`]);
  if (vmemmap_base !== null) {
    const pairs =
      confirmed + contradicted === 0
        ? ''
        : `; ${counted(confirmed, 'pair')} of a pointer and a PFN fit it, ${number(contradicted)} do not`;
    list.push(['', `vmemmap_base ${vmemmap_base}: ${known_by}${pairs}`]);
  }
  const {page_size, page_size_known_by} = report.identity;
  list.push(['', `page size ${number(page_size)}: ${page_size_known_by}`]);
  const {missed_by_kernel, missed_seen, matched} = report.probes;
  if (missed_by_kernel !== null)
    list.push(['probes', `${number(missed_by_kernel)} missed, as the kernel counted them`]);
  if (missed_seen !== null) {
    const all = missed_seen + matched;
    list.push([
      'probes',
      `${number(missed_seen)} of ${counted(all, 'unpin')} that page_ref events show have no probe line`,
    ]);
  }
  const silent = report.devices.filter((device) => device.never_unmaps).map((device) => device.name);
  if (silent.length > 0) {
    const more = silent.length > 5 ? ` and ${number(silent.length - 5)} more` : '';
    list.push(['never unmap', `${silent.slice(0, 5).join(', ')}${more}: their mappings are left out`]);
  }
  return list.map(([label, text]) => [label, printable(text)]);
}

interface Section {
  title: string;
  body: string[];
}

function sections(report: InfoReport, options: RenderOptions, width: number, color: Paint): Section[] {
  const out: Section[] = [];
  const add = (title: string, body: string[]): void => {
    if (body.length > 0) out.push({title, body});
  };
  if (report.header.length > 0) {
    const rows = report.header.map(({name, value}): [string, string] => [printable(name), printable(clip(value, 200))]);
    add(
      'The header says',
      cut(rows, options, (shown) => factLines(shown, width, '  ')),
    );
  }
  add(
    'Events',
    cut(report.events, options, (shown) =>
      textTable(
        [{head: 'name'}, {head: 'count', right: true}],
        shown.map(({name, count}) => [clip(printable(name), width - 16), number(count)]),
      ),
    ),
  );
  add(
    'CPUs',
    cut(report.cpus, options, (shown) =>
      textTable(
        [{head: 'cpu', right: true}, {head: 'first event'}, {head: 'last event'}, {head: 'events lost', right: true}],
        shown.map((cpu) => [
          String(cpu.cpu),
          time(cpu.start_ns, cpu.start_ticks),
          time(cpu.end_ns, cpu.end_ticks),
          cpu.lost === null ? 'some' : number(cpu.lost),
        ]),
      ),
    ),
  );
  add(
    'What the recording would have shown, losses apart',
    cut(report.certificates, options, (shown) => {
      const event = Math.min(EVENT_WIDTH, Math.max(5, ...shown.map((c) => c.event.length)));
      const shows = width < WIDE ? 0 : Math.max(5, ...shown.map((c) => c.shows.length));
      const wide = shows > 0 ? [{head: 'shows', width: shows}] : [];
      const rest = width - 4 - event - (shows > 0 ? shows + 2 : 0);
      return textTable(
        [{head: 'event', width: event}, ...wide, {head: 'certified', width: rest}],
        shown.map((c) => [
          clip(printable(c.event), event),
          ...(shows > 0 ? [c.shows] : []),
          printable(certifiedText(c)),
        ]),
      );
    }),
  );
  add('Where events are missing', missingLines(report.losses, options, width));
  add('Laws that complete captures obey', lawLines(report.laws));
  add(
    'Devices',
    cut(report.devices, options, (shown) =>
      textTable(
        [{head: 'name'}, {head: 'maps', right: true}, {head: 'unmaps', right: true}, {head: ''}],
        shown.map((device) => [
          clip(printable(device.name), 40),
          number(device.maps),
          number(device.unmaps),
          device.never_unmaps ? 'never unmaps' : '',
        ]),
      ),
    ),
  );
  add(
    'What is wrong with it',
    report.quality.flatMap((counter) => {
      const text = printable(`${counter.severity}: ${defectText(counter)}${advice(counter.advice)}`);
      return wrap(text, width, '      ', '  ').map((line, at) =>
        at === 0 ? line.replace(counter.severity, color.severity(counter.severity, counter.severity)) : line,
      );
    }),
  );
  add('Rules', ruleLines(report, color));
  // where no rule can run the first line has said it
  if (report.answer === undefined)
    add(
      'What to record for the rest',
      report.record.flatMap((item) => recordLines(item, width)),
    );
  return out;
}

/** The first so many of a list, and how many are not shown. */
function cut<T>(items: T[], options: RenderOptions, render: (shown: T[]) => string[]): string[] {
  if (items.length === 0) return [];
  const shown = shownCount(options, USUAL_LIMIT, items.length);
  const hidden = items.length - shown;
  return [...render(items.slice(0, shown)), ...(hidden > 0 ? [`  ${cutText(hidden)}`] : [])];
}

/** CPUs that are told one by one. */
const CPUS_TOLD = 2;

/** Where it is certified and by what, and where it is not. */
function certifiedText({known_by, cpus, never_on, doubts}: Certificate): string {
  const span = (cpu: Certificate['cpus'][number]): string =>
    `${cpu.cpu < 0 ? '' : `CPU ${cpu.cpu} `}${time(cpu.start_ns, cpu.start_ticks)} to ${time(cpu.end_ns, cpu.end_ticks)}`;
  const seen = cpus.length <= CPUS_TOLD ? cpus.map(span).join(', ') : `${cpus.length} CPUs, from first to last on each`;
  return [
    known_by !== 'announced' ? `by sight: ${seen}` : doubts.length > 0 ? 'announced' : 'everywhere: announced',
    ...(never_on.length > 0 ? [`not on CPU ${runsText(never_on)}`] : []),
    ...doubts,
  ].join('; ');
}

/** `0, 2-5, 7`: numbers in ascending order. */
function runsText(numbers: readonly number[]): string {
  const runs: string[] = [];
  for (let i = 0; i < numbers.length;) {
    let end = i;
    while (numbers[end + 1] === numbers[end]! + 1) end++;
    runs.push(end === i ? String(numbers[i]) : `${numbers[i]}-${numbers[end]}`);
    i = end + 1;
  }
  return runs.join(', ');
}

/** A law a line; one for all where none is broken. */
function lawLines(laws: InfoReport['laws']): string[] {
  const broken = laws.filter((law) => law.broken > 0);
  if (broken.length === 0)
    return [`  all ${laws.length} are obeyed: nothing shows that events are missing without a mark`];
  return broken.map(
    ({words, broken: n, first}) =>
      `  broken ${n === 1 ? 'once' : `${number(n)} times`}: ${words}${first ? ` (first: ${first.why})` : ''}`,
  );
}

/** Losses that the trace tells of, then those that only the counts betray: of these the first few. */
function missingLines(losses: LossSpan[], options: RenderOptions, width: number): string[] {
  const told = losses.filter((loss) => loss.line !== null);
  const inferred = losses.filter((loss) => loss.line === null);
  const out = cut(told, options, (shown) => shown.flatMap((loss) => lossLines(loss, width)));
  const few = {...options, limit: options.limit ?? INFERRED_LIMIT};
  return [...out, ...cut(inferred, few, (shown) => shown.flatMap((loss) => lossLines(loss, width)))];
}

function lossLines(loss: LossSpan, width: number): string[] {
  const start = time(loss.start_ns, loss.start_ticks);
  const end = time(loss.end_ns, loss.end_ticks);
  const from = start === '-' ? 'from the beginning' : `from ${start}`;
  const to = end === '-' ? 'to the end' : `to ${end}`;
  const cpu = loss.cpu === null ? 'any CPU' : `CPU ${loss.cpu}`;
  return wrap(printable(`${cpu}, ${from} ${to}: ${loss.why}`), width, '      ', '  ');
}

function ruleLines(report: InfoReport, color: Paint): string[] {
  const words = {ran: 'can run', partial: 'in part', 'not-run': 'cannot run'};
  const name = Math.max(...report.rules.map((rule) => rule.id.length));
  return report.rules.map((rule) => {
    const text = words[rule.status];
    const tint = rule.status === 'ran' ? color.good(text) : rule.status === 'partial' ? text : color.strong(text);
    return `  ${rule.id.padEnd(name)}  ${tint}`;
  });
}

function recordLines(item: InfoReport['record'][number], width: number): string[] {
  return [
    ...wrap(printable(item.events), width, '      ', '  - '),
    ...wrap(printable(item.advice), width, '    '),
    ...wrap(printable(`for ${item.for_rules.join(', ')}`), width, '      ', '    '),
  ];
}
