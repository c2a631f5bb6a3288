/** What becomes of violations: one deed is one finding, and what is known can be left out. */
import {describe, expect, it} from 'vitest';
import {Suppressions} from '../../src/findings/suppress.js';
import {RULES} from '../../src/rules/registry.js';
import {analyzeText} from './analyze-text.js';
import {SmallKernel} from './small-kernel.js';

const P = 0x2fb0;

/** `n` pages at a time, pinned, mapped, unpinned too early. */
function early(k: SmallKernel, n = 1, unpinner?: string): void {
  const pages = Array.from({length: n}, (_, i) => P + i);
  for (const pfn of pages) k.anon(pfn);
  for (const pfn of pages) k.pin(pfn);
  for (const pfn of pages) k.map(pfn);
  for (const pfn of pages) {
    k.putPinned(pfn);
    if (unpinner) k.stack('gup_put_folio', 'unpin_user_pages', unpinner);
  }
  for (const pfn of pages) k.unmap(pfn);
  for (const pfn of pages) k.munmap(pfn);
}

describe('findings', () => {
  it('tell one deed on many pages once, with each page and its own times', async () => {
    const k = new SmallKernel();
    early(k, 4);
    const {findings} = await analyzeText(k.text());
    expect(findings).toHaveLength(1);
    expect(findings[0]!.pages.map((p) => p.pfn)).toEqual(['0x2fb0', '0x2fb1', '0x2fb2', '0x2fb3']);
    expect(new Set(findings[0]!.pages.map((p) => p.start_ns)).size).toBe(4);
    expect(findings[0]!.occurrences).toBe(4);
  });

  it('keep deeds apart that lie apart, where no stacks tell', async () => {
    const k = new SmallKernel();
    early(k);
    k.wait(100_000);
    early(k);
    const {findings} = await analyzeText(k.text());
    expect(findings.map((f) => f.occurrences)).toEqual([1, 1]);
  });

  it('are grouped by call stacks at any time, where they are traced', async () => {
    const k = new SmallKernel();
    for (const unpinner of ['good_driver_done', 'vendor_dma_done', 'good_driver_done']) {
      early(k, 1, unpinner);
      k.wait(100_000);
    }
    const {findings} = await analyzeText(k.text());
    expect(findings.map((f) => [f.occurrences, f.stacks.find((s) => s.role === 'unpin')?.frames.at(-1)])).toEqual([
      [2, 'good_driver_done'],
      [1, 'vendor_dma_done'],
    ]);
  });

  it('come in order of severity, then certainty, then time, and are numbered so', async () => {
    const k = new SmallKernel();
    k.anon(P + 9);
    k.get(P + 9);
    k.map(P + 9);
    k.unmap(P + 9);
    k.put(P + 9);
    early(k);
    const {findings} = await analyzeText(k.text());
    expect(findings.map((f) => [f.id, f.severity])).toEqual([
      ['F1', 'error'],
      ['F2', 'note'],
    ]);
  });

  it('can be suppressed by rule, comm, device and stack frame, each entry counting its hits', async () => {
    const k = new SmallKernel();
    early(k, 1, 'vendor_dma_done');
    const [finding] = (await analyzeText(k.text())).findings;
    const suppressions = Suppressions.parse(
      [
        'rule=long-pin comm=wl',
        '# a comment',
        'rule=unpin-while-dma frame=vendor_dma_done device=pinbug.0 # known since May',
        'comm=wl',
      ].join('\n'),
      'known.txt',
    );
    expect(suppressions.suppresses(finding!)).toBe(true);
    expect(suppressions.entries().map((e) => e.hits)).toEqual([0, 1, 0]);
    expect(Suppressions.parse('frame=vendor_dma', 'known.txt').suppresses(finding!)).toBe(false);
  });

  it.each(['rule=no-such-rule', 'comm', 'color=red', 'comm='])('%s is no suppression', (line) => {
    expect(() => Suppressions.parse(`\n${line}\n`, 'known.txt')).toThrow(/.+/);
  });
});

describe('every rule', () => {
  it.each(RULES.map((rule) => [rule.meta.id, rule.meta] as const))(
    '%s says what it means and where the kernel states it',
    (_, meta) => {
      expect(meta.title).not.toBe('');
      expect(meta.meaning).toMatch(/\.$/);
      expect(meta.proof).toMatch(/\.$/);
      expect(meta.lookAlikes.length).toBeGreaterThan(0);
      expect(meta.kernelDoc).toMatch(/\.(rst|c|h)\b|lkml|@/);
    },
  );

  it('is not run, with advice, on a trace that has none of its events', async () => {
    const {rules} = await analyzeText(
      '# tracer: nop\n            bash-77      [000] .....    10.000000: sched_waking: comm=a pid=1 prio=120 target_cpu=000\n',
    );
    expect(rules.map((r) => r.id)).toEqual(RULES.map((r) => r.meta.id));
    for (const rule of rules) {
      expect(rule.status).toBe('not-run');
      expect(rule.advice).not.toBe('');
    }
  });
});
