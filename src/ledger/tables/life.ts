/** Lives: what lives at a PFN from its allocation to its free. What happened in one is in the entries that hang on it. */

/** The life of a page that has entries: one that matters (it holds a pin or get, or what is under one), or is followed. */
export class Life {
  /** ids of the first entry, of the last of the first FIRST, and of the last */
  first = 0;
  gate = 0;
  last = 0;
  kept = 0;
  /** entries ever written: the ordinal of the last */
  added = 0;
  /** who keeps entries of it for later */
  holders = 0;
  /** excerpts that still take in what comes next */
  open: Excerpt[] | undefined = undefined;
  over = false;

  constructor(
    readonly pfn: number,
    /** what only a followed life has; all its entries are kept */
    readonly followed: FollowedLife | undefined,
  ) {}
}

/** What is known of a life that is followed. */
export interface FollowedLife {
  born: 'alloc' | 'before-trace' | 'unknown';
  died: 'free' | 'reused' | null;
  /** when it was freed or seen handed out again; NaN: it is alive */
  end: number;
  /** the largest order seen */
  order: number;
  /** an event said it */
  orderKnown: boolean;
}

/** Entries about a moment of a life, held for a finding. */
export interface Excerpt {
  readonly life: Life;
  /** in the order they were written */
  readonly ids: number[];
  /** how many that come next belong to it */
  left: number;
}
