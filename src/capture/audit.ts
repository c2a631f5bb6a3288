/**
 * Traces keep double entry: a return has its entry, the grabs of a call sum to what it returns, allocation and free of a
 * page alternate. Complete captures obey; a law that is broken is a loss without a mark, for the page, task or CPU it names.
 *
 * Kernel facts behind the laws: mm/gup.c (pin_user_pages_fast() returns the pages it grabbed), mm/page_alloc.c, mm/filemap.c
 * (a folio under writeback is not put under it again), kernel/dma/mapping.c.
 */
import {Gaps} from './gaps.js';

/** Kinds of events by whose absence something may be concluded. */
export type Unseen = 'mapped' | 'taken' | 'dropped' | 'put' | 'unmapped' | 'freed' | 'written back' | 'writeback ended';

export type Law =
  /** each return of a probed grab, and of a pin_user_pages call, has its entry */
  | 'return-has-entry'
  /** the grabs inside a pin_user_pages call sum to what it returns */
  | 'grabs-sum-to-return'
  /** the drops inside an unpin_user_pages call sum to its pages */
  | 'drops-sum-to-call'
  /** a free page is not pinned before it is handed out */
  | 'free-until-allocated'
  /** a task's call of the pin_user_pages family returns before the next begins */
  | 'call-returns'
  /** a page is not handed out twice; that it is freed twice proves nothing: alloc_pages_bulk() leaves no event */
  | 'allocated-then-freed'
  /** a page is not unmapped whose mapping was not made */
  | 'unmap-has-map'
  /** an address of a device is not mapped again before it was unmapped, unless for others who hold the page too */
  | 'unmapped-before-mapped-again'
  /** a small page is unpinned before it is freed */
  | 'unpinned-then-freed'
  /** a page goes under writeback, and is cleaned for it, once before that ends */
  | 'writeback-then-end'
  /** printed counts follow from the changes */
  | 'counts-add-up'
  /** the events of a CPU stand in order of time, as it wrote them */
  | 'cpu-in-order';

export interface Breach {
  law: Law;
  /** what may have happened unseen; undefined: anything about the page */
  what: Unseen | undefined;
  from: number;
  to: number;
  /** -1: any page */
  pfn: number;
  line: number;
  /** in words, for the reason of a verdict */
  why: string;
  /** the event that is missing may be as old as this: the page's life; `from` when left out */
  since?: number;
  /** nothing but `what` is in doubt: that kind of event may not be recorded whole, and nothing was lost */
  only?: true;
}

/** Most pages whose breaches are kept, and of one page. */
export const PAGES_MAX = 100_000;
const OF_A_PAGE_MAX = 16;
/** So many calls that balance, and none that does not: no path of theirs is unrecorded. */
const BALANCED = 8;
/** So many breaches of one kind of event, and its recording is not to be trusted anywhere. */
const OFTEN = 5;
/** Most missing events of one law that are kept apart. */
export const MISSING_MAX = 4096;
/**
 * Events are missing everywhere, not here and there, where breaches are so many, and one event in so many. A single law may
 * be broken by a kind of event that is not recorded whole (alloc_pages_bulk() leaves none): it takes more of it alone.
 */
const LOSSY_FEW = 3;
const LOSSY_SHARE = 1000;
const LOSSY_OF_ONE = 5;
const LOSSY_SHARE_OF_ONE = 400;
/** So many missing events are to be expected within a span, by where they may be missing, and it is not seen whole. */
const LIKELY = 0.5;
/** Laws of which a breach is no event that is missing: order, and frees that leave none. */
const NO_LOSS: ReadonlySet<Law> = new Set(['cpu-in-order']);
const OFTEN_INCOMPLETE: ReadonlySet<Law> = new Set(['allocated-then-freed']);
/** Laws that a bug breaks too: a page that is freed while it is pinned. */
const BUGS_BREAK: ReadonlySet<Law> = new Set(['unpinned-then-freed']);

