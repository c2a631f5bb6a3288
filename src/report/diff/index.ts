/** The renderers of `pinscope diff`. */
import type {DiffReport, DiffRow, DiffSide} from '../../results/diff.js';
import {printable} from '../../words/clean.js';
import {counted, duration} from '../../words/format.js';
import type {Renderer, RenderOptions} from '../render.js';
import {shownCount} from '../render.js';
import {textTable} from '../text-table.js';

export type DiffForm = 'table' | 'json';

export const DIFF_RENDERERS: Record<DiffForm, Renderer<DiffReport>> = {
  table: asTable,
  json: (report) => [`${JSON.stringify(report, null, 2)}\n`],
};

/** Rows that differ are always shown; of the others so many. */
const USUAL_ROWS = 40;

function* asTable(report: DiffReport, options: RenderOptions): Iterable<string> {
  yield `good ${sideText(report.good)}\nbad  ${sideText(report.bad)}\n`;
  for (const side of ['good', 'bad'] as const) {
    const rules = report.rules_only_in[side];
    if (rules.length > 0) yield `ran in ${side} only, and cannot be compared: ${rules.join(', ')}\n`;
  }
  const told = report.rows.filter(({verdict}) => verdict !== '~' && verdict !== 'too few').length;
  const shown = Math.max(told, shownCount(options, USUAL_ROWS, report.rows.length));
  const columns = [
    {head: ''},
    {head: ''},
    {head: 'good', right: true},
    {head: 'bad', right: true},
    {head: 'ratio', right: true},
    {head: 'p', right: true},
    {head: ''},
  ];
  yield `\n${textTable(columns, report.rows.slice(0, shown).map(cells), '').join('\n')}\n`;
  const hidden = report.rows.length - shown;
  if (hidden > 0) yield `${counted(hidden, 'more row')} without a difference not shown: --limit 0\n`;
  yield `\n${verdictLine(report)}\n`;
}

function sideText(side: DiffSide): string {
  const traces = side.traces === 1 ? '' : `${counted(side.traces, 'trace')}, `;
  const losses = side.losses === 0 ? 'nothing lost' : counted(side.losses, 'loss', 'losses');
  return `${printable(side.path)}: ${traces}${side.seconds.toFixed(2)} s, of them ${side.busy_seconds.toFixed(2)} from the first pin to the last, ${counted(side.deeds, 'call')} that pin, ${losses}`;
}

const WORDS: Partial<Record<DiffRow['verdict'], string>> = {
  'new?': 'new (GOOD may have missed it)',
  'gone?': 'gone (BAD may have missed it)',
};

function cells(row: DiffRow): string[] {
  const timed = row.what === 'held' || row.what === 'unmap to unpin';
  const value = (n: number | null): string => (n === null ? '' : timed ? duration(BigInt(Math.round(n))) : String(n));
  return [
    row.what,
    printable(row.what === 'cause' ? row.name.split('|').filter(Boolean).join(' ') : row.name).slice(0, 70),
    value(row.good),
    value(row.bad),
    row.ratio === null ? '' : `x${row.ratio.toPrecision(3)}`,
    chance(/^(?:new|gone)/.test(row.verdict) ? row.p : row.p_adjusted),
    WORDS[row.verdict] ?? row.verdict,
  ];
}

function chance(p: number | null): string {
  return p === null ? '' : p < 0.001 ? '<0.001' : p.toFixed(3);
}

function verdictLine({rows, worse}: DiffReport): string {
  const count = (verdicts: string[]): number =>
    rows.filter(({what, verdict}) => what === 'cause' && verdicts.includes(verdict)).length;
  const parts = [
    [count(['new', 'new?']), 'new'],
    [count(['more']), 'more often'],
    [count(['gone', 'gone?']), 'gone'],
    [count(['fewer']), 'less often'],
    [count(['not comparable']), 'not comparable'],
  ] as const;
  const told = parts.filter(([n]) => n > 0).map(([n, word]) => `${n} ${word}`);
  const causes = told.length > 0 ? `causes: ${told.join(', ')}` : 'no cause is new, gone, more or fewer';
  return `${worse ? 'worse' : 'no worse'}: ${causes}`;
}
