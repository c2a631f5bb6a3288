/**
 * gzip through node:zlib's stream. It runs on another thread, holds one chunk at a time, and stops when nobody takes
 * it, so that a decompression bomb costs time but no memory.
 */
import type {Gunzip} from 'node:zlib';
import {createGunzip} from 'node:zlib';
import {CHUNK_BYTES} from './byte-source.js';
import type {ByteSource} from './byte-source.js';
import {systemCode} from './user-error.js';

/** gzip with all its members (`cat a.gz b.gz`, pigz, bgzip). */
export function gunzipSource(raw: ByteSource): ByteSource {
  return new GunzipSource(raw);
}

class GunzipSource implements ByteSource {
  private failure: string | undefined;
  private ended = false;
  /** wakes next() when there is something to read, or nothing more to come */
  private wake: () => void = () => undefined;
  /** wakes feed() when next() has taken everything */
  private drained: () => void = () => undefined;
  /** wakes feed() when the stream has gone, written or not */
  private gone: () => void = () => undefined;
  private fed = false;

  private readonly stream: Gunzip = createGunzip({chunkSize: CHUNK_BYTES});

  constructor(private readonly raw: ByteSource) {
    this.stream.on('readable', () => this.wake());
    this.stream.on('end', () => this.finish(undefined));
    this.stream.on('error', (error) => this.finish(words(error)));
  }

  get cut(): string | undefined {
    return this.raw.cut ?? this.failure;
  }

  private finish(failure: string | undefined): void {
    this.ended = true;
    this.failure ??= failure;
    this.wake();
    this.drained();
    this.gone();
  }

  /** Moves all of raw into the stream, one chunk at a time: raw's buffer is written again after each. */
  private async feed(): Promise<void> {
    for (;;) {
      const chunk = await this.raw.next();
      if (chunk === null || this.ended) break;
      await new Promise<void>((done) => {
        this.gone = done;
        this.stream.write(chunk, () => done());
      });
      if (this.ended) return;
    }
    // an error at the end destroys the stream with all that it holds, so it has to be empty by then
    while (this.stream.readableLength > 0 && !this.ended) await new Promise<void>((done) => (this.drained = done));
    if (!this.ended) this.stream.end();
  }

  async next(): Promise<Uint8Array | null> {
    if (!this.fed) {
      this.fed = true;
      void this.feed();
    }
    for (;;) {
      const chunk = this.stream.read() as Uint8Array | null;
      if (chunk !== null) {
        if (this.stream.readableLength === 0) this.drained();
        return chunk;
      }
      if (this.ended) return null;
      await new Promise<void>((done) => (this.wake = done));
    }
  }

  close(): void {
    this.finish(undefined);
    this.stream.destroy();
    this.raw.close();
  }
}

function words(error: Error): string {
  if (systemCode(error) === 'Z_BUF_ERROR') return 'the gzip data end in the middle';
  return `the gzip data are damaged (${error.message})`;
}
