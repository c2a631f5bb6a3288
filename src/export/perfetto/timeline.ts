/**
 * What is to be seen on tracks: slices for what lasts, instants for what happens, a flow from a taking to its dropping, a
 * counter of live pins. Slices of one track must nest: those that overlap get lanes of one name, which the viewer merges.
 */
import {type EventDetail, EventType, PerfettoWriter} from './encode.js';

/** Most slices of one trace: more than a viewer bears. Further ones are counted. */
export const SLICES_MAX = 1_000_000;

export type Group = 'findings' | 'pages' | 'tasks' | 'devices';
const GROUPS: readonly Group[] = ['findings', 'pages', 'tasks', 'devices'];

interface Slice {
  group: Group;
  /** under which it stands in its group, and the name of its lane there; undefined: one track is enough */
  track: string;
  lane: string | undefined;
  from: number;
  to: number;
  detail: EventDetail;
}

interface Instant {
  group: Group;
  track: string;
  t: number;
  detail: EventDetail;
}

interface Told {
  t: number;
  order: number;
  tell(): void;
}

/** Of events at one time: ends, begins, instants, the ends of what has no length. */
const ORDER = {end: 0, begin: 1, instant: 2, emptyEnd: 3} as const;

export class Timeline {
  /** slices beyond the most that are kept */
  dropped = 0;
  private readonly slices: Slice[] = [];
  private readonly instants: Instant[] = [];
  private readonly pins: {t: number; change: number}[] = [];
  private flows = 0;

  slice(group: Group, track: string, lane: string | undefined, from: number, to: number, detail: EventDetail): void {
    if (this.slices.length >= SLICES_MAX) this.dropped++;
    else this.slices.push({group, track, lane, from, to: Math.max(from, to), detail});
  }

  instant(group: Group, track: string, t: number, detail: EventDetail): void {
    if (this.instants.length < 2 * SLICES_MAX) this.instants.push({group, track, t, detail});
  }

  /** A number for a flow from one event to another. */
  flow(): number {
    return ++this.flows;
  }

  livePins(t: number, change: number): void {
    this.pins.push({t, change});
  }

  /** The bytes of all of it, in order of time. `base`: ns of what distances are from. */
  write(base: bigint, out: (bytes: Uint8Array) => void): {slices: number; tracks: number} {
    const writer = new PerfettoWriter(base, out);
    const groups = new Map(GROUPS.map((name, rank) => [name, writer.track(name, {group: true, rank})]));
    const tracks = new Map<string, number>();
    const trackOf = (group: Group, name: string): number => {
      const key = `${group}\n${name}`;
      let id = tracks.get(key);
      if (id === undefined) tracks.set(key, (id = writer.track(name, {parent: groups.get(group)!})));
      return id;
    };
    const events: Told[] = [];
    const add = (t: number, order: number, tell: () => void): number => events.push({t, order, tell});
    const lanes = new Map<string, {id: number; end: number}[]>();
    for (const {group, track, lane, from, to, detail} of this.slices.sort((a, b) => a.from - b.from || b.to - a.to)) {
      const parent = trackOf(group, track);
      const key = `${parent}\n${lane ?? track}`;
      const free = lanes.get(key) ?? [];
      lanes.set(key, free);
      let at = free.find((one) => one.end <= from);
      if (at === undefined) free.push((at = {id: writer.track(lane ?? track, {parent}), end: to}));
      // what has no length keeps its lane from what begins at the same time
      at.end = to > from ? to : to + 1;
      const {id} = at;
      add(from, ORDER.begin, () => writer.event(EventType.begin, id, from, detail));
      add(to, to > from ? ORDER.end : ORDER.emptyEnd, () => writer.event(EventType.end, id, to));
    }
    for (const {group, track, t, detail} of this.instants) {
      const id = trackOf(group, track);
      add(t, ORDER.instant, () => writer.event(EventType.instant, id, t, detail));
    }
    this.counter(writer, groups.get('pages')!, add);
    events.sort((a, b) => a.t - b.t || a.order - b.order);
    for (const {tell} of events) tell();
    return {slices: this.slices.length, tracks: tracks.size};
  }

  private counter(
    writer: PerfettoWriter,
    parent: number,
    add: (t: number, order: number, tell: () => void) => void,
  ): void {
    if (this.pins.length === 0) return;
    const id = writer.track('live pins', {parent, unit: 'pins'});
    let live = 0;
    const sorted = this.pins.sort((a, b) => a.t - b.t);
    sorted.forEach(({t, change}, i) => {
      live += change;
      const value = live;
      if (sorted[i + 1]?.t !== t) add(t, ORDER.instant, () => writer.event(EventType.counter, id, t, {value}));
    });
  }
}
