import type {Limits} from '../../base/limits.js';
import type {TraceEvent} from '../../events/event.js';
import {DmaDevice} from './dma.js';
import {textOf} from './tasks.js';

/** Most devices told apart. */
const DEVICES_MAX = 10_000;
/** Bytes of a device's name that count. */
const NAME_BYTES = 64;

/** The devices of the trace's mappings by name, in order of their first event. */
export class Devices {
  readonly list: DmaDevice[] = [];
  private readonly byName = new Map<string, number>();
  // the device of the event before: one disk's events follow each other
  private readonly lastName = new Uint8Array(NAME_BYTES);
  private lastLength = -1;
  private last = -1;

  constructor(private readonly limits: Limits) {}

  /** The index of the device that an event names; -1 where it names none, or one too many. */
  of({buf, deviceStart: start, deviceEnd: end}: TraceEvent): number {
    const length = end - start;
    if (length === 0) return -1;
    if (length === this.lastLength) {
      let i = 0;
      while (i < length && buf[start + i] === this.lastName[i]) i++;
      if (i === length) return this.last;
    }
    const index = this.named(textOf(buf, start, end, NAME_BYTES));
    if (index >= 0 && length <= NAME_BYTES) {
      this.lastName.set(buf.subarray(start, end));
      this.lastLength = length;
      this.last = index;
    }
    return index;
  }

  /**
   * The device that mapped something under this name; drivers' lines leave the PCI domain out (`00:03.0`). -1: none, or
   * several.
   */
  called(name: string): number {
    if (name === '') return -1;
    const known = this.byName.get(name);
    if (known !== undefined) return known;
    let found = -1;
    for (const [i, device] of this.list.entries()) {
      if (!device.name.endsWith(`:${name}`)) continue;
      if (found >= 0) return -1;
      found = i;
    }
    return found;
  }

  private named(name: string): number {
    const known = this.byName.get(name);
    if (known !== undefined) return known;
    if (this.list.length >= DEVICES_MAX) {
      this.limits.hit('devices');
      return -1;
    }
    this.list.push(new DmaDevice(name));
    this.byName.set(name, this.list.length - 1);
    return this.list.length - 1;
  }
}
