import {readFileSync} from 'node:fs';
import {beforeAll, describe, expect, inject, it} from 'vitest';
import type {Report} from '../src/results/report.js';
import {pinscope} from './commands/pinscope.js';

const trace = 'docs/examples/writeback-6.12.txt.gz';

function printed(words: string[], input = ''): string {
  const run = pinscope(words, input);
  expect(run.status, run.stderr).toBe(1);
  return run.stdout;
}

describe('a mail report', () => {
  let mail = '';
  let report: Report;

  beforeAll(() => {
    expect(inject('buildFailure')).toBe('');
    mail = printed(['analyze', trace, '--to', 'mail']);
    report = JSON.parse(printed(['analyze', trace, '--json'])) as Report;
  });

  it('is ASCII, at most 75 columns except the quoted lines, which are lines of the trace', () => {
    expect(mail).toMatch(/^[\x20-\x7e\n]*$/);
    const long = mail.split('\n').filter((line) => line.length > 75);
    expect(long.length).toBeGreaterThan(3);
    const evidence = report.findings.flatMap((finding) => finding.evidence);
    const lines = new Set(evidence.map((item) => `    ${item.text.trimStart()}`));
    for (const line of long) expect(lines).toContain(line);
  });

  it.each([
    ['as it is', (text: string) => text],
    ['in a reply', (text: string) => text.replace(/^/gm, '> ')],
    ['in a reply to a reply', (text: string) => text.replace(/^/gm, '> > ')],
  ])('holds what proves it: read back %s, the same deeds are found', (_, quote) => {
    const again = JSON.parse(printed(['analyze', '--from', 'mail', '--json', '-'], quote(mail))) as Report;
    const decided = report.findings.filter((finding) => finding.key === report.causes[0]?.worst.key);
    expect(decided).toHaveLength(1);
    for (const finding of decided) {
      const pages = new Set(finding.pages.map((page) => page.pfn));
      const found = again.findings.some(
        (other) => other.rule === finding.rule && other.pages.some((page) => pages.has(page.pfn)),
      );
      expect(found, `${finding.id} on ${[...pages].join(', ')}`).toBe(true);
    }
  });
});

it.each(['misuse-6.12-page_ref', 'misuse-6.12-probes', 'unpin-while-dma', 'writeback-while-pinned'])(
  'shows lines that are enough to find its deed again: %s',
  (name) => {
    const sample = `sample-traces/ftrace/${name}.txt.gz`;
    const {causes, findings} = JSON.parse(printed(['analyze', sample, '--json'])) as Report;
    const shown = findings.find(({key}) => key === causes[0]?.worst.key);
    const again = JSON.parse(
      pinscope(['analyze', '--json', '-'], pinscope(['analyze', sample, '--to', 'mail']).stdout).stdout,
    ) as Report;
    expect(again.findings.map(({rule, verdict}) => `${rule} ${verdict}`)).toContain(`${shown?.rule} possible`);
  },
);

it('keeps the example of a mail within its limits', () => {
  const mail = readFileSync('docs/examples/report.mail.txt', 'utf8');
  expect(mail).toMatch(/^[\x20-\x7e\n]*$/);
  for (const line of mail.split('\n')) if (!/^ {4}\S/.test(line)) expect(line.length, line).toBeLessThanOrEqual(75);
  expect(mail.split('\n').length).toBeLessThanOrEqual(101);
});
