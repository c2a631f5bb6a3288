/**
 * Mappings of which the trace prints a part: `[TRUNCATED]` after 128 entries, two of seven where a probe on dma_map_sg_attrs
 * prints them, six of nine where a program does. A page that the same task had ready for I/O may be under the rest.
 */
import type {DmaWindow} from '../tables/dma.js';

/** Most cut windows that are kept, and of one task. */
const TASKS_MAX = 10_000;
const OF_A_TASK_MAX = 256;

/** A list that is printed an entry a line. */
interface Items {
  /** entries that it has */
  nr: number;
  seen: number;
  windows: DmaWindow[];
}

export class CutLists {
  private readonly byTask = new Map<number, DmaWindow[]>();
  private readonly items = new Map<number, Items>();

  add(window: DmaWindow): void {
    const {task} = window.open;
    const windows = this.byTask.get(task);
    if (windows === undefined) {
      if (this.byTask.size >= TASKS_MAX) this.byTask.clear();
      this.byTask.set(task, [window]);
      return;
    }
    windows.push(window);
    if (windows.length > OF_A_TASK_MAX) windows.shift();
  }

  /** One entry, the `index`th of `nr`, of a list that `slot` maps. The last one printed stands for those that are not. */
  item(slot: number, index: number, nr: number, window: DmaWindow): void {
    let list = this.items.get(slot);
    if (list === undefined || index === 0 || list.nr !== nr || list.seen > index) {
      if (this.items.size >= TASKS_MAX) this.items.clear();
      this.items.set(slot, (list = {nr, seen: 0, windows: []}));
    }
    const before = list.windows.pop();
    if (before !== undefined) before.cut = 0;
    list.windows.push(window);
    list.seen = index + 1;
    window.cut = Math.max(0, nr - list.seen);
  }

  /**
   * The windows with entries that the trace does not print, made by a task, that were open at some time within [from, to]:
   * each covers `cut` pages that nobody knows.
   */
  over(task: number, from: number, to: number): DmaWindow[] {
    const windows = this.byTask.get(task);
    if (windows === undefined) return [];
    return windows.filter(({cut, open, close}) => cut > 0 && open.t <= to && (close === undefined || close.t >= from));
  }
}
