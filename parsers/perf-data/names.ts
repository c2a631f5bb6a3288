/** What threads were called, by COMM and FORK records (include/uapi/linux/perf_event.h), from which time on. */

/** Most threads, and most changes of their names, that are kept; those beyond are called by their number. */
const THREADS_MAX = 1 << 20;
const CHANGES_MAX = 1 << 20;
/** Most names of which one copy serves all who are called so. */
const NAMES_MAX = 10_000;
const SWAPPER = Buffer.from('swapper');

/** The names of one thread, in order of `from`. */
interface Called {
  from: number[];
  names: Uint8Array[];
}

export class TaskNames {
  private readonly threads = new Map<number, Called>();
  private readonly copies = new Map<string, Uint8Array>();
  /** by thread that no record names */
  private readonly unnamed = new Map<number, Uint8Array>();
  private changes = 0;

  /** A thread is called `name` from `t` on (ns as rows have it). `name` may be overwritten later. */
  called(tid: number, t: number, name: Uint8Array): void {
    const key = Buffer.from(name.buffer, name.byteOffset, name.length).toString('latin1');
    let copy = this.copies.get(key);
    if (copy === undefined) {
      copy = name.slice();
      if (this.copies.size < NAMES_MAX) this.copies.set(key, copy);
    }
    this.set(tid, t, copy);
  }

  /** A new thread is called as the one it came from, until it says otherwise. */
  forked(tid: number, parent: number, t: number): void {
    const name = this.threads.get(parent)?.names.at(-1);
    if (name !== undefined) this.set(tid, t, name);
  }

  private set(tid: number, t: number, name: Uint8Array): void {
    const known = this.threads.get(tid);
    if (known?.names.at(-1) === name || this.changes >= CHANGES_MAX) return;
    if (known !== undefined) {
      known.from.push(Math.max(t, known.from.at(-1)!));
      known.names.push(name);
    } else if (this.threads.size < THREADS_MAX) this.threads.set(tid, {from: [t], names: [name]});
    this.changes++;
  }

  /** What a thread is called now; one that no record names is called as perf script prints it: `:4711`. */
  of(tid: number): Uint8Array {
    const known = this.threads.get(tid)?.names.at(-1);
    if (known !== undefined) return known;
    if (tid === 0) return SWAPPER;
    let name = this.unnamed.get(tid);
    if (name === undefined) {
      if (this.unnamed.size >= THREADS_MAX) this.unnamed.clear();
      this.unnamed.set(tid, (name = Buffer.from(`:${tid}`)));
    }
    return name;
  }

  /** What it was called at `t`. */
  at(tid: number, t: number): Uint8Array {
    const known = this.threads.get(tid);
    if (known === undefined) return this.of(tid);
    // the last that began by then
    let low = 0;
    let high = known.from.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (known.from[middle]! <= t) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? this.of(tid) : known.names[low - 1]!;
  }
}
