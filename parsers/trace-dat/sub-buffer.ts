/**
 * One page of the kernel's ring buffer (kernel/trace/ring_buffer.c; libtraceevent's kbuffer-parse.c):
 *
 *     u64 time stamp | long commit | event event event ...
 *
 * `commit` counts the bytes of events in its low 27 bits; bit 31 says that events were lost before this page, bit 30 that
 * their number, a long, stands behind the last event. An event is a word of type_len (5 bits) and time_delta (27 bits), the
 * low bits first where the machine is little-endian, and what the type says:
 *
 *     1 to 28   type_len * 4 bytes of data            0    u32 n, n - 4 bytes of data
 *     29        padding: to the end of the page where the delta is 0, else a discarded event of u32 bytes
 *     30        u32: the time goes on by it << 27     31   u32: the time is it << 27 | delta, but for its top 5 bits
 */

/** Number of lost events that is not known. */
export const LOST_SOME = -1;
const WORD = 4294967296;

export class SubBuffer {
  /** where the data of the event at hand begin and end; the end may include padding to four bytes */
  at = 0;
  end = 0;
  /** time of the event at hand, from the page's time stamp on */
  distance = 0.5;
  /** the page's time stamp */
  stampHigh = 0;
  stampLow = 0;
  /** events that the page says were lost before it; 0: none, LOST_SOME: some */
  lost = 0;
  /** set when the page holds something that it cannot: its rest is given up */
  damaged = false;
  /** discarded events, which the kernel counts as read */
  discarded = 0;
  private cursor = 0;
  private stop = 0;
  private view: DataView = NOTHING;
  private little = true;

  constructor() {
    this.distance = 0;
  }

  /** Opens the page in `[from, to)`; `to` is less than a whole page where the file was cut. */
  open(view: DataView, little: boolean, longBytes: number, dataOffset: number, from: number, to: number): void {
    this.view = view;
    this.little = little;
    this.damaged = false;
    this.lost = 0;
    this.distance = 0;
    this.cursor = this.stop = to;
    if (to - from < dataOffset) {
      this.damaged = to > from;
      return;
    }
    this.stampLow = view.getUint32(little ? from : from + 4, little);
    this.stampHigh = view.getUint32(little ? from + 4 : from, little);
    // the flags are in the low word of the long
    const commit = view.getUint32(!little && longBytes === 8 ? from + 12 : from + 8, little);
    let bytes = commit & 0x07ffffff;
    const room = to - from - dataOffset;
    if (bytes > room) {
      this.damaged = true;
      bytes = room;
    }
    this.cursor = from + dataOffset;
    this.stop = this.cursor + bytes;
    if (commit & 0x80000000) {
      this.lost = LOST_SOME;
      if (commit & 0x40000000 && this.stop + longBytes <= to) {
        const {stop} = this;
        const low = view.getUint32(!little && longBytes === 8 ? stop + 4 : stop, little);
        const high = longBytes === 4 ? 0 : view.getUint32(little ? stop + 4 : stop, little);
        const count = high * WORD + low;
        if (count > 0 && count <= Number.MAX_SAFE_INTEGER) this.lost = count;
      }
    }
  }

  /** Goes to the next event. False at the end of the page. */
  next(): boolean {
    const {view, little, stop} = this;
    while (this.cursor + 4 <= stop) {
      const word = view.getUint32(this.cursor, little);
      const type = little ? word & 31 : word >>> 27;
      const delta = little ? word >>> 5 : word & 0x07ffffff;
      const at = this.cursor + 4;
      if (type >= 1 && type <= 28) {
        this.distance += delta;
        this.at = at;
        this.cursor = this.end = at + type * 4;
        return this.cursor <= stop || this.giveUp();
      }
      if (type === 29 && delta === 0) {
        this.cursor = stop;
        return false;
      }
      if (at + 4 > stop) return this.giveUp();
      const value = view.getUint32(at, little);
      if (type === 0) {
        this.distance += delta;
        this.at = at + 4;
        if (value < 4 || value > stop - at) return this.giveUp();
        this.end = at + value;
        this.cursor = at + ((value + 3) & ~3);
        if (this.cursor > stop) this.cursor = stop;
        return true;
      }
      if (type === 30) this.distance += value * 134217728 + delta;
      else if (type === 31) this.absolute(value, delta);
      else {
        // the kernel adds the delta of a discarded event, but not one that is exactly 1 (rb_update_write_stamp)
        if (delta !== 1) this.distance += delta;
        this.discarded++;
        if (value < 4 || value > stop - at) return this.giveUp();
        this.cursor = at + value;
        continue;
      }
      this.cursor = at + 4;
    }
    return this.cursor < stop && this.giveUp();
  }

  /** The rest of the page holds what it cannot. */
  private giveUp(): false {
    this.damaged = true;
    this.cursor = this.stop;
    return false;
  }

  /** An absolute stamp has 59 bits: the top 5 come from the time so far. */
  private absolute(high: number, delta: number): void {
    const low = ((high << 27) | delta) >>> 0;
    const top = ((high >>> 5) | (this.stampHigh & 0xf8000000)) >>> 0;
    let distance = (top - this.stampHigh) * WORD + (low - this.stampLow);
    if (distance < this.distance && this.stampHigh & 0xf8000000) distance += 2 ** 59;
    this.distance = distance;
  }
}

const NOTHING = new DataView(new ArrayBuffer(0));
