/** Holds what pinscope says of a trace against what the work did. */
import type {Finding, Report} from '../../src/results/report.js';

/** One line of truth of guest/work.c. */
export interface Deed {
  name: string;
  t0: bigint;
  t1: bigint;
  pfns: string[];
  /** done while events were lost on purpose: what it was can be found, but need not */
  lost?: true;
}

interface Expectation {
  /** rules that must name every page of the deed */
  must: string[];
  /** rules that must name one of them at least */
  some?: string[];
  /** rules that may name some of them: what the deed also is, or what depends on timing */
  may: string[];
}

/** By deed; what is not listed must stay without any finding. */
export function expectation(deed: string, series: string): Expectation {
  switch (deed) {
    case 'ACROSS_LOSS':
      // waits for the loss
      return {must: ['unpin-while-dma'], may: ['long-pin']};
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
    case 'SYNCED_READ': {
      // The file was synced meanwhile. Before 6.5 direct I/O takes plain references.
      const plain = series === '5.10' || series === '6.1';
      const rule = plain ? 'writeback-while-dma' : 'writeback-while-pinned';
      const also = plain ? 'dma-without-pin' : 'dirty-after-writeback';
      // A sync that began and ended within the read wrote a page back: which pages were dirty then is timing. Of the
      // other reads some meet the beginning or the end of a writeback.
      return deed === 'SYNCED_READ' ? {must: [], some: [rule], may: [also]} : {must: [], may: [rule, also]};
    }
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
/**
 * A read that has returned may not be over: pages that were cleaned meanwhile are dirtied again and unpinned by a worker
 * (bio_check_pages_dirty(), block/bio.c).
 */
const AFTER_READ_NS = 50_000_000n;

/** The pages of a deed that a finding names at the time of the deed. */
export function concerns(finding: Finding, deed: Deed): string[] {
  const slack = deed.name === 'FILEMAP_READ' || deed.name === 'SYNCED_READ' ? AFTER_READ_NS : SLACK_NS;
  return finding.pages
    .filter((page) => {
      if (!deed.pfns.includes(page.pfn)) return false;
      const start = BigInt(page.start_ns ?? finding.start_ns ?? 0);
      const end = BigInt(page.end_ns ?? finding.end_ns ?? start);
      return start <= deed.t1 + slack && end >= deed.t0 - SLACK_NS;
    })
    .map((page) => page.pfn);
}

/** From here on a pin is a long one (--long-pin). */
const LONG_PIN_NS = 1_000_000_000n;

/** What was done at least while a recording was made of: everything, one process only, the mistakes only, none of them. */
const LEAST = {
  all: {EARLY_UNPIN: 3, GOOD: 4, ODIRECT: 6, URING_FIXED: 1, SYNCED_READ: 10, LEAK_PIN: 1},
  process: {EARLY_UNPIN: 3, GOOD: 4, ODIRECT: 6, LEAK_PIN: 1},
  bad: {EARLY_UNPIN: 3, LEAK_PIN: 1},
  right: {ODIRECT: 6, URING_FIXED: 1, SYNCED_READ: 10},
} as const;

/** A missed event may have been of as many pages: the work's reads are of four. */
const PAGES_OF_AN_EVENT = 4;

/** What kind of recording is judged; of everything, by default. */
export interface Judgement {
  part?: keyof typeof LEAST;
  /** how many events are missing, as the trace says itself: so many pages may have findings that are only possible */
  missed?: number;
  /** recorded and reported for these rules only */
  rules?: readonly string[];
}

/** What is expected of a deed in such a recording. */
function asked(deed: Deed, series: string, {rules, part}: Judgement): Required<Expectation> {
  const {must, some = [], may: mayBe} = expectation(deed.name, series);
  // on an emulated machine that gets little time a read may hold its pins that long
  const may = deed.t1 - deed.t0 > LONG_PIN_NS ? [...mayBe, 'long-pin'] : mayBe;
  if (deed.lost) return {must: [], some: [], may: [...must, ...some, ...may]};
  const those = (list: string[]) => (rules === undefined ? list : list.filter((rule) => rules.includes(rule)));
  // the end of a writeback comes in an interrupt, or in a worker: not in a recording of one process
  const sees = (rule: string) => part !== 'process' || rule !== 'dirty-after-writeback';
  return {must: those(must).filter(sees), some: those(some), may: [...those(may), ...must.filter((r) => !sees(r))]};
}

/** What is wrong, one line each; empty when pinscope found exactly what was done. */
export function judge(report: Report, deeds: Deed[], series: string, judgement: Judgement = {}): string[] {
  const {part = 'all', missed = 0} = judgement;
  const wrong: string[] = [];
  const explained = new Set<string>();
  for (const deed of deeds) {
    const {must, some, may} = asked(deed, series, judgement);
    const missing = new Map(must.map((rule) => [rule, new Set(deed.pfns)]));
    const absent = new Set(some);
    for (const finding of report.findings) {
      const pages = concerns(finding, deed);
      if (pages.length === 0) continue;
      if ([...must, ...some, ...may].includes(finding.rule)) {
        absent.delete(finding.rule);
        for (const pfn of pages) {
          explained.add(`${finding.id} ${pfn}`);
          missing.get(finding.rule)?.delete(pfn);
        }
      }
    }
    for (const [rule, pfns] of missing) {
      if (pfns.size > 0) wrong.push(`${deed.name} at ${deed.t0}: no ${rule} on ${[...pfns].join(', ')}`);
    }
    for (const rule of absent) wrong.push(`${deed.name} at ${deed.t0}: no ${rule} on any of ${deed.pfns.join(', ')}`);
  }
  const doubtful = new Map<string, string>();
  for (const finding of report.findings) {
    for (const page of finding.pages) {
      if (explained.has(`${finding.id} ${page.pfn}`)) continue;
      const line = `${finding.rule} (${finding.severity}, ${finding.verdict}) on ${page.pfn} at ${page.start_ns}: nobody did that`;
      if (finding.verdict === 'possible') doubtful.set(`${page.pfn} ${page.start_ns}`, line);
      else wrong.push(line);
    }
  }
  if (doubtful.size > missed * PAGES_OF_AN_EVENT) wrong.push(...doubtful.values());
  for (const [name, least] of Object.entries(LEAST[part])) {
    const count = deeds.filter((deed) => deed.name === name && !deed.lost).length;
    if (count < least) wrong.push(`the work did only ${count} ${name}`);
  }
  return wrong;
}
