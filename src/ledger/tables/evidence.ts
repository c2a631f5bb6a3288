/**
 * What a verdict shows of an event later: its line, who did it, and the call stack that follows it in the trace.
 */
import type {TraceEvent} from '../../events/event.js';
import {lengthOf, type LineText, offsetOf, placeOf, TEXT_MAX} from '../../events/line-text.js';
import type {Deed} from './references.js';
import type {Stacks} from './stacks.js';
import {type Tasks, textOf} from './tasks.js';

/** What an event's stack is put into when it comes. */
export interface Stacked {
  stack: number;
}

const NO_ENTRIES: readonly number[] = [];

/** Lines that were read again are kept up to this length together: causes look at what the report shows then. */
const TEXTS_LENGTH = 4 << 20;

export class Evidence {
  /** by input: what reads a line of it again by its place; where there is nothing, the text itself is kept */
  readonly lineReaders: (((offset: number, length: number, cut: boolean) => string) | undefined)[] = [];
  /** told of each stack that was waited for */
  onStack: (target: Stacked, stack: number) => void = () => {};
  /** told of the stack of an event that has entries */
  onEntries: (ids: readonly number[], stack: number) => void = () => {};
  private wanted: Stacked | undefined;
  /** by CPU: what waits for the stack of its last event */
  private readonly waiting: (Stacked | undefined)[] = [];
  /** by CPU: the entries of its last event */
  private readonly entries: (number[] | undefined)[] = [];
  private stackCpu = -1;
  /** by input: lines read again, by their place */
  private readonly texts: Map<number, string>[] = [];
  private textLength = 0;
  /** by the number of the one reader that numbers its stacks: stacks */
  private readonly numbered: number[] = [];
  // the event at hand
  private line = -1;
  private input = -1;

  constructor(
    readonly tasks: Tasks,
    readonly stacks: Stacks,
  ) {}

  /** The event's line as evidence, bounded. */
  lineOf(ev: TraceEvent): LineText {
    if (this.lineReaders[ev.input] !== undefined) return placeOf(ev);
    return textOf(ev.buf, ev.lineStart, ev.lineEnd, TEXT_MAX);
  }

  /** The text of a line that was kept, as far as TEXT_MAX. */
  lineText(input: number, line: LineText): string {
    if (typeof line === 'string') return line;
    const texts = (this.texts[input] ??= new Map<number, string>());
    const known = texts.get(line);
    if (known !== undefined) return known;
    const length = lengthOf(line);
    const text = this.lineReaders[input]!(offsetOf(line), length, length === TEXT_MAX);
    if (this.textLength < TEXTS_LENGTH) {
      this.textLength += text.length;
      texts.set(line, text);
    }
    return text;
  }

  /** The event at hand as a deed: its line is kept. Its stack is filled in when it comes. */
  deed(ev: TraceEvent): Deed {
    const deed: Deed = {
      t: ev.t,
      cpu: ev.cpu,
      task: this.tasks.of(ev),
      context: ev.context,
      input: ev.input,
      line: ev.line,
      text: this.lineOf(ev),
      stack: -1,
    };
    this.wanted = deed;
    return deed;
  }

  /** The stack that follows the event at hand is put into `target`. */
  wantStack(target: Stacked): void {
    this.wanted = target;
  }

  /** Before an event is taken: what stacks of its CPU come from here on are not of the one before. */
  begin({cpu, line, input}: TraceEvent): void {
    this.line = line;
    this.input = input;
    this.waiting[cpu + 1] = undefined;
    this.entries[cpu + 1] = undefined; // not emptied: setting the length of an array is a call into the engine
  }

  /** An entry was written: if it is of the event at hand, its stack belongs to that too. */
  entry({cpu, line, input}: Pick<Deed, 'cpu' | 'line' | 'input'>, id: number): void {
    if (line !== this.line || input !== this.input) return;
    const entries = this.entries[cpu + 1];
    if (entries === undefined) this.entries[cpu + 1] = [id];
    else entries.push(id);
  }

  /** The entries of the last event of a CPU. */
  entriesOf(cpu: number): readonly number[] {
    return this.entries[cpu + 1] ?? NO_ENTRIES;
  }

  /** After it. */
  end(cpu: number): void {
    if (this.wanted === undefined) return;
    this.waiting[cpu + 1] = this.wanted;
    this.wanted = undefined;
  }

  stackBegin(cpu: number): boolean {
    if (this.waiting[cpu + 1] === undefined && this.entriesOf(cpu).length === 0) return false;
    this.stacks.begin();
    this.stackCpu = cpu;
    return true;
  }

  /** `number`: by which the reader tells the same stack again, 0 where it does not. */
  stackEnd(number = 0): void {
    const stack = this.stacks.end();
    if (number > 0 && stack >= 0) this.numbered[number] = stack;
    this.stack(stack);
  }

  /** The stack begun is the one that ended with `number`, if that is known. */
  stackAgain(number: number): boolean {
    const stack = this.numbered[number];
    if (stack === undefined) return false;
    this.stack(stack);
    return true;
  }

  /** The stack begun is known. */
  private stack(stack: number): void {
    const target = this.waiting[this.stackCpu + 1];
    if (stack >= 0) {
      this.onEntries(this.entriesOf(this.stackCpu), stack);
      if (target) {
        target.stack = stack;
        this.onStack(target, stack);
      }
    }
    this.waiting[this.stackCpu + 1] = undefined;
  }
}
