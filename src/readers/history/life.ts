/** The life of a page as it is recorded: what happened, in the trace's order, with what was printed of it. */
import type {DmaWindow} from '../../ledger/tables/dma.js';
import type {Reference} from '../../ledger/tables/references.js';
import type {Writeback} from '../../ledger/tables/writeback.js';
import type {Generation} from '../../results/history.js';
import type {Window} from '../../results/report.js';

export interface Happening {
  /** as in LifeEntry.what */
  what: string;
  /** -Infinity: before the trace */
  t: number;
  cpu: number;
  /** index into Tasks, -1 */
  task: number;
  /** one of Context */
  context: number;
  input: number;
  line: number;
  /** change of the raw count; NaN where it changes none */
  delta: number;
  /** count as printed after it; NaN not printed */
  raw: number;
  pins: number;
  large: boolean;
  /** PageFlag bits; -1 not printed */
  flags: number;
  /** mappings, counted from 0 on every kernel; NaN not printed */
  mappings: number;
  /** line of the folios_put_refs() call it is in; 0 none */
  batch: number;
  /** index into the recorder's stacks, -1 */
  stack: number;
  /** as in LifeEntry.kind */
  kind: string | null;
  knownBy: string | null;
  notes: string[];
  pair: {with: Happening; how: string} | null;
}

export interface LifeWindow {
  kind: Window['kind'];
  label: string;
  /** what it is about, to find it again when it closes */
  of: DmaWindow | Reference | Writeback;
  from: Happening;
  to: Happening | null;
}

export interface LifeGeneration {
  born: Generation['born'];
  died: Generation['died'];
  /** when it was freed or seen handed out again; NaN: it is alive */
  end: number;
  order: number;
  /** an event said it */
  orderKnown: boolean;
  file: {dev: number; ino: number; index: number} | undefined;
  happenings: Happening[];
  windows: LifeWindow[];
}

export class Life {
  readonly generations: LifeGeneration[] = [];
  /** the one that lives now */
  current: LifeGeneration | undefined;

  constructor(
    readonly pfn: number,
    readonly row: number,
    /** generation of the row in the ledger, as last seen */
    public seen: number,
  ) {}

  /** `listed`: whether it is to be shown; beyond the most happenings that are kept there is nothing to show. */
  begin(born: Generation['born'], listed: boolean): LifeGeneration {
    const generation: LifeGeneration = {
      born,
      died: null,
      end: NaN,
      order: 0,
      orderKnown: false,
      file: undefined,
      happenings: [],
      windows: [],
    };
    if (listed) this.generations.push(generation);
    return (this.current = generation);
  }

  close(died: 'free' | 'reused', t: number): void {
    if (!this.current) return;
    this.current.died = died;
    this.current.end = t;
    this.current = undefined;
  }

  /** by what they are of: the window that is open, and the generation that has it */
  private readonly open = new Map<LifeWindow['of'], {window: LifeWindow; generation: LifeGeneration}>();

  addWindow(generation: LifeGeneration, window: LifeWindow): void {
    generation.windows.push(window);
    this.open.set(window.of, {window, generation});
  }

  /** The open window of a mapping, reference or writeback, and the generation in which it was opened. */
  opened(of: LifeWindow['of']): {window: LifeWindow; generation: LifeGeneration} | undefined {
    const known = this.open.get(of);
    if (known === undefined || known.window.to === null) return known;
    this.open.delete(of);
    return undefined;
  }

  windowOf(of: LifeWindow['of']): LifeWindow | undefined {
    return this.opened(of)?.window;
  }

  /** The window is over. */
  closeWindow(window: LifeWindow, to: Happening): void {
    window.to = to;
    this.open.delete(window.of);
  }
}
