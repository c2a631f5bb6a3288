/** The lives of followed pages while they are being written: which there are, and what is added to them. */
import type {DmaWindow} from '../../ledger/tables/dma.js';
import type {TraceEvent} from '../../events/event.js';
import type {Ledger} from '../../ledger/ledger.js';
import {PageState} from '../../ledger/tables/page-table.js';
import type {Reference} from '../../ledger/tables/references.js';
import type {Writeback} from '../../ledger/tables/writeback.js';
import type {Followed} from './followed.js';
import {task} from '../../words/format.js';
import {type Happening, Life, type LifeWindow} from './life.js';

/** Most happenings kept, over all lives: some 500 MB with what is printed of them. */
const HAPPENINGS_MAX = 200_000;

export abstract class Lives {
  /** by PFN; a folio's life is at its head */
  readonly lives = new Map<number, Life>();
  /** happenings that were not kept, because there were too many */
  notKept = 0;
  private kept = 0;
  protected ev: TraceEvent | undefined;
  /** the happening that the event at hand is, if it is a change of the count, an alloc or the like */
  protected at: Happening | undefined;
  /** what was added with the event at hand: its stack may follow */
  protected fresh: Happening[] = [];
  /** windows that the happening at hand opens, until it has its place in a life */
  protected opening: LifeWindow[] = [];

  constructor(
    protected readonly m: Ledger,
    protected readonly followed: Followed,
  ) {}

  protected follows(row: number): boolean {
    const {pages} = this.m;
    const size = pages.state[row]! & PageState.large ? 2 ** pages.order[row]! : 1;
    return this.followed.touches(pages.pfn[row]!, size);
  }

  protected life(row: number): Life {
    const {pages} = this.m;
    const pfn = pages.pfn[row]!;
    let life = this.lives.get(pfn);
    if (!life) this.lives.set(pfn, (life = new Life(pfn, row, pages.generation[row]!)));
    return life;
  }

  protected happening(ev: TraceEvent, what: string): Happening {
    return {
      what,
      t: ev.t,
      cpu: ev.cpu,
      task: this.m.evidence.tasks.of(ev),
      context: ev.context,
      input: ev.input,
      line: ev.line,
      delta: NaN,
      raw: NaN,
      pins: 0,
      large: false,
      flags: -1,
      mappings: NaN,
      batch: 0,
      stack: -1,
      kind: null,
      knownBy: null,
      notes: [],
      pair: null,
    };
  }

  protected get full(): boolean {
    return this.kept >= HAPPENINGS_MAX;
  }

  /** Adds to the generation that lives now; begins one where there is none. */
  protected add(life: Life, h: Happening): NonNullable<Life['current']> {
    const {pages} = this.m;
    const state = pages.state[life.row]!;
    if (!life.current) {
      life.seen = pages.generation[life.row]!;
      const first = life.generations.length === 0;
      const allocated = h.what === 'alloc' || (h.what === 'set' && (state & PageState.lifeSeen) !== 0);
      life.begin(allocated ? 'alloc' : first && !(state & PageState.lifeSeen) ? 'before-trace' : 'unknown', !this.full);
    }
    const generation = life.current!;
    if (state & PageState.large) {
      generation.order = Math.max(generation.order, pages.order[life.row]!);
      if (state & PageState.orderKnown) generation.orderKnown = true;
    }
    if (this.full) {
      this.notKept++;
      return generation;
    }
    this.kept++;
    generation.happenings.push(h);
    this.fresh.push(h);
    if (h === this.at) {
      for (const window of this.opening) life.addWindow(generation, window);
      this.opening = [];
    }
    return generation;
  }

  /** The happening of a line: the one at hand, or one whose stack has just come. */
  protected happeningOf(life: Life, input: number, line: number): Happening | undefined {
    if (this.at && this.at.line === line && this.at.input === input) return this.at;
    const list = life.current?.happenings ?? [];
    for (let i = list.length - 1; i >= 0 && i > list.length - 50; i--) {
      if (list[i]!.line === line && list[i]!.input === input) return list[i];
    }
    return undefined;
  }

  /** A probe alone: it is the change, as far as the trace shows. */
  protected deedWithoutCount(life: Life, what: string): Happening | undefined {
    if (!this.ev) return undefined;
    const h = this.happening(this.ev, what);
    this.add(life, h);
    return h;
  }

  protected openWindow(
    life: Life,
    generation: Life['current'],
    kind: 'pin' | 'get' | 'dma' | 'writeback',
    of: DmaWindow | Reference | Writeback,
    from: Happening,
    label?: string,
  ): void {
    if (this.full) return;
    const {comm, pid} = this.m.evidence.tasks.get(from.task);
    const window: LifeWindow = {kind, label: label ?? `${kind} by ${task(comm, pid)}`, of, from, to: null};
    if (from === this.at) this.opening.push(window);
    else {
      const into = generation ?? life.current;
      if (into) life.addWindow(into, window);
    }
  }
}
