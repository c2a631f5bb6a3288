/** A leak is drawn where its owner ends: the pin is older, and right. */
import {describe, expect, it} from 'vitest';
import {pictureOf} from '../../src/report/html/picture.js';
import {drawRace} from '../../src/report/race.js';
import {mark} from '../../src/words/words.js';
import {analyzeFiles} from '../rules/analyze-text.js';

describe('a leak', async () => {
  const report = await analyzeFiles(['sample-traces/ftrace/misuse-6.12-page_ref.txt.gz']);
  const finding = report.findings.find(({rule, severity}) => rule === 'pin-leak' && severity === 'error')!;

  it('is marked at the end of its owner, in the drawing', () => {
    const lines = drawRace(finding, 78);
    const at = lines.findIndex((line) => line.includes('^^^ owner gone, pin still held'));
    expect(lines[at - 1]).toContain('the owner ends');
  });

  it('is marked there in the picture, which reaches from the pin to it', () => {
    const picture = pictureOf(report, finding, finding.pages[0]!, null)!;
    expect(picture.to).toBeGreaterThan(0);
    expect(picture.marks.map(({words, deciding}) => [words, deciding])).toEqual([
      ['pins the page', null],
      ['the owner ends', 'owner gone, pin still held'],
    ]);
  });

  it('whose end of owner is not in the trace is only held', () => {
    expect(mark('pin-leak', 'pin')).toBe('still held at the end');
    expect(mark('get-leak', 'get')).toBe('still held at the end');
  });
});
