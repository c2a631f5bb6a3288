import {describe, expect, it} from 'vitest';
import {analyzeFiles} from '../rules/analyze-text.js';

describe('each page of a finding', () => {
  it.each(['sample-traces/ftrace/misuse-6.12-page_ref.txt.gz', 'sample-traces/bpftrace/mixed-6.12.txt'])(
    'has its own moment, windows and lines: %s',
    async (file) => {
      const {findings} = await analyzeFiles([file]);
      const several = findings.filter((finding) => finding.pages.length > 1);
      expect(several.length).toBeGreaterThan(1);
      for (const finding of several) {
        const [first, ...others] = finding.pages;
        expect(first?.windows).toEqual(finding.windows);
        expect(first?.at_ns).toBe(finding.at_ns);
        for (const page of others.slice(0, 31)) {
          expect(page.lines?.length).toBeGreaterThan(0);
          expect(page.windows?.map(({kind}) => kind)).toEqual(finding.windows.map(({kind}) => kind));
        }
      }
      // pages pinned one by one have lines of their own, where the lines name them
      const named = several.flatMap(({pages, evidence}) =>
        pages.flatMap(({pfn, lines = []}) =>
          evidence
            .filter(({line, text}) => /\bpfn=0x/.test(text) && lines.some((one) => one.line === line))
            .map(({text}) => [pfn, /\bpfn=(0x[0-9a-f]+)/.exec(text)?.[1]]),
        ),
      );
      for (const [pfn, said] of named) expect(said).toBe(pfn);
    },
  );

  it('that is the only one needs none', async () => {
    const {findings} = await analyzeFiles(['sample-traces/ftrace/misuse-6.12-page_ref.txt.gz']);
    const single = findings.filter((finding) => finding.pages.length === 1);
    expect(single.length).toBeGreaterThan(0);
    for (const {pages} of single) expect(pages[0]).not.toHaveProperty('windows');
  });
});
