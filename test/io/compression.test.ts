import {createHash} from 'node:crypto';
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {gzipSync} from 'node:zlib';
import {afterAll, beforeAll, describe, expect, it} from 'vitest';
import type {ByteSource} from '../../src/io/byte-source.js';
import {openInput} from '../../src/io/open-input.js';
import {UserError} from '../../src/io/user-error.js';
import {xzSource} from '../../src/io/xz.js';
import {gunzipSource} from '../../src/io/gzip.js';
import {zstdSource} from '../../src/io/zstd.js';
import {sampleText} from './sample-text.js';

const fixture = (name: string): Buffer => readFileSync(new URL(`fixtures/${name}`, import.meta.url));
const text = sampleText();

/** Bytes as a source, in pieces that share one buffer, as files give them. */
class Pieces implements ByteSource {
  readonly cut = undefined;
  private at = 0;
  private readonly buffer: Uint8Array;

  /** `small`: the size of pieces within `edge` bytes of the beginning and the end, instead */
  constructor(
    private readonly bytes: Uint8Array,
    private readonly size: number,
    private readonly small = size,
    private readonly edge = 0,
  ) {
    this.buffer = new Uint8Array(Math.max(size, small));
  }

  async next(): Promise<Uint8Array | null> {
    if (this.at === this.bytes.length) return null;
    const far = this.at >= this.edge && this.at + this.size <= this.bytes.length - this.edge;
    const piece = this.bytes.subarray(this.at, this.at + (far ? this.size : this.small));
    this.buffer.fill(0xaa);
    this.buffer.set(piece);
    this.at += piece.length;
    return this.buffer.subarray(0, piece.length);
  }

  close(): void {
    this.at = this.bytes.length;
  }
}

async function unpack(source: ByteSource): Promise<{bytes: Buffer; cut: string | undefined}> {
  const chunks: Buffer[] = [];
  for (let chunk = await source.next(); chunk !== null; chunk = await source.next()) chunks.push(Buffer.from(chunk));
  const {cut} = source;
  source.close();
  return {bytes: Buffer.concat(chunks), cut};
}

const gz = gzipSync(text);
/** name, packed text, how to open it, whether a checksum that we look at covers all of it */
const whole: [string, Buffer, (raw: ByteSource) => ByteSource, boolean][] = [
  ['gzip', gz, gunzipSource, true],
  [
    'gzip in several members',
    Buffer.concat([gzipSync(text.subarray(0, 7)), gzipSync(text.subarray(7))]),
    gunzipSource,
    true,
  ],
  ['zstd', fixture('plain.zst'), zstdSource, false],
  ['zstd in several frames', fixture('frames.zst'), zstdSource, false],
  ['xz', fixture('plain.xz'), xzSource, true],
  ['xz with a small dictionary and CRC32', fixture('small-dictionary.xz'), xzSource, true],
  ['xz in several blocks', fixture('blocks.xz'), xzSource, true],
  ['xz in several streams', fixture('streams.xz'), xzSource, false],
];

describe.each(whole)('%s', (_name, packed, open, checked) => {
  it('gives the bytes back', async () => {
    const {bytes, cut} = await unpack(open(new Pieces(packed, 1 << 20)));
    expect(cut).toBeUndefined();
    expect(bytes.equals(text)).toBe(true);
  });

  it('gives them back from pieces of any size', async () => {
    // what zlib unpacks goes to another thread, piece by piece: headers, trailers and the seam of the members are at the ends
    const edge = open === gunzipSource ? 1000 : packed.length;
    for (const small of [1, 3, 4093]) {
      const {bytes, cut} = await unpack(open(new Pieces(packed, 4093, small, edge)));
      expect(cut).toBeUndefined();
      expect(bytes.equals(text)).toBe(true);
    }
  });

  it('is read up to where it was cut, wherever that is', async () => {
    for (let share = 1; share < 10; share++) {
      const kept = Math.floor((packed.length * share) / 10);
      const {bytes, cut} = await unpack(open(new Pieces(packed.subarray(0, kept), 65536)));
      expect(cut).toMatch(/data end in the middle$/);
      expect(bytes.equals(text.subarray(0, bytes.length))).toBe(true);
      // lost is what a block holds back: 2 MB of text at most in xz, where that is half of ours
      if (share === 9) expect(bytes.length).toBeGreaterThanOrEqual(text.length * 0.5);
    }
  });

  it('never gives more than was there, nor hangs, when bytes are damaged', async () => {
    for (let i = 0; i < 24; i++) {
      const bad = Buffer.from(packed);
      const at = 8 + Math.floor(((bad.length - 8) * i) / 24);
      bad[at] = (bad[at] ?? 0) ^ (1 << (i % 8));
      const {bytes, cut} = await unpack(open(new Pieces(bad, 65536)));
      // a bit that nothing hangs on (the time in a gzip header) may change without harm
      if (checked && cut === undefined) expect(bytes.equals(text)).toBe(true);
      expect(bytes.length).toBeLessThan(text.length * 4);
    }
  });
});

