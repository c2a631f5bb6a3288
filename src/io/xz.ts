/**
 * The .xz container (xz-file-format 1.2.1, tukaani.org/xz): streams of blocks, each LZMA2 with a check behind it.
 *
 * Reads what the xz tool writes for data: any number of streams and blocks, CRC32 and CRC64 checked. Filters for machine
 * code (x86, ARM, delta), which nobody uses for text, are refused.
 */
import type {ByteSource} from './byte-source.js';
import {Crc32, Crc64} from './crc.js';
import {DamagedLzma, Lzma2Decoder} from './lzma2.js';

/** `xz -9` uses 64 MiB. */
const DICTIONARY_LIMIT_BYTES = 1 << 27;

/** Sizes of checks by their id. */
const CHECK_BYTES = [0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64];

const STREAM_MAGIC = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00];
const LZMA2_FILTER = 0x21;

const CUT = 'the xz data end in the middle';

class DamagedXz extends Error {}

export function xzSource(raw: ByteSource): ByteSource {
  return new XzSource(raw);
}

class XzSource implements ByteSource {
  private failure: string | undefined;
  private ended = false;
  private chunk: Uint8Array = new Uint8Array(0);
  private at = 0;
  private readonly output = this.decode();

  constructor(private readonly raw: ByteSource) {}

  get cut(): string | undefined {
    return this.raw.cut ?? this.failure;
  }

  async next(): Promise<Uint8Array | null> {
    if (this.ended) return null;
    try {
      const step = await this.output.next();
      if (step.done !== true) return step.value;
    } catch (error) {
      if (error instanceof DamagedXz) this.failure = error.message;
      else if (error instanceof DamagedLzma) this.failure = `the xz data are damaged (${error.message})`;
      else throw error;
    }
    this.ended = true;
    return null;
  }

  close(): void {
    this.ended = true;
    this.raw.close();
  }

  /** All streams of the file, with zeros between them. */
  private async *decode(): AsyncGenerator<Uint8Array, void> {
    let first = true;
    for (;;) {
      const word = await this.take(4, true);
      if (word === null) return;
      if (!first && word.every((byte) => byte === 0)) continue;
      const header = joined(word, await this.need(8));
      if (!STREAM_MAGIC.every((byte, i) => header[i] === byte)) {
        throw new DamagedXz(first ? 'not xz data' : 'bytes that are not xz follow the xz data');
      }
      if (crc32(header.subarray(6, 8)) !== le32(header, 8)) throw damaged('header of a stream');
      yield* this.stream((header[7] ?? 0) & 15);
      first = false;
    }
  }

  private async *stream(check: number): AsyncGenerator<Uint8Array, void> {
    for (;;) {
      const size = (await this.need(1))[0] ?? 0;
      if (size === 0) break;
      yield* this.block(size, check);
    }
    await this.skipIndex();
    const footer = await this.need(12);
    if (footer[10] !== 0x59 || footer[11] !== 0x5a) throw damaged('footer of a stream');
  }

  private async *block(sizeByte: number, check: number): AsyncGenerator<Uint8Array, void> {
    const header = joined(Uint8Array.of(sizeByte), await this.need(sizeByte * 4 + 3));
    if (crc32(header.subarray(0, -4)) !== le32(header, header.length - 4)) throw damaged('header of a block');
    const decoder = new Lzma2Decoder(dictionaryBytes(header));
    const sum = check === 1 ? new Crc32() : check === 4 ? new Crc64() : null;
    let packedBytes = 0;
    for (;;) {
      const control = (await this.need(1))[0] ?? 0;
      packedBytes += 1;
      if (control === 0) break;
      let bytes: Uint8Array;
      if (control < 0x80) {
        if (control > 2) throw damaged('control byte');
        const size = be16(await this.need(2), 0) + 1;
        bytes = decoder.copy(control, await this.need(size));
        packedBytes += 2 + size;
      } else {
        const sizes = await this.need(4);
        const unpacked = ((control & 0x1f) << 16) + be16(sizes, 0) + 1;
        const packed = be16(sizes, 2) + 1;
        const props = control >= 0xc0 ? ((await this.need(1))[0] ?? 0) : null;
        if (packed < 5) throw damaged('size of a chunk');
        bytes = decoder.decode(control, props, await this.need(packed), unpacked);
        packedBytes += 4 + (props === null ? 0 : 1) + packed;
      }
      sum?.update(bytes);
      yield bytes;
    }
    await this.need((4 - (packedBytes % 4)) % 4);
    const stored = await this.need(CHECK_BYTES[check] ?? 0);
    if (sum !== null && !sum.matches(stored)) throw damaged('check of a block');
  }

  /** The index repeats the blocks' sizes, for jumping about: not needed here. */
  private async skipIndex(): Promise<void> {
    let bytes = 1;
    const number = async (): Promise<number> => {
      let value = 0;
      for (let i = 0; i < 9; i++) {
        const byte = (await this.need(1))[0] ?? 0;
        bytes += 1;
        value += (byte & 0x7f) * 2 ** (7 * i);
        if (byte < 0x80) return value;
      }
      throw damaged('index');
    };
    for (let left = await number(); left > 0; left--) {
      await number();
      await number();
    }
    await this.need(((4 - (bytes % 4)) % 4) + 4);
  }

  private async need(count: number): Promise<Uint8Array> {
    const bytes = await this.take(count, false);
    if (bytes === null) throw new DamagedXz(CUT);
    return bytes;
  }

  /** Exactly `count` bytes, copied; null at the end of the data (with `clean`, only if not a single byte is there). */
  private async take(count: number, clean: boolean): Promise<Uint8Array | null> {
    const bytes = new Uint8Array(count);
    let filled = 0;
    while (filled < count) {
      if (this.at === this.chunk.length) {
        const chunk = await this.raw.next();
        if (chunk === null) {
          if (clean && filled > 0) throw new DamagedXz(CUT);
          return null;
        }
        this.chunk = chunk;
        this.at = 0;
      }
      const part = this.chunk.subarray(this.at, this.at + count - filled);
      bytes.set(part, filled);
      filled += part.length;
      this.at += part.length;
    }
    return bytes;
  }
}

function damaged(what: string): DamagedXz {
  return new DamagedXz(`the xz data are damaged (${what})`);
}

/** The dictionary's size from a block header that holds one LZMA2 filter and nothing else. */
function dictionaryBytes(header: Uint8Array): number {
  const flags = header[1] ?? 0;
  let at = 2;
  const skipNumber = (): void => {
    while ((header[at++] ?? 0) >= 0x80);
  };
  if ((flags & 0x40) !== 0) skipNumber();
  if ((flags & 0x80) !== 0) skipNumber();
  if ((flags & 0x3f) !== 0 || header[at] !== LZMA2_FILTER || header[at + 1] !== 1) {
    throw new DamagedXz('the xz data use a filter that is not read here: pipe xz -dc into pinscope');
  }
  const code = header[at + 2] ?? 0;
  // 2^n or 2^n + 2^(n-1), from 4 KiB
  const size = (2 | (code & 1)) * 2 ** ((code >> 1) + 11);
  if (code > 40 || size > DICTIONARY_LIMIT_BYTES) {
    throw new DamagedXz('the xz data need a dictionary of more than 128 MiB: pipe xz -dc into pinscope');
  }
  return size;
}

function crc32(bytes: Uint8Array): number {
  const sum = new Crc32();
  sum.update(bytes);
  return sum.value;
}

function le32(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);
}

function be16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
