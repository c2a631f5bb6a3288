/**
 * Drops of pins that no taking explains, by page: a pin may have been taken unseen, by folio_add_pin() of fs/direct-io.c or by
 * an event that is missing, and have held the page until then. Or it is one unpin too many.
 */
import type {Deed, Reference} from './references.js';

/** Most pages that are kept, lives of one, and drops of a life beside its first two. */
export const PAGES_MAX = 100_000;
const LIVES_MAX = 16;
const LATEST_MAX = 16;

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
  /** there were earlier ones: which takings came after those is not known */
  more: boolean;
}

/** A drop, and the first taking after it by the clocks; that of a drop which is kept no more is not known. */
export interface TakenAfter {
  drop: Deed;
  next: Reference | undefined;
}

/** A page in one of its lives. */
type Page = {row: number; generation: number};

export class Excess {
  /** by row: in order of time */
  private readonly lives = new Map<number, Life[]>();
  /** the first drop of a page that is not kept, because there were too many; undefined: none */
  private refused: Deed | undefined;
  /** by row: references that a large folio got while it was pinned, and that no probe explains, in one life */
  private readonly rises = new Map<number, {generation: number; n: number}>();
  private refusedRise = false;

  /** A pinned folio's count rises by `n`, and no probe says for whom: folio_add_pins() does so, of which iommufd takes what is of a memfd. */
  rose({row, generation}: Page, n: number): void {
    const rise = this.rises.get(row);
    if (rise?.generation === generation) rise.n += n;
    else if (this.rises.size < PAGES_MAX) this.rises.set(row, {generation, n});
    else this.refusedRise = true;
  }

  /** Whether so many pins may have been added to a folio, that left no probe. */
  mayBeAdded({row, generation}: Page, n: number): boolean {
    const rise = this.rises.get(row);
    if (rise?.generation === generation) return rise.n >= n;
    return this.refusedRise;
  }

  add(row: number, generation: number, deed: Deed): void {
    const drop = {deed, next: undefined};
    let lives = this.lives.get(row);
    if (lives === undefined) {
      if (this.lives.size >= PAGES_MAX) {
        this.refused ??= deed;
        return;
      }
      this.lives.set(row, (lives = []));
    }
    const life = lives.at(-1);
    if (life?.generation !== generation) {
      if (lives.length === LIVES_MAX) lives.shift();
      lives.push({generation, first: deed, second: undefined, latest: [drop], more: false});
      return;
    }
    life.second ??= deed;
    if (life.latest.length === LATEST_MAX) {
      life.latest.shift();
      life.more = true;
    }
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
  takenAfter(page: Page, t: number): TakenAfter | undefined {
    const life = this.of(page);
    if (life === undefined) return this.refused && {drop: this.refused, next: undefined};
    const drop = life.latest.find(({deed}) => deed.t === t);
    if (drop === undefined) return life.more ? {drop: life.first, next: undefined} : undefined;
    return drop.next && {drop: drop.deed, next: drop.next};
  }

  /** The first such drop in the life of a page after `t`, as far as they are kept; undefined: none. */
  after(page: Page, t: number): Deed | undefined {
    const life = this.of(page);
    if (life === undefined) return this.refused;
    return life.latest.find(({deed}) => deed.t > t)?.deed;
  }

  /**
   * The first such drop in the life of a page, of others than `deed`; undefined: none. Of a life that is kept no more one of a
   * later life, and of a page that never was one of another page.
   */
  beside(page: Page, deed: Deed): Deed | undefined {
    const lives = this.lives.get(page.row);
    if (lives === undefined) return this.refused;
    const forgotten = lives.length === LIVES_MAX && page.generation < lives[0]!.generation;
    const life = forgotten ? lives[0] : this.of(page);
    return life?.first.line === deed.line ? life.second : life?.first;
  }
}
