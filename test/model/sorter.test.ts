import fc from 'fast-check';
import {describe, expect, it} from 'vitest';
import {Sorter, WINDOW_EVENTS} from '../../src/order/sorter.js';
import {EventKind, type EventSink, type Loss, TraceEvent} from '../../src/events/event.js';

/** What came through, in order. */
class Heard implements EventSink {
  readonly events: {t: number; line: number; text: string; pages: number[]; frames: string[]}[] = [];
  readonly losses: {at: number; line: number}[] = [];
  event(ev: TraceEvent): void {
    this.events.push({
      t: ev.t,
      line: ev.line,
      text: Buffer.from(ev.buf.subarray(ev.lineStart, ev.lineEnd)).toString(),
      pages: [...ev.listPfn.subarray(0, ev.listLength)],
      frames: [],
    });
  }
  stackBegin(): boolean {
    return true;
  }
  stackFrame(buf: Uint8Array, start: number, end: number): void {
    this.events.at(-1)!.frames.push(Buffer.from(buf.subarray(start, end)).toString());
  }
  stackEnd(): void {}
  loss(loss: Loss): void {
    this.losses.push({at: this.events.length, line: loss.line});
  }
  fact(): void {}
}

/** The reader's one event, written again for every line, in one reused buffer. */
class Lines {
  private readonly ev = new TraceEvent();
  private readonly buf = Buffer.alloc(64);
  constructor(private readonly sink: EventSink) {}

  send(t: number, line: number, cpu = 0): void {
    const text = `line ${line}`;
    this.buf.fill(0);
    this.buf.write(text, 3);
    this.ev.begin(EventKind.UnpinCall);
    Object.assign(this.ev, {t, line, buf: this.buf, lineStart: 3, lineEnd: 3 + text.length, cpu, pid: 1});
    this.ev.listLength = 2;
    this.ev.listPfn[0] = line;
    this.ev.listPfn[1] = line + 1;
    this.sink.event(this.ev);
  }
}

const times = fc.array(fc.integer({min: 0, max: 200}), {minLength: 1, maxLength: 200});

describe('Sorter', () => {
  it('puts a loss behind its CPU’s own last event, however far others are', () => {
    const heard = new Heard();
    const sorter = new Sorter(heard, 'slight');
    const lines = new Lines(sorter);
    lines.send(10, 1);
    lines.send(100, 2, 1);
    sorter.loss({input: 0, line: 3, cpu: 0, count: 5, what: 'lost'});
    lines.send(20, 4);
    sorter.end();
    expect(heard.events.map(({line}) => line)).toEqual([1, 4, 2]);
    expect(heard.losses).toEqual([{at: 1, line: 3}]);
  });

  it('puts events into the order of time, and of arrival where times are equal, each with its own line', () => {
    fc.assert(
      fc.property(times, (all) => {
        const heard = new Heard();
        const sorter = new Sorter(heard, 'slight');
        const lines = new Lines(sorter);
        all.forEach((t, i) => lines.send(t, i + 1));
        sorter.end();
        const expected = all.map((t, i) => ({t, line: i + 1})).toSorted((a, b) => a.t - b.t || a.line - b.line);
        expect(heard.events.map(({t, line}) => ({t, line}))).toEqual(expected);
        for (const {line, text, pages} of heard.events) {
          expect(text).toBe(`line ${line}`);
          expect(pages).toEqual([line, line + 1]);
        }
        expect(sorter.tooLate).toBe(0);
      }),
    );
  });

  it('merges several inputs as far as all have come, without waiting for the end', () => {
    fc.assert(
      fc.property(times, times, fc.integer({min: 1, max: 20}), (a, b, chunk) => {
        const heard = new Heard();
        const sorter = new Sorter(heard, 'wide');
        const lines = new Lines(sorter);
        const inputs = [a, b].map((input) => input.toSorted((x, y) => x - y));
        const at = [0, 0];
        for (let i = 0; at[0]! < inputs[0]!.length || at[1]! < inputs[1]!.length; i = 1 - i) {
          const input = inputs[i]!;
          for (let n = 0; n < chunk && at[i]! < input.length; n++) lines.send(input[at[i]!++]!, 0);
          const reached = inputs.map((all, j) =>
            at[j]! >= all.length ? Infinity : at[j] === 0 ? -Infinity : all[at[j]! - 1]!,
          );
          sorter.passed(Math.min(...reached));
        }
        sorter.end();
        expect(heard.events.map((e) => e.t)).toEqual([...a, ...b].toSorted((x, y) => x - y));
        expect(sorter.tooLate).toBe(0);
      }),
    );
  });

  it('keeps a stack with its event', () => {
    const heard = new Heard();
    const sorter = new Sorter(heard, 'slight');
    const lines = new Lines(sorter);
    for (const [i, t] of [3, 1, 2].entries()) {
      lines.send(t, i + 1);
      if (!sorter.stackBegin()) throw new Error('the stack was not wanted');
      const frame = Buffer.from(`frame of line ${i + 1}`);
      sorter.stackFrame(frame, 0, frame.length);
      sorter.stackEnd();
    }
    sorter.end();
    expect(heard.events.map((e) => e.frames)).toEqual([['frame of line 2'], ['frame of line 3'], ['frame of line 1']]);
  });

  it('tells a loss after what came before it and before what comes after', () => {
    const heard = new Heard();
    const sorter = new Sorter(heard, 'slight');
    const lines = new Lines(sorter);
    lines.send(10, 1);
    sorter.loss({input: 0, line: 2, cpu: 0, count: 3, what: 'lost'});
    lines.send(20, 3);
    sorter.end();
    expect(heard.losses).toEqual([{at: 1, line: 2}]);
  });

  it('holds so many and no more, and counts what comes too late for it', () => {
    const heard = new Heard();
    const sorter = new Sorter(heard, 'slight');
    const lines = new Lines(sorter);
    for (let i = 0; i < WINDOW_EVENTS + 5; i++) lines.send(1000 + i, i + 1);
    expect(heard.events).toHaveLength(5);
    lines.send(1002, 9);
    sorter.end();
    expect(sorter.tooLate).toBe(1);
    expect(heard.events).toHaveLength(WINDOW_EVENTS + 6);
  });
});
