import {describe, expect, it} from 'vitest';
import {HeldEvents} from '../../src/order/held-events.js';
import {EventKind, TraceEvent} from '../../src/events/event.js';

/** An event with a number of its own in every field, lying somewhere in a chunk. */
function filled(seed: number): TraceEvent {
  const ev = new TraceEvent();
  const fields = ev as unknown as Record<string, unknown>;
  let n = seed;
  for (const [name, value] of Object.entries(fields)) if (typeof value === 'number') fields[name] = n++;
  ev.buf = Uint8Array.from({length: 4096}, (_, i) => (i + seed) & 255);
  ev.lineStart = 1000;
  ev.lineEnd = 1100;
  for (const range of ['comm', 'name', 'device', 'text']) {
    fields[`${range}Start`] = 1010;
    fields[`${range}End`] = 1020;
  }
  ev.kind = EventKind.DmaMapSg;
  ev.listLength = 3;
  ev.dmaLength = 2;
  for (const list of Object.values(fields)) if (list instanceof Float64Array) list.fill(n++, 0, 3);
  return ev;
}

/** All that an event says, with its ranges as text of its line. */
function said(ev: TraceEvent): Record<string, unknown> {
  const out: Record<string, unknown> = {line_bytes: [...ev.buf.subarray(ev.lineStart, ev.lineEnd)]};
  for (const [name, value] of Object.entries(ev) as [string, unknown][]) {
    if (value instanceof Float64Array)
      out[name] = [...value.subarray(0, name.startsWith('dma') ? ev.dmaLength : ev.listLength)];
    else if (/(Start|End)$/.test(name)) out[name] = (value as number) - ev.lineStart;
    else if (typeof value === 'number') out[name] = value;
  }
  return out;
}

describe('events that are held', () => {
  it('come back with every field, in any order, and leave room for others', () => {
    const held = new HeldEvents();
    const wanted = new Map<number, Record<string, unknown>>();
    for (let i = 0; i < 1200; i++) {
      const ev = filled(i * 100);
      wanted.set(held.put(ev), said(ev));
      ev.listPfn.fill(-7); // the reader writes its event again
      if (i % 10 === 9) {
        const [row] = wanted.keys();
        expect(said(held.take(row!))).toEqual(wanted.get(row!));
        wanted.delete(row!);
      }
    }
    for (const [row, event] of wanted) expect(said(held.take(row))).toEqual(event);
    // all blocks but the one that is being filled are free again
    expect(held.allocated).toBeLessThanOrEqual(1 << 16);
  });
});
