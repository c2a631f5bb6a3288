/**
 * Drops of pins that no taking explains, by page: a pin may have been taken unseen, by folio_add_pin() of fs/direct-io.c or by
 * an event that is missing, and have held the page until then. Or it is one unpin too many.
 */
import type {Deed, Reference} from './references.js';

/** Most pages that are kept, lives of one, and drops of a life beside its first two. */
const PAGES_MAX = 100_000;
const LIVES_MAX = 16;
const LATEST_MAX = 4;

interface Drop {
  deed: Deed;
  /** the first taking after it, as the clocks have it, on another CPU */
  next: Reference | undefined;
}

/** The drops of one life of a page. A page is handed out and freed many times; what is asked of a life is asked when the trace is over. */
interface Life {
  generation: number;
  first: Deed;
  second: Deed | undefined;
  /** in order of time */
  latest: Drop[];
}

/** A page in one of its lives. */
type Page = {row: number; generation: number};

export class Excess {
  /** by row: in order of time */
  private readonly lives = new Map<number, Life[]>();

  add(row: number, generation: number, deed: Deed): void {
    const drop = {deed, next: undefined};
    let lives = this.lives.get(row);
    if (lives === undefined) {
      if (this.lives.size >= PAGES_MAX) return;
      this.lives.set(row, (lives = []));
    }
    const life = lives.at(-1);
    if (life?.generation !== generation) {
      if (lives.length === LIVES_MAX) lives.shift();
      lives.push({generation, first: deed, second: undefined, latest: [drop]});
      return;
    }
    life.second ??= deed;
    if (life.latest.length === LATEST_MAX) life.latest.shift();
    life.latest.push(drop);
  }

  private of({row, generation}: Page): Life | undefined {
    return this.lives.get(row)?.find((life) => life.generation === generation);
  }

  /** A pin of the page is taken. */
  taken(row: number, generation: number, reference: Reference): void {
    const life = this.lives.get(row)?.at(-1);
    if (life?.generation !== generation) return;
    for (const drop of life.latest) if (drop.deed.cpu !== reference.cpu) drop.next ??= reference;
  }

  /** The taking that may have come before a drop at `t`, although the clocks of two CPUs say otherwise. */
  takenAfter(page: Page, t: number): {drop: Deed; next: Reference} | undefined {
    const drop = this.of(page)?.latest.find(({deed}) => deed.t === t);
    return drop?.next && {drop: drop.deed, next: drop.next};
  }

  /** The first such drop in the life of a page, of others than `deed`; undefined: none. Of a life that is kept no more one of a later life. */
  beside(page: Page, deed: Deed): Deed | undefined {
    const lives = this.lives.get(page.row);
    const forgotten = lives?.length === LIVES_MAX && page.generation < lives[0]!.generation;
    const life = forgotten ? lives[0] : this.of(page);
    return life?.first.line === deed.line ? life.second : life?.first;
  }
}
