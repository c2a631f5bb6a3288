/** Text that lies in a recording (a latency tracer's): read by the form of its lines. */
import {type RandomAccess} from '../../src/io/random-access.js';
import type {RecordReader, TraceReader} from '../form.js';
import {latin1} from './cursor.js';

const CHUNK_BYTES = 1 << 18;
/** Bytes of text that count as a record. */
const LINE_BYTES = 100;

export class TextInside implements RecordReader {
  private at = 0;
  private readonly chunk = new Uint8Array(CHUNK_BYTES);

  constructor(
    private readonly source: RandomAccess,
    private readonly reader: TraceReader,
  ) {}

  get counters(): TraceReader['counters'] {
    return this.reader.counters;
  }

  step(records: number): boolean {
    for (let left = records * LINE_BYTES; left > 0;) {
      const got = this.source.read(this.at, CHUNK_BYTES, this.chunk, 0);
      if (got === 0) return false;
      this.at += got;
      left -= got;
      this.reader.push(this.chunk, got);
    }
    return true;
  }

  end(): void {
    this.reader.end();
  }

  text(place: number, length: number): string {
    const bytes = new Uint8Array(length);
    return latin1(bytes.subarray(0, this.source.read(place, length, bytes, 0)));
  }
}
