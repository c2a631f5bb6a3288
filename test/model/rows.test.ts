import {describe, expect, it} from 'vitest';
import {
  COMMON,
  EVENT_KINDS,
  FAMILIES,
  FAMILY_OF,
  OWN,
  OWN_WORD,
  ROW_BYTES,
  type Field,
} from '../../src/events/kinds.js';
import {type EventKind, TraceEvent} from '../../src/events/event.js';
import {Rows} from '../../src/order/rows.js';

/** Bytes of a row that a field takes; of a bit, the byte's number and the mask. */
function placeOf({storage, at}: Field): string[] {
  if (storage === 'bit') return [`bit ${at}`];
  const size = storage === 'f64' ? 8 : storage === 'i8' ? 1 : 4;
  return Array.from({length: size}, (_, i) => String(at * size + i));
}

describe('the table of kinds', () => {
  it.each(Object.values(FAMILIES))('gives each field of $name a place of its own', ({fields}) => {
    const places = [...Object.values<Field>(COMMON), ...fields.map((name) => OWN[name])].flatMap(placeOf);
    expect(new Set(places).size).toBe(places.length);
    expect(Math.max(...places.filter((p) => !p.startsWith('bit')).map(Number))).toBeLessThan(ROW_BYTES);
  });

  it('keeps what is of a kind behind what all have', () => {
    for (const field of Object.values<Field>(OWN)) {
      if (field.storage !== 'bit') expect(Math.min(...placeOf(field).map(Number))).toBeGreaterThanOrEqual(4 * OWN_WORD);
    }
    const common = Object.values<Field>(COMMON).flatMap(placeOf).map(Number);
    expect(Math.max(...common)).toBeLessThan(4 * OWN_WORD);
  });
});

/** An event with a number of its own in every field that its kind has, lying somewhere in a chunk. */
function filled(seed: number): TraceEvent {
  const ev = new TraceEvent();
  let n = seed;
  ev.begin((seed % EVENT_KINDS) as EventKind);
  const {fields, lists} = FAMILY_OF[ev.kind]!;
  for (const name of ['t', 'offset', 'input', 'line', 'cpu', 'pid', 'tgid'] as const) ev[name] = n++;
  for (const name of fields) ev[name] = OWN[name].storage === 'bit' ? 1 : OWN[name].storage === 'i8' ? n % 100 : n++;
  ev.buf = Uint8Array.from({length: 4096}, (_, i) => (i + seed) & 255);
  ev.lineStart = 1000;
  ev.lineEnd = 1100;
  ev.commStart = ev.nameStart = ev.deviceStart = ev.textStart = 1010;
  ev.commEnd = ev.nameEnd = ev.deviceEnd = ev.textEnd = 1020;
  if (lists) {
    ev.listLength = 3;
    if (lists === 'addresses') ev.dmaLength = 2;
    for (const list of Object.values(ev)) if (list instanceof Float64Array && list !== ev.f64) list.fill(n++, 0, 3);
  }
  return ev;
}

/** All that an event says, with its ranges as text of its line. */
function said(ev: TraceEvent): unknown {
  const {fields, lists} = FAMILY_OF[ev.kind]!;
  const names = [...Object.keys(COMMON), ...fields] as (keyof typeof COMMON)[];
  const text = (start: number, end: number): number[] => [...ev.buf.subarray(start, end)];
  const part = (list: Float64Array, length: number): number[] => [...list.subarray(0, length)];
  return {
    fields: Object.fromEntries(names.map((name) => [name, ev[name]])),
    line: text(ev.lineStart, ev.lineEnd),
    comm: text(ev.commStart, ev.commEnd),
    name: text(ev.nameStart, ev.nameEnd),
    device: text(ev.deviceStart, ev.deviceEnd),
    text: text(ev.textStart, ev.textEnd),
    lists:
      lists && [ev.listPfn, ev.listPtrHi, ev.listPtrLo, ev.listPhys, ev.listOffset, ev.listLen].map((l) => part(l, 3)),
    dma: lists === 'addresses' && [ev.dmaAddrs, ev.dmaLens].map((l) => part(l, 2)),
  };
}

describe('rows that are held', () => {
  it('come back with every field, in any order, and leave room for others', () => {
    const held = new Rows();
    const wanted = new Map<number, unknown>();
    for (let i = 0; i < 1200; i++) {
      const ev = filled(i * 101);
      wanted.set(held.put(ev), said(ev));
      ev.listPfn.fill(-7); // the reader writes its event again
      ev.f64.fill(-7);
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
