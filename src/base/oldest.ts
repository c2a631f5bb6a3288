/**
 * The keys of a map, oldest first, for giving the oldest up. A Map's own first key is dear to find once many before it
 * were deleted: the way leads over all of them, each time.
 */
export class Oldest<K> {
  private queue: K[] = [];
  private at = 0;

  /** The oldest key; one deleted and added again may still have its old place. `map` holds at least one. */
  of(map: ReadonlyMap<K, unknown>): K {
    for (;;) {
      while (this.at < this.queue.length) {
        const key = this.queue[this.at++]!;
        if (map.has(key)) return key;
      }
      this.queue = [...map.keys()];
      this.at = 0;
    }
  }

  /** The key just given is to be given again. */
  again(): void {
    this.at--;
  }
}
