/**
 * `--to html`: one file that needs nothing else. The report is data in it (JSON in a script element that is not run),
 * a script of the program's own draws it with textContent only, and a Content-Security-Policy allows that script and
 * that style by their hashes and nothing else: no request leaves the page, whatever a trace holds.
 */
import {createHash} from 'node:crypto';
import {readFileSync} from 'node:fs';
import {htmlText, scriptJson} from '../../words/clean.js';
import {shownCount, type Renderer} from '../render.js';
import type {Report} from '../../results/report.js';
import {pageView} from './view.js';

/** A finding takes some 13 kB: so many make a file of 25 MB, which browsers open in a second or two. The cut is told in the page. */
const USUAL_LIMIT = 2000;

/** Files of the page's one script: what a later one uses, an earlier one gives. */
const SCRIPTS = ['base.js', 'layout.js', 'overview.js', 'picture.js', 'finding.js', 'top.js', 'main.js'];

function part(name: string): string {
  return readFileSync(new URL(`./page/${name}`, import.meta.url), 'utf8');
}

export const renderHtml: Renderer<Report> = function* (report, options) {
  // beside this module in the source tree; the build copies the folder next to the bundle
  const style = part('page.css');
  const script = SCRIPTS.map(part).join('\n');
  const view = pageView(report, shownCount(options, USUAL_LIMIT, report.findings.length));
  const policy = [
    "default-src 'none'",
    `script-src '${hash(script)}'`,
    `style-src '${hash(style)}'`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  const {findings, ...rest} = view;
  yield `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<meta name="generator" content="pinscope ${htmlText(report.tool.version)}">
<title>${htmlText(title(report))}</title>
<style>${style}</style>
</head>
<body>
<noscript><p>This report is drawn by a script inside this file. Without scripts, ask for the same report as text: <code>pinscope analyze --to mail</code>.</p></noscript>
<div id="page"></div>
<script type="application/json" id="report">${scriptJson(rest)}</script>
`;
  for (const finding of findings)
    yield `<script type="application/json" class="finding">${scriptJson(finding)}</script>\n`;
  yield `<script>${script}</script>
</body>
</html>
`;
};

function title(report: Report): string {
  const name = report.inputs
    .map((input) => (input.path === '-' ? 'standard input' : (input.path.split('/').at(-1) ?? '')))
    .join(', ');
  return `pinscope: ${name}`;
}

function hash(text: string): string {
  return `sha256-${createHash('sha256').update(text, 'utf8').digest('base64')}`;
}
