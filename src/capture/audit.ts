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
  /** each return of a probed grab has its entry */
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
  /** a small page is unpinned before it is freed */
  | 'unpinned-then-freed'
  /** a page goes under writeback, and is cleaned for it, once before that ends */
  | 'writeback-then-end'
  /** printed counts follow from the changes */
  | 'counts-add-up';

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
}

/** Most pages whose breaches are kept, and of one page. */
const PAGES_MAX = 100_000;
const OF_A_PAGE_MAX = 16;
/** So many breaches of one kind of event, and its recording is not to be trusted anywhere. */
const OFTEN = 5;

export class Audit {
  readonly broken = new Map<Law, number>();
  /** the first of each law, to be shown */
  readonly first = new Map<Law, Breach>();
  private readonly pages = new Map<number, Breach[]>();
  private readonly anywhere = new Map<Unseen, Gaps>();
  private readonly often = new Map<Unseen, number>();
  /** calls whose grabs summed to their return: proof that takings are recorded on every path that the calls took */
  balanced = 0;

  breach(breach: Breach): void {
    const {law, what, from, to, pfn, why, line} = breach;
    this.broken.set(law, (this.broken.get(law) ?? 0) + 1);
    if (!this.first.has(law)) this.first.set(law, breach);
    if (what !== undefined) this.often.set(what, (this.often.get(what) ?? 0) + 1);
    if (pfn < 0) {
      if (what === undefined) return;
      let gaps = this.anywhere.get(what);
      if (gaps === undefined) this.anywhere.set(what, (gaps = new Gaps()));
      gaps.add(from, to, why, -1, line);
      return;
    }
    const list = this.pages.get(pfn);
    if (list === undefined) {
      if (this.pages.size < PAGES_MAX) this.pages.set(pfn, [breach]);
    } else if (list.length < OF_A_PAGE_MAX) list.push(breach);
    else list[OF_A_PAGE_MAX - 1] = {...breach, from: list[OF_A_PAGE_MAX - 1]!.from};
  }

  /** What was broken of the page within [from, to]; undefined: nothing. */
  ofPage(pfn: number, from: number, to: number): Breach | undefined {
    return this.pages.get(pfn)?.find((b) => b.from <= to && b.to >= from);
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
