/** The bytes of a file or pipe as they come: counted, hashed, with a look at the first of them. */
import {createHash, type Hash} from 'node:crypto';
import type {ByteSource} from './byte-source.js';
import type {RawSource} from './raw.js';

/** Counts and hashes what passes; gives back what was taken to look at the magic. */
export class MeteredSource implements ByteSource {
  /** undefined when nobody wants the digest: it costs a second for each GB or two */
  hash: Hash | undefined = createHash('sha256');
  private held: Uint8Array | null = null;

  constructor(readonly raw: RawSource) {}

  get cut(): string | undefined {
    return this.raw.cut;
  }

  /** At least `count` first bytes, fewer if there are no more. Only before the first next(). */
  async head(count: number): Promise<Uint8Array> {
    while ((this.held?.length ?? 0) < count) {
      const chunk = await this.pull();
      if (chunk === null) break;
      if (this.held === null && chunk.length >= count) {
        this.held = chunk; // the common case: next() hands out this very chunk, before the buffer is written again
      } else {
        this.held = Buffer.concat([this.held ?? new Uint8Array(0), chunk]);
      }
    }
    return this.held ?? new Uint8Array(0);
  }

  async next(): Promise<Uint8Array | null> {
    const held = this.held;
    this.held = null;
    return held ?? this.pull();
  }

  /** Passes over a chunk that is not to be hashed; answers its bytes, 0 where that cannot be. */
  pass(): number {
    return this.hash === undefined && this.held === null ? (this.raw.pass?.() ?? 0) : 0;
  }

  private async pull(): Promise<Uint8Array | null> {
    const chunk = await this.raw.next();
    if (chunk !== null) this.hash?.update(chunk);
    return chunk;
  }

  close(): void {
    this.raw.close();
  }
}
