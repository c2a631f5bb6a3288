/** `--to json` and `--to ndjson`: the report as it stands, whole. `--limit` is the other forms' matter. */
import type {Renderer} from './render.js';
import type {Report} from '../results/report.js';

/** Lists whose items are written one at a time, so that no string grows with their number. */
const LISTS: ReadonlySet<string> = new Set(['findings', 'causes', 'pages']);

/**
 * One document: indented where a terminal reads it, else compact, with an item of a long list on each line. Items are written one at
 * a time: V8 cannot hold a string of more than about 512 MB.
 */
export function* jsonDocument(value: object, compact: boolean): Iterable<string> {
  yield '{';
  let first = true;
  for (const [key, item] of Object.entries(value) as [string, unknown][]) {
    if (item === undefined) continue;
    yield `${first ? '' : ','}\n${compact ? '' : '  '}${JSON.stringify(key)}:${compact ? '' : ' '}`;
    first = false;
    if (!LISTS.has(key) || !Array.isArray(item) || item.length === 0) {
      yield text(item, compact, '  ');
      continue;
    }
    yield '[';
    for (const [at, one] of (item as unknown[]).entries())
      yield `${at === 0 ? '' : ','}\n${compact ? '' : '    '}${text(one, compact, '    ')}`;
    yield compact ? '\n]' : '\n  ]';
  }
  yield '\n}\n';
}

export const renderJson: Renderer<Report> = (report, options) => jsonDocument(report, options.whole === true);

/** Pretty-printed as it would be at that depth. JSON.stringify never leaves a newline inside a string. */
function text(value: unknown, compact: boolean, indent: string): string {
  return compact ? JSON.stringify(value) : JSON.stringify(value, null, 2).replaceAll('\n', `\n${indent}`);
}

/**
 * The same content as lines: `report` (what the whole document has besides lists), then every `input`, `quality`,
 * `rule`, `cause`, `group`, `finding` and `near-miss`, and `summary` last, so that a reader that sees it knows the stream was whole.
 */
export const renderNdjson: Renderer<Report> = function* (report) {
  const {inputs, quality, rules, causes, groups, findings, near_misses, summary, timing, partial, ...head} = report;
  yield line('report', head);
  for (const input of inputs) yield line('input', input);
  for (const counter of quality) yield line('quality', counter);
  for (const rule of rules) yield line('rule', rule);
  for (const cause of causes) yield line('cause', cause);
  for (const row of groups?.rows ?? []) yield line('group', {by: groups?.by, ...row});
  for (const finding of findings) yield line('finding', finding);
  for (const miss of near_misses) yield line('near-miss', miss);
  yield line('summary', {...summary, timing, ...(partial === undefined ? {} : {partial})});
};

function line(type: string, value: object): string {
  return `${JSON.stringify({type, ...value})}\n`;
}
