/**
 * What lately happened to one page, for the history that a finding shows.
 *
 * Kept only for pages that hold a pin or a get, or are mapped or written back under one, and only while they do; eight
 * numbers an entry. A long life keeps its first entries and its last, and counts what was between.
 */

export const What = {
  alloc: 1,
  free: 2,
  change: 3,
  taken: 4,
  dropped: 5,
  dmaMap: 6,
  dmaUnmap: 7,
  writebackStart: 8,
  writebackEnd: 9,
  dirty: 10,
  clean: 11,
  freeze: 12,
  unfreeze: 13,
  set: 14,
  cacheAdd: 15,
  cacheDelete: 16,
} as const;

export interface JournalEntry {
  what: number;
  t: number;
  cpu: number;
  task: number;
  input: number;
  line: number;
  /** change of the raw count; NaN unknown */
  delta: number;
  /** raw count after; NaN unknown */
  raw: number;
  /** pins held after */
  pins: number;
  /** 0 none, 1 pin, 2 get */
  kind: number;
  /** line of the taking that a dropping was paired with; 0 none */
  partner: number;
}

const FIRST = 12;
const LAST = 36;

export class Journal {
  private readonly first: JournalEntry[] = [];
  private last: JournalEntry[] = [];
  private at = 0;
  private added = 0;
  /** Keep everything (the `history` command). */
  private readonly whole: boolean;

  constructor(whole = false) {
    this.whole = whole;
  }

  add(entry: JournalEntry): void {
    this.added++;
    if (this.whole || this.first.length < FIRST) this.first.push(entry);
    else if (this.last.length < LAST) this.last.push(entry);
    else {
      this.last[this.at] = entry;
      this.at = (this.at + 1) % LAST;
    }
  }

  /** The entries, oldest first, and after how many of them how many are missing. */
  entries(): {entries: JournalEntry[]; gapAfter: number; skipped: number} {
    const tail = [...this.last.slice(this.at), ...this.last.slice(0, this.at)];
    return {
      entries: [...this.first, ...tail],
      gapAfter: this.first.length,
      skipped: this.added - this.first.length - tail.length,
    };
  }
}
