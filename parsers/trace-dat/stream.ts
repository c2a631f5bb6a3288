/** The events of one CPU of one buffer, in their order, with what was lost before each. */
import type {TimeBase} from '../../src/base/time.js';
import {Cursor, Damaged} from '../records/cursor.js';
import {Piece} from '../records/piece.js';
import type {Chunks} from './chunks.js';
import type {CpuStats} from './options.js';
import type {CpuPart, TraceBuffer, TraceDatFile} from './file.js';
import {LOST_SOME, SubBuffer} from './sub-buffer.js';
import type {Ticks} from './ticks.js';

/** Raw sub-buffers read at a time: of one CPU, and of all, for a machine may have thousands. */
const BATCH_BYTES = 1 << 18;
const BATCHES_BYTES = 1 << 26;
/** Sub-buffers that a recorder may read while the kernel prints its counts. */
const RACED_PAGES = 2;

export class CpuStream {
  readonly cpu: number;
  readonly piece: Piece;
  /** time of the event at hand, as TraceEvent.t */
  t = 0.5;
  /** where its data are in `piece` */
  at = 0;
  end = 0;
  /** its place, as Chunks counts them */
  place = 0.5;
  /** events lost right before it: 0, a number, or LOST_SOME */
  lost = 0;
  events = 0;
  discarded = 0;
  /** pages of which something had to be given up */
  damaged = 0;
  /** why it ends before its end; undefined while all is well */
  cut: string | undefined;
  /** times that go back between two pages */
  backwards = 0;
  /** what the kernel counted of this CPU */
  readonly stats: CpuStats | undefined;
  /** events before the last pages that begin when no more were read than the kernel counted as read, the latest last */
  readonly boundaries: number[] = [];
  /** by event number: it is taken from another buffer */
  readonly elsewhere: true[] = [];
  /** number of events that the marks name, and marks without a number */
  lostNumbered = 0;
  lostUnnumbered = 0;

  private readonly page: SubBuffer = new SubBuffer();
  private readonly pageBytes: number;
  private readonly batch: number;
  private offset: number;
  private left: number;
  private chunksLeft = 0;
  private piecePlace = 0;
  private nextPage = 0;
  private stamp = 0.5;
  private lastT = -Infinity;

  constructor(
    private readonly file: TraceDatFile,
    private readonly chunks: Chunks,
    readonly buffer: TraceBuffer,
    /** which of all streams it is: the earlier one wins where times are equal */
    readonly index: number,
    part: CpuPart,
    private readonly time: TimeBase,
    private readonly ticks: Ticks | undefined,
    private readonly unit: 'ns' | 'ticks',
    /** how many streams there are */
    of: number,
  ) {
    this.t = this.stamp = this.place = 0;
    this.cpu = part.cpu;
    this.pageBytes = buffer.page;
    this.stats = file.stats.find((one) => one.buffer === buffer.name && one.cpu === part.cpu);
    const {size} = file.source;
    this.offset = part.offset;
    this.left = Math.max(0, Math.min(part.size, size - part.offset));
    if (this.left < part.size)
      this.cut = `the file ends ${part.size - this.left} bytes before the end of CPU ${this.cpu}`;
    else if (part.claimed !== undefined)
      this.cut = `the last ${part.claimed} bytes of CPU ${this.cpu} are those of another`;
    if (buffer.packed && this.left > 0) {
      try {
        this.chunksLeft = new Cursor(file.source, file.meta.little, this.offset, this.offset + this.left).u32();
      } catch (error) {
        this.fail(error);
      }
      this.offset += 4;
      // the size of 3.1.6 lacks the bytes of the count: the number of chunks tells the end
      this.left = Math.max(0, Math.min(part.size, size - this.offset));
    }
    const most = Math.min(BATCH_BYTES, BATCHES_BYTES / of);
    this.batch = Math.max(1, Math.floor(most / this.pageBytes)) * this.pageBytes;
    this.piece = new Piece(file.meta.little, buffer.packed ? 0 : Math.min(this.batch, this.left));
  }

  /** Goes to the next event. False at the end; `lost` then says what is missing there. */
  next(): boolean {
    const {page} = this;
    for (;;) {
      if (page.next()) {
        this.at = page.at;
        this.end = page.end;
        this.place = this.piecePlace + page.at;
        this.t = this.stamp + (this.ticks ? this.ticks.distance(page.distance) : page.distance);
        this.events++;
        return true;
      }
      if (page.damaged) {
        this.damaged++;
        page.damaged = false;
        // what the rest of the page held is not known
        this.lost = LOST_SOME;
      }
      this.discarded += page.discarded;
      page.discarded = 0;
      if (this.nextPage >= this.piece.length && !this.refill()) return false;
      this.openPage();
    }
  }

  private openPage(): void {
    const {page, piece, file} = this;
    const from = this.nextPage;
    const before = this.events + this.discarded;
    if (this.stats !== undefined && before <= this.stats.read) {
      if (this.boundaries.length > RACED_PAGES) this.boundaries.shift();
      this.boundaries.push(before);
    }
    const to = Math.min(from + this.pageBytes, piece.length);
    this.nextPage = from + this.pageBytes;
    page.open(piece.view, piece.little, file.meta.kernelLong, file.meta.dataOffset, from, to);
    if (page.lost === LOST_SOME) this.lostUnnumbered++;
    else this.lostNumbered += page.lost;
    if (page.lost !== 0)
      this.lost = this.lost === LOST_SOME || page.lost === LOST_SOME ? LOST_SOME : this.lost + page.lost;
    const stamp = (BigInt(page.stampHigh) << 32n) | BigInt(page.stampLow);
    this.stamp = this.time.fromInteger((this.ticks ? this.ticks.base(stamp) : stamp) + file.shift_ns, this.unit);
    if (this.stamp < this.lastT) this.backwards++;
    this.lastT = this.stamp;
  }

  private refill(): boolean {
    const {piece} = this;
    while (this.left > 0) {
      try {
        if (!this.more()) return false;
      } catch (error) {
        this.fail(error);
        return false;
      }
      if (piece.length > 0) {
        this.nextPage = 0;
        return true;
      }
    }
    return false;
  }

  /** Reads the next bytes into the piece. */
  private more(): boolean {
    const {piece, chunks} = this;
    if (this.buffer.packed) {
      if (this.chunksLeft === 0) return false;
      this.chunksLeft--;
      const {place, bytes, used} = chunks.packed(this.index, this.offset, this.left, piece.capacity);
      piece.reserve(bytes.length);
      piece.bytes.set(bytes);
      piece.filled(bytes.length);
      this.piecePlace = place;
      this.offset += used;
      this.left -= used;
      return true;
    }
    const wanted = Math.min(this.batch, this.left);
    piece.reserve(wanted);
    const {place, length} = chunks.raw(this.index, this.offset, wanted, piece.bytes.subarray(0, wanted));
    piece.filled(length);
    this.piecePlace = place;
    this.offset += length;
    this.left -= length;
    if (length < wanted) {
      this.left = 0;
      this.cut ??= `CPU ${this.cpu}: ${chunks.source.failure ?? 'bytes are missing'}`;
    }
    return true;
  }

  /** The rest of the stream cannot be read. */
  private fail(error: unknown): void {
    if (!(error instanceof Damaged)) throw error;
    this.left = 0;
    this.chunksLeft = 0;
    this.cut ??= `CPU ${this.cpu}: ${error.message}`;
  }
}
