/** Every output form of a report, by the name that `--to` takes. */
import {renderHtml} from './html/render.js';
import {renderJson, renderNdjson} from './json.js';
import {renderMail} from './mail.js';
import {renderMarkdown} from './markdown.js';
import type {Renderer} from './render.js';
import {renderTable} from './table.js';
import type {Report} from '../results/report.js';

export const REPORT_FORMS = ['table', 'mail', 'markdown', 'json', 'ndjson', 'html'] as const;
export type ReportForm = (typeof REPORT_FORMS)[number];

export const REPORT_RENDERERS: Record<ReportForm, Renderer<Report>> = {
  table: renderTable,
  mail: renderMail,
  markdown: renderMarkdown,
  json: renderJson,
  ndjson: renderNdjson,
  html: renderHtml,
};
