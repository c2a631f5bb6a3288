/** `pinscope history` in its output forms. */
import {type Noun, nounOf, nounOfAll} from '../../words/place.js';
import {jsonDocument} from '../json.js';
import {ascii, htmlText, markdownBlock, markdownCode, markdownText, printable, untabbed} from '../../words/clean.js';
import {factLines} from '../finding-text.js';
import {defectText} from '../../words/defects.js';
import {bytes, counted, wrap} from '../../words/format.js';
import {continued, MAIL_WIDTH} from '../mail.js';
import {fold, table} from '../markdown.js';
import {paint, type Paint} from '../paint.js';
import {shownCount, type Renderer, type RenderOptions} from '../render.js';
import {clockText, commandText, cutText, kernelText} from '../../words/words.js';
import {absentText, generationTitle, lifeLines} from './lines.js';
import type {HistoryReport, PageHistory} from '../../results/history.js';

export const HISTORY_FORMS = ['table', 'mail', 'markdown', 'json'] as const;
export type HistoryForm = (typeof HISTORY_FORMS)[number];

/** Pages shown unless --limit says otherwise. */
const USUAL_LIMIT = 10;

const renderTable: Renderer<HistoryReport> = function* (report, options) {
  const width = Math.max(76, Math.min(options.width, 200));
  const color = paint(options.color);
  for (const line of factLines(opening(report), width, '')) yield `${line}\n`;
  const {pages, hidden} = cut(report, options);
  for (const page of pages) {
    for (const at of page.generations.keys()) {
      yield '\n';
      for (const line of wrap(generationTitle(page, at), width, '  ', '')) yield `${color.strong(line)}\n`;
      yield* generationLines(page, at, nounOfAll(report.inputs), width, color);
    }
  }
  yield* closing(report, hidden, width);
};

const renderMail: Renderer<HistoryReport> = function* (report, options) {
  const {pages, hidden} = cut(report, options);
  const text = function* (): Iterable<string> {
    yield* factLines(opening(report), MAIL_WIDTH, '').map((line) => `${line}\n`);
    for (const page of pages) {
      for (const at of page.generations.keys()) {
        yield '\n';
        for (const line of wrap(ascii(generationTitle(page, at)), MAIL_WIDTH)) yield `${line}\n`;
        yield '\n';
        yield* generationLines(page, at, nounOfAll(report.inputs), MAIL_WIDTH);
      }
    }
    yield* closing(report, hidden, MAIL_WIDTH);
    yield `\nTo repeat it:\n\n${continued(report.command).join('\n')}\n`;
  };
  for (const piece of text()) {
    for (const line of piece.replace(/\n$/, '').split('\n')) yield `${ascii(untabbed(line)).trimEnd()}\n`;
  }
};

const renderMarkdown: Renderer<HistoryReport> = function* (report, options) {
  yield `## pinscope: ${counted(report.pages.length, 'page')} in detail\n\n`;
  yield table(
    ['', ''],
    opening(report).map(([label, text]) => [label, markdownCode(text)]),
  );
  const {pages, hidden} = cut(report, options);
  for (const page of pages) {
    for (const at of page.generations.keys()) {
      const body = markdownBlock(
        [...generationLines(page, at, nounOfAll(report.inputs), 110)].map((line) => line.trimEnd()),
      );
      yield `\n${fold(htmlText(generationTitle(page, at)), body, pages.length === 1)}`;
    }
  }
  if (hidden > 0) yield `\n${markdownText(cutText(hidden))}\n`;
  const absent = absentText(report);
  if (absent !== null) yield `\n${markdownText(absent)}\n`;
  yield `\nTo repeat it:\n\n${markdownBlock([commandText(report.command)])}`;
};

const renderJson: Renderer<HistoryReport> = (report, options) => jsonDocument(report, options.whole === true);

export const HISTORY_RENDERERS: Record<HistoryForm, Renderer<HistoryReport>> = {
  table: renderTable,
  mail: renderMail,
  markdown: renderMarkdown,
  json: renderJson,
};

function cut(report: HistoryReport, options: RenderOptions): {pages: PageHistory[]; hidden: number} {
  const shown = shownCount(options, USUAL_LIMIT, report.pages.length);
  return {pages: report.pages.slice(0, shown), hidden: report.pages.length - shown};
}

function opening(report: HistoryReport): [string, string][] {
  const list: [string, string][] = [];
  for (const input of report.inputs) {
    const name = input.path === '-' ? 'standard input' : input.path;
    list.push(['input', `${name}: ${input.format}, ${bytes(input.bytes)}, ${counted(input.lines, nounOf(input))}`]);
    if (input.sha256 !== undefined) list.push(['sha256', input.sha256]);
  }
  const shows = showsText(report);
  if (shows !== null) list.push(['shows', shows]);
  list.push(['clock', clockText(report)], ['kernel', kernelText(report)]);
  for (const counter of report.quality) list.push([counter.severity, defectText(counter)]);
  return list.map(([label, text]) => [label, printable(text)]);
}

/** What --around or the filters restrict this to; null where nothing does. */
function showsText({around, filters = [], named, only}: HistoryReport): string | null {
  const parts: string[] = [];
  if (around !== undefined) {
    const {id, key, rule, severity, verdict, message} = around;
    parts.push(
      `what is around the deciding lines (^^^) of ${id}, key ${key}: ${severity} ${rule} (${verdict}): ${message}`,
    );
  }
  const typed = (list: typeof filters): string => list.map(({flag, value}) => `${flag} ${value}`).join(' ');
  const choosing = named === true ? [] : filters.filter(({flag}) => flag !== '--time');
  const changes = filters.filter((filter) => !choosing.includes(filter));
  if (choosing.length > 0) parts.push(`pages of the findings within ${typed(choosing)}`);
  if (changes.length > 0) parts.push(`only changes within ${typed(changes)}`);
  if (only !== undefined) parts.push(`only ${only.join(', ')}`);
  return parts.length === 0 ? null : parts.join('; ');
}

function* generationLines(
  page: PageHistory,
  at: number,
  noun: Noun,
  width: number,
  color: Paint = paint(false),
): Iterable<string> {
  const generation = page.generations[at];
  if (generation === undefined) return;
  for (const line of lifeLines(generation, noun, width, '  ', color)) yield `${line}\n`;
  const others = at === page.generations.length - 1 ? (page.generations_left_out ?? 0) : 0;
  if (others > 0) yield `\n  ${counted(others, 'other generation')} of ${page.pfn}: see --pfn ${page.pfn}\n`;
}

function* closing(report: HistoryReport, hidden: number, width: number): Iterable<string> {
  if (hidden > 0) yield `\n${cutText(hidden)}\n`;
  const absent = absentText(report);
  if (absent !== null) for (const line of ['', ...wrap(absent, width)]) yield `${line}\n`;
  if (report.partial !== undefined) yield `\n${printable(report.partial)}\n`;
}