export class Audit {
  readonly broken = new Map<Law, number>();
  /** the first of each law, to be shown */
  readonly first = new Map<Law, Breach>();
  private readonly pages = new Map<number, Breach[]>();
  /** of pages beside those: by what may have happened unseen */
  private readonly otherPages = new Map<Unseen | undefined, Gaps>();
  private readonly anywhere = new Map<Unseen, Gaps>();
  private readonly often = new Map<Unseen, number>();
  /** breaches that say of an event that it is missing, as far as they are kept apart; of each law how many, and the rest */
  private readonly missing: {law: Law; from: number; to: number}[] = [];
  private readonly kept = new Map<Law, number>();
  private readonly missingToo = new Map<Law, {n: number; from: number; to: number}>();
  private looked = {breaches: -1, gaps: -1, unmarked: 0, byLaw: new Map<Law, number>()};
  /** calls whose grabs summed to their return: proof that takings are recorded on every path that the calls took */
  balanced = 0;
  /** when the first of them began */
  private firstBalanced = Infinity;

  /** A call of the pin_user_pages family that began at `t` returned as many pages as it grabbed. */
  callBalanced(t: number): void {
    this.balanced++;
    this.firstBalanced = Math.min(this.firstBalanced, t);
  }

  /** Whether so many calls balanced, from a time on and none that did not, that none of their paths is unrecorded. */
  takingsBalance(from: number): boolean {
    return this.balanced >= BALANCED && this.firstBalanced <= from && !this.broken.has('grabs-sum-to-return');
  }

  /** Events of a CPU stood in another order than that of time: `n` of them, the first as `breach` says. */
  disorder(n: number, breach: Breach): void {
    this.broken.set(breach.law, (this.broken.get(breach.law) ?? 0) + n);
    if (!this.first.has(breach.law)) this.first.set(breach.law, breach);
  }

  breach(breach: Breach): void {
    const {law, what, from, to, pfn, why, line} = breach;
    const before = this.broken.get(law) ?? 0;
    this.broken.set(law, before + 1);
    if (before === 0) this.first.set(law, breach);
    if (!NO_LOSS.has(law)) this.miss(law, breach.since ?? from, to);
    if (what !== undefined) this.often.set(what, (this.often.get(what) ?? 0) + 1);
    if (pfn < 0) {
      if (what !== undefined) this.anyPage(what, from, to, why, line);
      return;
    }
    this.page(breach);
  }

  private miss(law: Law, from: number, to: number): void {
    const kept = this.kept.get(law) ?? 0;
    if (kept < MISSING_MAX) {
      this.kept.set(law, kept + 1);
      this.missing.push({law, from, to});
      return;
    }
    const more = this.missingToo.get(law);
    if (more === undefined) {
      this.missingToo.set(law, {n: 1, from, to});
      return;
    }
    more.n++;
    more.from = Math.min(more.from, from);
    more.to = Math.max(more.to, to);
  }

  /** A doubt about one page, which may have a reason that is no loss: it counts as no breach. */
  page(breach: Breach): void {
    const {pfn, from, to, why, line} = breach;
    const list = this.pages.get(pfn);
    if (list === undefined) {
      if (this.pages.size < PAGES_MAX) this.pages.set(pfn, [breach]);
      else this.otherPage(breach.only === true ? breach.what : undefined, from, to, why, line);
    } else if (list.length < OF_A_PAGE_MAX) list.push(breach);
    else list[OF_A_PAGE_MAX - 1] = both(list[OF_A_PAGE_MAX - 1]!, breach);
  }

  private otherPage(what: Unseen | undefined, from: number, to: number, why: string, line: number): void {
    let gaps = this.otherPages.get(what);
    if (gaps === undefined) this.otherPages.set(what, (gaps = new Gaps()));
    gaps.add(from, to, why, -1, line);
  }

  /** How often laws say that the record of a kind of event is incomplete. */
  incomplete(what: Unseen): number {
    return this.often.get(what) ?? 0;
  }

  /** What was broken of the page within [from, to], where `what` is asked for; undefined: nothing. */
  ofPage(pfn: number, from: number, to: number, what?: Unseen): Pick<Breach, 'why' | 'line'> | undefined {
    const list = this.pages.get(pfn);
    if (list !== undefined)
      return list.find((b) => b.from <= to && b.to >= from && (b.only !== true || b.what === what));
    const {otherPages} = this;
    if (otherPages.size === 0) return undefined;
    return otherPages.get(undefined)?.within(from, to) ?? (what && otherPages.get(what)?.within(from, to));
  }

