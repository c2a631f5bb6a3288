/** The first N of many by some order, kept while they come: a heap whose top is the one to go next. */
export class Top<T> {
  private readonly heap: T[] = [];

  /** `before(a, b)`: whether a ranks before b */
  constructor(
    private readonly most: number,
    private readonly before: (a: T, b: T) => boolean,
  ) {}

  add(item: T): void {
    const {heap, before} = this;
    if (heap.length < this.most) {
      heap.push(item);
      for (let at = heap.length - 1; at > 0;) {
        const parent = (at - 1) >> 1;
        if (!before(heap[parent]!, heap[at]!)) break;
        [heap[at], heap[parent]] = [heap[parent]!, heap[at]!];
        at = parent;
      }
      return;
    }
    if (!before(item, heap[0]!)) return;
    heap[0] = item;
    for (let at = 0; ;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child]!, heap[child + 1]!)) child++;
      if (!before(heap[at]!, heap[child]!)) break;
      [heap[at], heap[child]] = [heap[child]!, heap[at]!];
      at = child;
    }
  }

  /** In order, the first first. */
  result(): T[] {
    return [...this.heap].sort((a, b) => (this.before(a, b) ? -1 : this.before(b, a) ? 1 : 0));
  }
}
