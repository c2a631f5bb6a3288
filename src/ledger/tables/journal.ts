/**
 * What lately happened to one page, for the history that a finding shows.
 *
 * Kept only for pages that hold a pin or a get, or are mapped or written back under one, and only while they do; eight
 * numbers an entry. A long life keeps its first entries and its last, and counts what was between.
 */

import type {KnownBy} from '../../base/reference.js';

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
  /**
   * Of a reference 1 for a pin, 2 for a get, plus 4 times how its kind is known (index into KNOWN_BY); of a mapping
   * 8 times its device plus 1, plus its direction plus 1; of anything else 0.
   */
  kind: number;
  /** line of the taking that a dropping was paired with; 0 none */
  partner: number;
}

/** How the kind of a reference is known, by the number that an entry holds. */
export const KNOWN_BY: readonly KnownBy[] = ['probe', 'delta', 'stack', 'count', 'guess'];

const FIRST = 12;
const LAST = 36;
/** numbers an entry takes: its fields in order */
const FIELDS = 11;

export class Journal {
  /**
   * Entries one after the other as bare doubles (an object each would be three times as much to collect): the first
   * FIRST, then a ring of the last LAST. The leading number makes the array one of doubles from the start.
   */
  private readonly data: number[] = [0.5];
  /** place in the ring of the next entry, once it is full */
  private at = 0;
  private added = 0;

  add(
    what: number,
    t: number,
    cpu: number,
    task: number,
    input: number,
    line: number,
    delta: number,
    raw: number,
    pins: number,
    kind: number,
    partner: number,
  ): void {
    const {data} = this;
    if (this.added++ < FIRST + LAST) {
      data.push(what, t, cpu, task, input, line, delta, raw, pins, kind, partner);
      return;
    }
    const i = 1 + (FIRST + this.at) * FIELDS;
    this.at = (this.at + 1) % LAST;
    data[i] = what;
    data[i + 1] = t;
    data[i + 2] = cpu;
    data[i + 3] = task;
    data[i + 4] = input;
    data[i + 5] = line;
    data[i + 6] = delta;
    data[i + 7] = raw;
    data[i + 8] = pins;
    data[i + 9] = kind;
    data[i + 10] = partner;
  }

  /** The entries, oldest first, and after how many of them how many are missing. */
  entries(): {entries: JournalEntry[]; gapAfter: number; skipped: number} {
    const kept = (this.data.length - 1) / FIELDS;
    const entries: JournalEntry[] = [];
    for (let i = 0; i < kept; i++) {
      const ring = i < FIRST ? i : FIRST + ((this.at + i - FIRST) % LAST);
      entries.push(this.entry(ring));
    }
    return {entries, gapAfter: Math.min(FIRST, kept), skipped: this.added - kept};
  }

  private entry(i: number): JournalEntry {
    const [what, t, cpu, task, input, line, delta, raw, pins, kind, partner] = this.data.slice(
      1 + i * FIELDS,
      1 + (i + 1) * FIELDS,
    ) as [number, number, number, number, number, number, number, number, number, number, number];
    return {what, t, cpu, task, input, line, delta, raw, pins, kind, partner};
  }
}
