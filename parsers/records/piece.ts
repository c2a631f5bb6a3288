/**
 * Bytes in which records lie, with room behind them for the names of tasks and one text: an event's text is a range of one array, and
 * no record holds the name of its task.
 */

/** Bytes of records, in the byte order of their machine. */
export interface Bytes {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly little: boolean;
}

/** Bytes to be read in the order that `little` tells. */
export function bytesOf(bytes: Uint8Array, little: boolean): Bytes {
  return {bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), little};
}

/** Room for names; a name is at most 16 bytes (TASK_COMM_LEN). */
const NAMES_BYTES = 1 << 15;
const NAME_MAX = 64;
/** Room for the text of one event that the record has only the parts of (trace_printk). */
const TEXT_BYTES = 4096;
const SPARE_BYTES = NAMES_BYTES + TEXT_BYTES;
const IDLE = new TextEncoder().encode('<idle>');
const FORGOTTEN = new TextEncoder().encode('<...>');

export class Piece {
  bytes: Uint8Array;
  view: DataView;
  /** bytes that hold records */
  length = 0;
  /** how many of them are told later: until then it is not filled anew */
  waiting = 0;
  /** where the name asked for last is */
  nameStart = 0;
  nameEnd = 0;
  private lastPid = -1;
  private lastName: Uint8Array | undefined;
  private readonly places = new Map<number, number>();
  private namesAt = 0;

  constructor(
    readonly little: boolean,
    capacity: number,
  ) {
    this.bytes = new Uint8Array(capacity + SPARE_BYTES);
    this.view = new DataView(this.bytes.buffer);
  }

  /** bytes of records that it has room for */
  get capacity(): number {
    return this.bytes.length - SPARE_BYTES;
  }

  /** Makes room for `length` bytes of records. What was in it is gone. */
  reserve(length: number): void {
    if (length > this.capacity) {
      this.bytes = new Uint8Array(length + SPARE_BYTES);
      this.view = new DataView(this.bytes.buffer);
    }
    this.length = 0;
    this.forgetNames();
  }

  /** Says how many bytes of records there are now. */
  filled(length: number): void {
    this.length = length;
    this.forgetNames();
  }

  private forgetNames(): void {
    this.places.clear();
    this.lastPid = -1;
    this.lastName = undefined;
    this.namesAt = this.bytes.length - SPARE_BYTES;
  }

  /** Puts the text of the event at hand behind the names; answers where it begins and ends, cut where it is too long. */
  text(text: string): [start: number, end: number] {
    const start = this.bytes.length - TEXT_BYTES;
    const {written} = new TextEncoder().encodeInto(text, this.bytes.subarray(start));
    return [start, start + written];
  }

  /** Puts the name of a task into nameStart and nameEnd. `known` is what it is called, undefined when nobody knows. */
  name(pid: number, known: Uint8Array | undefined): void {
    if (pid === this.lastPid && known === this.lastName) return;
    this.lastPid = pid;
    this.lastName = known;
    const name = known ?? (pid === 0 ? IDLE : FORGOTTEN);
    const length = Math.min(name.length, NAME_MAX);
    const place = this.places.get(pid);
    if (place !== undefined && same(this.bytes, place, name, length)) {
      this.nameStart = place;
      this.nameEnd = place + length;
      return;
    }
    if (this.namesAt + length >= this.bytes.length - TEXT_BYTES) {
      this.places.clear();
      this.namesAt = this.bytes.length - SPARE_BYTES;
    }
    this.nameStart = this.namesAt;
    this.nameEnd = this.namesAt + length;
    this.bytes.set(name.subarray(0, length), this.namesAt);
    this.bytes[this.nameEnd] = 0;
    this.places.set(pid, this.namesAt);
    this.namesAt = this.nameEnd + 1;
  }
}

function same(bytes: Uint8Array, at: number, name: Uint8Array, length: number): boolean {
  for (let i = 0; i < length; i++) if (bytes[at + i] !== name[i]) return false;
  return bytes[at + length] === 0;
}