  /** Something may have happened unseen to pages that are not known within a span; no breach of its own. */
  anyPage(what: Unseen, from: number, to: number, why: string, line: number): void {
    let gaps = this.anywhere.get(what);
    if (gaps === undefined) this.anywhere.set(what, (gaps = new Gaps()));
    gaps.add(from, to, why, -1, line);
  }

  /**
   * Why events may be missing anywhere in a trace of so many events: several laws are broken, and often, where no loss is
   * told that explains it. Undefined: they are not.
   */
  lossy(events: number, gaps: Gaps): string | undefined {
    if (this.missing.length < LOSSY_FEW) return undefined;
    const {unmarked, byLaw} = this.unmarked(gaps);
    if (unmarked < LOSSY_FEW) return undefined;
    let often = byLaw.size > 1 && unmarked * LOSSY_SHARE > events;
    for (const [law, n] of byLaw)
      often ||= !OFTEN_INCOMPLETE.has(law) && n >= LOSSY_OF_ONE && n * LOSSY_SHARE_OF_ONE > events;
    return often
      ? `${unmarked} times in this trace an event is missing without a mark: others may be, anywhere (see pinscope info)`
      : undefined;
  }

  /** One time that an event is missing, told by a law that whole captures do not break, and explained by no gap; undefined: none. */
  missingOnce(gaps: Gaps): string | undefined {
    if (this.missing.length === 0) return undefined;
    for (const [law, n] of this.unmarked(gaps).byLaw)
      if (!OFTEN_INCOMPLETE.has(law) && !BUGS_BREAK.has(law)) {
        const times = n === 1 ? 'once' : `${n} times`;
        return `${times} in this trace an event is missing without a mark (line ${this.first.get(law)!.line}): others may be`;
      }
    return undefined;
  }

  /**
   * An event that is missing without a mark, of whatever law, and likely within [from, to]: it is missing somewhere in the span
   * of its breach, and that is hardly longer. Undefined: none.
   */
  missingWithin(from: number, to: number): Breach['why'] | undefined {
    let likely = 0;
    const within = (span: {from: number; to: number}): number =>
      Math.max(0, Math.min(to, span.to) - Math.max(from, span.from)) / (span.to - span.from || 1);
    for (const breach of this.missing) likely += within(breach);
    for (const more of this.missingToo.values()) likely += more.n * within(more);
    if (likely < LIKELY) return undefined;
    return 'pages were handed out here that had not been freed, and the like: events are missing without a mark';
  }

  /** Breaches that are not kept apart. */
  private get more(): number {
    let more = 0;
    for (const {n} of this.missingToo.values()) more += n;
    return more;
  }

  /** The breaches that no gap explains. Looked through anew only when there are more of either. */
  private unmarked(gaps: Gaps): {unmarked: number; byLaw: ReadonlyMap<Law, number>} {
    const {looked, missing} = this;
    if (looked.breaches === missing.length + this.more && looked.gaps === gaps.count) return looked;
    const byLaw = new Map<Law, number>();
    let unmarked = 0;
    for (const {law, from, to} of missing) {
      if (gaps.within(from, to) !== undefined) continue;
      unmarked++;
      byLaw.set(law, (byLaw.get(law) ?? 0) + 1);
    }
    for (const [law, {n}] of this.missingToo) {
      unmarked += n;
      byLaw.set(law, (byLaw.get(law) ?? 0) + n);
    }
    this.looked = {breaches: missing.length + this.more, gaps: gaps.count, unmarked, byLaw};
    return this.looked;
  }

  /** Why `what` may have happened unseen to some page within [from, to], by laws that name no page. */
  doubt(what: Unseen, from: number, to: number): {why: string; line: number} | undefined {
    const gap = this.anywhere.get(what)?.within(from, to);
    if (gap !== undefined) return {why: gap.why, line: gap.line};
    const often = this.often.get(what) ?? 0;
    if (often < OFTEN) return undefined;
    return {
      why: `${often} times in this trace the record of this kind of event is incomplete (see pinscope info)`,
      line: 0,
    };
  }
}

/** Two breaches of a page that are told as one: of whatever either is in doubt of, as long as either is. */
function both(a: Breach, b: Breach): Breach {
  const {only: _a, ...rest} = b;
  const one: Breach = {...rest, from: Math.min(a.from, b.from), to: Math.max(a.to, b.to)};
  if (a.only === true && b.only === true && a.what === b.what) one.only = true;
  return one;
}
