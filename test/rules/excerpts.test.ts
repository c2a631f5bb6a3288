import {readFileSync} from 'node:fs';
import path from 'node:path';
import {gunzipSync} from 'node:zlib';
import {expect, test} from 'vitest';
import {analyzeText} from './analyze-text.js';

const SAMPLE = path.join(import.meta.dirname, '../../sample-traces/ftrace/misuse-6.12-page_ref.txt.gz');
const HEAD =
  'From: A <a@example.org>\nTo: linux-mm@example.org\nSubject: trace\nMessage-ID: <1@example.org>\n\nHere:\n\n';

test('a trace that somebody quotes in a mail makes nothing sure, whatever a line of it shows by itself', async () => {
  const text = gunzipSync(readFileSync(SAMPLE)).toString();
  const whole = await analyzeText(text);
  expect(whole.summary.by_verdict.sure).toBeGreaterThan(0);
  const quoted = await analyzeText(HEAD + text.replaceAll(/^/gm, '> '));
  expect(quoted.findings.length).toBeGreaterThan(0);
  expect(quoted.summary.by_verdict.sure).toBe(0);
});
