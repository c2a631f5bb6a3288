/**
 * Bytes, pulled chunk by chunk: a file, a pipe, or what a decompressor makes of either.
 */
export interface ByteSource {
  /**
   * The next bytes, or null at the end. A chunk is valid only until the next call: its buffer may be written again.
   * Never rejects for bad data or a read error in the middle: the source then ends early and says why in `cut`.
   */
  next(): Promise<Uint8Array | null>;
  /** Why the bytes ended before they should have; undefined while all is well. */
  readonly cut: string | undefined;
  close(): void;
}

/** Bytes in one chunk of a plain file: large enough that a call costs nothing, small enough to stay in the cache. */
export const CHUNK_BYTES = 1 << 20;
