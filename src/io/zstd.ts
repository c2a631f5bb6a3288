/**
 * zstd through fzstd. (node:zlib has it since 22.15, but in 22 and 24 it stops after the first of several frames without
 * a word, and 22 does not notice that a frame was cut.)
 *
 * fzstd hands out whatever a push makes at once and takes any window a frame asks for, so hostile input could make it
 * take gigabytes. This walks the frames itself (RFC 8878, 3.1), refuses windows as large as the zstd tool refuses
 * them, and pushes one block at a time: at most 128 KiB come out of each.
 */
import {Decompress} from 'fzstd';
import type {ByteSource} from './byte-source.js';

/** `zstd -d` refuses larger windows too unless told otherwise (--long=27). */
const WINDOW_LIMIT_BYTES = 1 << 27;

const FRAME_MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;

/** Data that break RFC 8878. */
class DamagedZstd extends Error {}

/** Bytes after the frame's descriptor: window, dictionary id and content size. */
function headerRest(descriptor: number): number {
  const singleSegment = (descriptor >> 5) & 1;
  const dictionary = [0, 1, 2, 4][descriptor & 3] ?? 0;
  const contentSize = [singleSegment, 2, 4, 8][descriptor >> 6] ?? 0;
  return (singleSegment === 1 ? 0 : 1) + dictionary + contentSize;
}

/** The window a frame header asks for, in bytes. */
function windowBytes(header: Uint8Array): number {
  const descriptor = header[4] ?? 0;
  if (((descriptor >> 5) & 1) === 0) {
    const byte = header[5] ?? 0;
    const base = 2 ** (10 + (byte >> 3));
    return base + (base / 8) * (byte & 7);
  }
  // a single segment: the window is the content
  const sizeBytes = [1, 2, 4, 8][descriptor >> 6] ?? 1;
  let size = 0;
  for (let i = 0; i < sizeBytes; i++) size += (header[header.length - sizeBytes + i] ?? 0) * 2 ** (8 * i);
  return size + (sizeBytes === 2 ? 256 : 0);
}

export function zstdSource(raw: ByteSource): ByteSource {
  return new ZstdSource(raw);
}

class ZstdSource implements ByteSource {
  private failure: string | undefined;
  private ended = false;
  private chunk: Uint8Array = new Uint8Array(0);
  private at = 0;
  private readonly out: Uint8Array[] = [];
  private readonly decoder = new Decompress((bytes) => {
    if (bytes.length > 0) this.out.push(bytes);
  });
  /** inside a frame: whether a checksum follows its last block; null between frames */
  private checksum: boolean | null = null;

  constructor(private readonly raw: ByteSource) {}

  get cut(): string | undefined {
    return this.raw.cut ?? this.failure;
  }

  async next(): Promise<Uint8Array | null> {
    while (!this.ended) {
      const ready = this.out.shift();
      if (ready !== undefined) return ready;
      try {
        this.ended = !(await this.step());
        // frames too short for fzstd to have looked at them yet
        if (this.ended) this.decoder.push(new Uint8Array(0), true);
      } catch (error) {
        this.ended = true;
        this.failure =
          error instanceof DamagedZstd
            ? error.message
            : `the zstd data are damaged (${error instanceof Error ? error.message : String(error)})`;
      }
    }
    return this.out.shift() ?? null;
  }

  /** Decodes one frame header or one block; false at the clean end of the data. */
  private async step(): Promise<boolean> {
    if (this.checksum !== null) {
      await this.block();
      return true;
    }
    const magic = await this.take(4, true);
    if (magic === null) return false;
    const word = new DataView(magic.buffer, magic.byteOffset).getUint32(0, true);
    if ((word & 0xfffffff0) >>> 0 === SKIPPABLE_MAGIC) {
      const size = await this.need(4);
      await this.skip(new DataView(size.buffer, size.byteOffset).getUint32(0, true));
      return true;
    }
    if (word !== FRAME_MAGIC) throw new DamagedZstd('bytes that are not zstd follow the zstd data');
    const descriptor = await this.need(1);
    const header = joined(joined(magic, descriptor), await this.need(headerRest(descriptor[0] ?? 0)));
    const window = windowBytes(header);
    if (window > WINDOW_LIMIT_BYTES) {
      const mib = Math.ceil(window / 2 ** 20);
      throw new DamagedZstd(
        `the zstd data need a window of ${mib} MiB, more than the limit of 128: pipe zstd -dc into pinscope`,
      );
    }
    this.decoder.push(header);
    this.checksum = (((descriptor[0] ?? 0) >> 2) & 1) === 1;
    return true;
  }

  private async block(): Promise<void> {
    const header = await this.need(3);
    const word = (header[0] ?? 0) | ((header[1] ?? 0) << 8) | ((header[2] ?? 0) << 16);
    const [last, type, size] = [word & 1, (word >> 1) & 3, word >>> 3];
    if (type === 3) throw new DamagedZstd('the zstd data are damaged (reserved block type)');
    if (size > 1 << 17) throw new DamagedZstd('the zstd data are damaged (block too large)');
    // type 1 is one byte repeated; fzstd does not check content checksums, so neither do we
    const tail = this.checksum === true && last === 1 ? 4 : 0;
    const body = await this.need(type === 1 ? 1 : size);
    this.decoder.push(joined(header, body));
    if (last === 0) return;
    if (tail > 0) this.decoder.push(await this.need(tail));
    this.checksum = null;
  }

  private async need(count: number): Promise<Uint8Array> {
    const bytes = await this.take(count, false);
    if (bytes === null) throw new DamagedZstd('the zstd data end in the middle');
    return bytes;
  }

  /** Exactly `count` bytes, copied; null at the end of the data (with `clean`, only if not a single byte is there). */
  private async take(count: number, clean: boolean): Promise<Uint8Array | null> {
    const bytes = new Uint8Array(count);
    let filled = 0;
    while (filled < count) {
      if (this.at === this.chunk.length && !(await this.refill())) {
        if (clean && filled > 0) throw new DamagedZstd('the zstd data end in the middle');
        return null;
      }
      const part = this.chunk.subarray(this.at, this.at + count - filled);
      bytes.set(part, filled);
      filled += part.length;
      this.at += part.length;
    }
    return bytes;
  }

  private async skip(count: number): Promise<void> {
    let left = count;
    while (left > 0) {
      if (this.at === this.chunk.length && !(await this.refill()))
        throw new DamagedZstd('the zstd data end in the middle');
      const step = Math.min(left, this.chunk.length - this.at);
      this.at += step;
      left -= step;
    }
  }

  private async refill(): Promise<boolean> {
    const chunk = await this.raw.next();
    this.chunk = chunk ?? new Uint8Array(0);
    this.at = 0;
    return chunk !== null;
  }

  close(): void {
    this.ended = true;
    this.raw.close();
  }
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
