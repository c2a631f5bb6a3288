/** `pinscope rules` in its output forms: the list of all rules, or the page of one. */
import {jsonDocument} from '../json.js';
import {counted, wrap} from '../../words/format.js';
import {paint, type Paint} from '../paint.js';
import type {Renderer} from '../render.js';
import type {Severity} from '../../results/report.js';
import type {RulePage, RulesReport} from '../../results/rules.js';

export type RulesForm = 'table' | 'json';

/** Beyond this a line of prose is hard to read. */
const WIDEST = 100;

const renderTable: Renderer<RulesReport> = function* (report, options) {
  const width = Math.max(76, Math.min(options.width, WIDEST));
  const color = paint(options.color);
  const [only] = report.rules;
  const lines = report.rules.length === 1 && only !== undefined ? page(only, width, color) : list(report, width, color);
  for (const line of lines) yield `${line}\n`;
};

const renderJson: Renderer<RulesReport> = (report, options) => jsonDocument(report, options.whole === true);

export const RULES_RENDERERS: Record<RulesForm, Renderer<RulesReport>> = {table: renderTable, json: renderJson};

function list(report: RulesReport, width: number, color: Paint): string[] {
  const out = [
    `${counted(report.rules.length, 'rule')}, version ${report.rules_version}. A finding says that the page...`,
  ];
  for (const rule of report.rules) {
    out.push('', color.strong(rule.id), ...wrap(`...${rule.title}`, width, '    '));
    out.push(
      ...wrap(rule.severity, width, '              ', '    severity: ').map((line) => tinted(rule, line, color)),
    );
  }
  out.push('', 'pinscope rules RULE explains one; pinscope info TRACE says which can run.');
  return out;
}

function page(rule: RulePage, width: number, color: Paint): string[] {
  const section = (title: string, ...body: string[]): string[] => ['', color.strong(title), ...body];
  const prose = (text: string): string[] => wrap(text, width, '    ');
  const items = (texts: string[]): string[] => texts.flatMap((text) => wrap(text, width, '    ', '  - '));
  return [
    color.strong(rule.id),
    ...prose(`A finding says that the page ${rule.title}.`),
    ...section('SEVERITY', ...prose(rule.severity).map((line) => tinted(rule, line, color))),
    ...section('WHAT IT MEANS', ...prose(rule.meaning)),
    ...section('WHAT PROVES IT', ...prose(rule.proof)),
    ...section(
      'PREMISES: EACH THAT A FINDING STATES IS PROVEN, OR IT IS ONLY POSSIBLE',
      ...rule.premises.flatMap(({says, proven_by}) => [
        `  - ${says}`,
        ...(proven_by === '' ? [] : wrap(`proven by ${proven_by}`, width, '      ', '    ')),
      ]),
    ),
    ...section('WHAT LOOKS LIKE IT AND IS HARMLESS', ...items(rule.look_alikes)),
    ...section(
      'WHAT TO RECORD',
      ...prose('Needed, each of them; without one the rule does not run:'),
      ...rule.needs.flatMap((source) => sourceLines(source.need, source.events, source.record, width)),
      ...(rule.helped_by.length === 0
        ? []
        : ['', ...prose('Helpful; without it the rule runs, and misses something:')]),
      ...rule.helped_by.flatMap((source) =>
        sourceLines(source.need, source.events, `${source.record}. Without: ${source.misses}`, width),
      ),
    ),
    ...section('WHERE THE KERNEL STATES IT', ...prose(rule.kernel_doc)),
  ];
}

function sourceLines(need: string, events: string, record: string, width: number): string[] {
  return [
    `  - ${need}`,
    ...wrap(`events: ${events}`, width, '      ', '    '),
    ...wrap(record, width, '      ', '    '),
  ];
}

/** Severities begin with the most that the rule can be. */
function tinted(rule: RulePage, line: string, color: Paint): string {
  const severity = /^(?:error|warning|note)/.exec(rule.severity)?.[0] as Severity | undefined;
  return severity === undefined ? line : line.replace(severity, color.severity(severity, severity));
}
