/** Holds what pinscope says of a trace against what the work did. */
import type {Finding, Report} from '../../src/report/types.js';

/** One line of truth of guest/work.c. */
export interface Deed {
  name: string;
  t0: bigint;
  t1: bigint;
  pfns: string[];
}

interface Expectation {
  /** rules that must name every page of the deed */
  must: string[];
  /** rules that may name some of them: what the deed also is, or what depends on timing */
  may: string[];
}

/** By deed; what is not listed must stay without any finding. */
export function expectation(deed: string, series: string): Expectation {
  switch (deed) {
    case 'EARLY_UNPIN':
      return {must: ['unpin-while-dma'], may: []};
    case 'FREE_WHILE_DMA':
      return {must: ['unpin-while-dma', 'free-while-dma'], may: []};
    case 'UNPIN_TWICE':
      return {must: ['unpin-without-pin'], may: []};
    case 'LEAK_PIN':
      // held until the end of the trace, which is more than a second later where the recorder is slow
      return {must: ['pin-leak'], may: ['long-pin']};
    case 'WRITEBACK_PINNED':
      // written by the device for all that is known, cleaned by the writeback, dirtied at unpin
      return {must: ['writeback-while-pinned', 'dirty-after-writeback'], may: []};
    case 'DIRTY_AFTER_UNPIN':
      return {must: ['writeback-while-pinned', 'dirty-after-unpin'], may: []};
    case 'FILEMAP_READ':
      // a race on purpose: some of the reads overlap a writeback. Before 6.5 direct I/O takes plain references.
      return series === '6.1'
        ? {must: [], may: ['writeback-while-dma', 'dma-without-pin']}
        : {must: [], may: ['writeback-while-pinned', 'dirty-after-writeback']};
    default:
      return {must: [], may: []};
  }
}

/** Reads the `deed ` lines. */
export function parseDeeds(text: string): Deed[] {
  return text.split('\n').flatMap((line) => {
    const m = /^deed name=(\S+) pid=\d+ t0=(\d+) t1=(\d+) pfns=(\S+)/.exec(line);
    return m === null ? [] : [{name: m[1]!, t0: BigInt(m[2]!), t1: BigInt(m[3]!), pfns: m[4]!.split(',')}];
  });
}

/** Recorders differ by the microseconds they round to. */
const SLACK_NS = 1000n;

function concerns(finding: Finding, deed: Deed): string[] {
  return finding.pages
    .filter((page) => {
      if (!deed.pfns.includes(page.pfn)) return false;
      const start = BigInt(page.start_ns ?? finding.start_ns ?? 0);
      const end = BigInt(page.end_ns ?? finding.end_ns ?? start);
      return start <= deed.t1 + SLACK_NS && end >= deed.t0 - SLACK_NS;
    })
    .map((page) => page.pfn);
}

/** What is wrong, one line each; empty when pinscope found exactly what was done. */
export function judge(report: Report, deeds: Deed[], series: string): string[] {
  const wrong: string[] = [];
  const explained = new Set<string>();
  let races = 0;
  for (const deed of deeds) {
    const {must, may} = expectation(deed.name, series);
    const missing = new Map(must.map((rule) => [rule, new Set(deed.pfns)]));
    for (const finding of report.findings) {
      const pages = concerns(finding, deed);
      if (pages.length === 0) continue;
      if (must.includes(finding.rule) || may.includes(finding.rule)) {
        for (const pfn of pages) {
          explained.add(`${finding.id} ${pfn}`);
          missing.get(finding.rule)?.delete(pfn);
        }
        if (deed.name === 'FILEMAP_READ' && finding.rule.startsWith('writeback-while')) races++;
      }
    }
    for (const [rule, pfns] of missing) {
      if (pfns.size > 0) wrong.push(`${deed.name} at ${deed.t0}: no ${rule} on ${[...pfns].join(', ')}`);
    }
  }
  for (const finding of report.findings) {
    for (const page of finding.pages) {
      if (!explained.has(`${finding.id} ${page.pfn}`)) {
        wrong.push(
          `${finding.rule} (${finding.severity}, ${finding.verdict}) on ${page.pfn} at ${page.start_ns}: nobody did that`,
        );
      }
    }
  }
  const count = (name: string) => deeds.filter((deed) => deed.name === name).length;
  // Whether a sync meets a read is the guest's luck: that none did is no fault of the recorder.
  if (count('FILEMAP_READ') > 0 && races === 0) console.log('         no sync met a read into the mapping this time');
  for (const [name, least] of [
    ['EARLY_UNPIN', 3],
    ['GOOD', 4],
    ['ODIRECT', 6],
    ['URING_FIXED', 1],
    ['FILEMAP_READ', 20],
    ['LEAK_PIN', 1],
  ] as const) {
    if (count(name) < least) wrong.push(`the work did only ${count(name)} ${name}`);
  }
  return wrong;
}