describe('xz', () => {
  it('finds a flipped bit by its check, even in data that still decode', async () => {
    const packed = fixture('plain.xz');
    let found = 0;
    for (let i = 0; i < 20; i++) {
      const bad = Buffer.from(packed);
      const at = 100 + Math.floor(((bad.length - 300) * i) / 20);
      bad[at] = (bad[at] ?? 0) ^ 4;
      const {cut} = await unpack(xzSource(new Pieces(bad, 65536)));
      if (cut?.startsWith('the xz data are damaged') === true) found++;
    }
    expect(found).toBe(20);
  });

  it('refuses filters that nobody uses for text, with a way out', async () => {
    const {cut} = await unpack(xzSource(new Pieces(fixture('delta.xz'), 65536)));
    expect(cut).toBe('the xz data use a filter that is not read here: pipe xz -dc into pinscope');
  });

  it('says what follows it', async () => {
    const {bytes, cut} = await unpack(
      xzSource(new Pieces(Buffer.concat([fixture('plain.xz'), Buffer.from('trailing bytes')]), 65536)),
    );
    expect(bytes.equals(text)).toBe(true);
    expect(cut).toBe('bytes that are not xz follow the xz data');
  });
});

describe('zstd', () => {
  it('refuses a window that would eat the memory', async () => {
    // frame header with window descriptor 0xa8: 2^31 bytes
    const bomb = Buffer.from([
      0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x03, 0x00, 0x00, 0x41, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ]);
    const {bytes, cut} = await unpack(zstdSource(new Pieces(bomb, 65536)));
    expect(bytes.length).toBe(0);
    expect(cut).toMatch(/need a window of 2048 MiB/);
  });

  it('hands out a bomb of repeated bytes block by block', async () => {
    // 2000 blocks of one byte repeated 128 KiB times: 8 KB that unpack to 262 MB
    const header = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58];
    const blocks = Buffer.alloc(4 * 2000);
    for (let i = 0; i < 2000; i++) {
      blocks.writeUIntLE((131072 << 3) | (1 << 1) | (i === 1999 ? 1 : 0), i * 4, 3);
      blocks[i * 4 + 3] = 0x61;
    }
    const source = zstdSource(new Pieces(Buffer.concat([Buffer.from(header), blocks]), 1 << 20));
    let total = 0;
    let largest = 0;
    for (let chunk = await source.next(); chunk !== null; chunk = await source.next()) {
      total += chunk.length;
      largest = Math.max(largest, chunk.length);
    }
    expect(source.cut).toBeUndefined();
    expect(total).toBe(2000 * 131072);
    expect(largest).toBe(131072);
  });
});

describe('gzip', () => {
  it('does not run ahead of its reader', async () => {
    const bomb = Buffer.concat(Array<Buffer>(16).fill(gzipSync(Buffer.alloc(16 << 20))));
    const before = process.memoryUsage.rss();
    const source = gunzipSource(new Pieces(bomb, 1 << 20));
    for (let i = 0; i < 5; i++) expect(((await source.next()) ?? []).length).toBe(1 << 20);
    await new Promise((done) => setTimeout(done, 200));
    expect(process.memoryUsage.rss() - before).toBeLessThan(100 << 20);
    source.close();
  });

  it('ignores the zeros that tape and disk blocks leave behind', async () => {
    const {bytes, cut} = await unpack(gunzipSource(new Pieces(Buffer.concat([gz, Buffer.alloc(512)]), 65536)));
    expect(bytes.equals(text)).toBe(true);
    expect(cut).toBeUndefined();
  });
});

describe('an input', () => {
  let dir = '';
  beforeAll(() => {
    dir = mkdtempSync(path.join(tmpdir(), 'pinscope-compression-'));
  });
  afterAll(() => rmSync(dir, {recursive: true}));

  it.each([
    ['gzip', gz],
    ['zstd', fixture('plain.zst')],
    ['xz', fixture('plain.xz')],
  ])('knows %s by its first bytes, whatever its name, and hashes what is on disk', async (compression, packed) => {
    const file = path.join(dir, 'trace.txt');
    writeFileSync(file, packed);
    const input = await openInput(file);
    expect(input.compression).toBe(compression);
    expect(Buffer.from(await input.peek(1000))).toEqual(text.subarray(0, 1000));
    for (let chunk = await input.next(); chunk !== null; chunk = await input.next());
    expect(input.bytesRead).toBe(packed.length);
    expect(input.bytesOut).toBe(text.length);
    expect(input.sha256).toBe(createHash('sha256').update(packed).digest('hex'));
    input.close();
  });

  it('is refused when the compressed data hold nothing', async () => {
    const file = path.join(dir, 'nothing.gz');
    writeFileSync(file, gzipSync(Buffer.alloc(0)));
    await expect(openInput(file)).rejects.toThrow('nothing could be read: the gzip data hold nothing');
    writeFileSync(file, gz.subarray(0, 5));
    await expect(openInput(file)).rejects.toThrow(UserError);
  });
});
