/** `--to json` and `--to ndjson`: the report as it stands, whole. `--limit` is the other forms' matter. */
import type {Renderer} from './render.js';
import type {Report} from '../results/report.js';

/**
 * One document. Findings are written one at a time, so that no string grows with their number: V8 cannot hold one of
 * more than about 512 MB.
 */
export const renderJson: Renderer<Report> = function* (report) {
  const {findings, ...rest} = report;
  const keys = Object.keys(report);
  yield '{';
  let first = true;
  for (const key of keys) {
    const value = key === 'findings' ? findings : (rest as Record<string, unknown>)[key];
    if (value === undefined) continue;
    yield `${first ? '' : ','}\n  ${JSON.stringify(key)}: `;
    first = false;
    if (key !== 'findings' || findings.length === 0) {
      yield indented(value, '  ');
      continue;
    }
    yield '[';
    for (const [at, finding] of findings.entries()) yield `${at === 0 ? '' : ','}\n    ${indented(finding, '    ')}`;
    yield '\n  ]';
  }
  yield '\n}\n';
};

/** Pretty-printed as it would be at that depth. JSON.stringify never leaves a newline inside a string. */
function indented(value: unknown, indent: string): string {
  return JSON.stringify(value, null, 2).replaceAll('\n', `\n${indent}`);
}

/**
 * The same content as lines: `report` (what the whole document has besides lists), then every `input`, `quality`,
 * `rule`, `cause`, `finding` and `near-miss`, and `summary` last, so that a reader that sees it knows the stream was whole.
 */
export const renderNdjson: Renderer<Report> = function* (report) {
  const {inputs, quality, rules, causes, findings, near_misses, summary, timing, partial, ...head} = report;
  yield line('report', head);
  for (const input of inputs) yield line('input', input);
  for (const counter of quality) yield line('quality', counter);
  for (const rule of rules) yield line('rule', rule);
  for (const cause of causes) yield line('cause', cause);
  for (const finding of findings) yield line('finding', finding);
  for (const miss of near_misses) yield line('near-miss', miss);
  yield line('summary', {...summary, timing, ...(partial === undefined ? {} : {partial})});
};

function line(type: string, value: object): string {
  return `${JSON.stringify({type, ...value})}\n`;
}
