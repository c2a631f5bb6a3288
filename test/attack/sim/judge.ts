/** The findings of a recording, held against what happened. */
import type {Finding} from '../../../src/results/report.js';
import type {Run} from './simulate.js';
import type {Hold, Truth, Wrong} from './truth.js';

/** What may rightly be told instead, or as well, of one deed. */
const KIN: Record<string, readonly string[]> = {
  'pin-leak': ['put-on-pin'],
  'free-while-dma': ['unpin-while-dma'],
  'unpin-while-dma': ['free-while-dma'],
  'put-on-pin': ['pin-leak'],
  'free-while-pinned': ['put-on-pin'],
  'writeback-while-pinned': ['dirty-after-writeback'],
  'dirty-after-unpin': ['dirty-after-writeback'],
  'writeback-while-dma': ['writeback-while-pinned'],
};
const UNTIMED: readonly string[] = ['pin-leak', 'get-leak', 'put-on-pin'];
const SLACK_NS = 3_000_000;
/** What is dropped so soon before the end may be printed after it. */
const ENDING_NS = 50_000;

export interface Judgement {
  /** findings that are sure, and untrue: `rule pfn: message` */
  falselySure: string[];
  falselyPossible: string[];
  /** pages of planted bugs, and how they were told */
  planted: (Wrong & {told: 'sure' | 'possible' | 'missed'; reason: string})[];
}

/** `slack_ns`: by how much times may be off, besides what a deed takes; `end_ns`: when the recording ended, if that is known. */
export function judge(run: Run, findings: readonly Finding[], slack_ns = 0, end_ns?: number): Judgement {
  const {wrongs, spoilt} = run.truth;
  const slack = SLACK_NS + slack_ns;
  const falselySure: string[] = [];
  const falselyPossible: string[] = [];
  for (const finding of findings) {
    if (finding.severity === 'note' && finding.verdict !== 'sure') continue;
    const rules = [finding.rule, ...(KIN[finding.rule] ?? [])];
    for (const page of finding.pages) {
      const [from, to] = spanOf(finding, page);
      const then = ({rule, t}: Wrong): boolean =>
        UNTIMED.includes(finding.rule) || UNTIMED.includes(rule) || (t >= from - slack && t <= to + slack);
      const so =
        finding.severity === 'note'
          ? noted(run.truth, finding.rule, page, [from - slack, to + slack], end_ns)
          : wrongs.some((wrong) => rules.includes(wrong.rule) && covers(page, wrong.pfn) && then(wrong));
      if (so || spoilt.some((folio) => Number(page.pfn) >= folio.pfn && Number(page.pfn) < folio.pfn + folio.size))
        continue;
      const told = `${finding.rule} ${finding.severity} ${page.pfn}: ${finding.message}`;
      if (finding.verdict === 'sure') falselySure.push(told);
      else falselyPossible.push(`${told} (${finding.reason ?? ''})`);
    }
  }
  const planted = wrongs
    .filter((wrong) => wrong.planted)
    .map((wrong) => {
      const found = findings.filter((f) => f.rule === wrong.rule && f.pages.some((page) => covers(page, wrong.pfn)));
      const sure = found.some(({verdict}) => verdict === 'sure');
      const told = sure ? ('sure' as const) : found.length > 0 ? ('possible' as const) : ('missed' as const);
      return {...wrong, told, reason: found.find(({reason}) => reason !== null)?.reason ?? ''};
    });
  return {falselySure, falselyPossible, planted};
}

type Page = Finding['pages'][number];

/** What no bug need be: a page written back while it is pinned, held at the end of the trace, or mapped while it was got. */
function noted(
  truth: Truth,
  rule: string,
  page: Page,
  [from, to]: [number, number],
  end_ns: number | undefined,
): boolean {
  const of = (kind: Hold['kind']): Hold[] => truth.held.filter((hold) => hold.kind === kind && meets(page, hold));
  const during = (hold: Hold, a: number, b: number): boolean => hold.taken <= b && hold.droppedAt >= a;
  switch (rule) {
    case 'writeback-while-pinned': {
      const pins = of('pin');
      return truth.writebacks.some(
        (w) => w.from <= to && w.to >= from && pins.some((pin) => pin.folio === w.folio && during(pin, w.from, w.to)),
      );
    }
    case 'pin-leak':
    case 'get-leak':
      if (end_ns === undefined) return true;
      return of(rule === 'pin-leak' ? 'pin' : 'get').some((hold) => during(hold, end_ns - ENDING_NS, end_ns));
    case 'dma-without-pin': {
      const gets = of('get');
      return truth.maps.some(
        ({window: {pages}, t}) => t >= from && t <= to && gets.some((get) => pages.has(get.first) && during(get, t, t)),
      );
    }
  }
  return true;
}

function meets(page: Page, hold: Hold): boolean {
  const first = Number(page.pfn);
  return hold.first < first + 2 ** page.order && first < hold.first + hold.pages;
}

function covers(page: Page, pfn: number): boolean {
  return pfn >= Number(page.pfn) && pfn < Number(page.pfn) + 2 ** page.order;
}

/** From the first to the last time of a page in a finding; always, where there is none. */
function spanOf(finding: Finding, page: Page): [number, number] {
  const from = page.start_ns ?? finding.start_ns;
  const to = page.end_ns ?? page.start_ns ?? finding.end_ns;
  return [from === null ? -Infinity : Number(from), to === null ? Infinity : Number(to)];
}
