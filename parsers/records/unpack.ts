/**
 * Packed pieces of recordings. zstd goes through zstddec (the reference decoder in WebAssembly): on pieces of 40 KiB it is
 * six times as fast as fzstd, and a recording is made of nothing else.
 */
import {inflateSync} from 'node:zlib';
import {ZSTDDecoder} from 'zstddec/stream';
import {Damaged} from './cursor.js';

/** What may come out of a piece, against what went in: more is a bomb. */
const RATIO_MAX = 1000;
const RATIO_FREE_BYTES = 1 << 16;
/** the same of a stream, of which more is read ahead */
const STREAM_FREE_BYTES = 1 << 22;

/** How a trace.dat names what its sections are packed with. */
export type Packing = 'none' | 'zlib' | 'zstd';

const decoder = new ZSTDDecoder();

/** To be awaited before anything is unpacked: the decoder has to be compiled. */
export async function unpackerReady(): Promise<void> {
  await withoutFetch(() => decoder.init());
}

/** zstddec asks `fetch` for its own code, where there is one: Node would load its HTTP client for that, 50 ms of CPU time. */
function withoutFetch<T>(begin: () => T): T {
  const fetch = Object.getOwnPropertyDescriptor(globalThis, 'fetch');
  if (fetch?.configurable !== true) return begin();
  Reflect.deleteProperty(globalThis, 'fetch');
  try {
    return begin();
  } finally {
    Object.defineProperty(globalThis, 'fetch', fetch);
  }
}

/**
 * Unpacks a piece that says it holds `plain` bytes. Throws Damaged where it does not, and where the claim is beyond all
 * measure, before anything is allocated for it.
 */
export function unpack(packing: Packing, packed: Uint8Array, plain: number, limit: number): Uint8Array {
  if (plain > limit || plain > packed.length * RATIO_MAX + RATIO_FREE_BYTES)
    throw new Damaged(`${packed.length} packed bytes that say they are ${plain}`);
  let out: Uint8Array;
  try {
    if (packing === 'zlib') out = inflateSync(packed, {maxOutputLength: Math.max(1, plain)});
    else if (packing === 'zstd') out = decoder.decode(packed, plain);
    else throw new Damaged('a packed section in a file that names no compression');
  } catch (error) {
    if (error instanceof Damaged) throw error;
    throw new Damaged(`the ${packing} data are damaged (${error instanceof Error ? error.message : String(error)})`);
  }
  if (out.length !== plain) throw new Damaged(`the ${packing} data are damaged: ${out.length} bytes for ${plain}`);
  return out;
}

/**
 * Unpacks pieces of one continuing zstd stream (perf.data). What comes out of a piece may come with the next one. Ends,
 * with Damaged, where the stream is damaged, breaks off within a piece or holds what is beyond all measure.
 */
export function* unpackStream(pieces: Iterable<Uint8Array>): Generator<Uint8Array, void> {
  let pulled = true;
  let room = STREAM_FREE_BYTES;
  function* watched(): Generator<Uint8Array, void> {
    for (const piece of pieces) {
      pulled = true;
      room += piece.length * RATIO_MAX;
      yield piece;
    }
  }
  let ended = false;
  try {
    for (const plain of decoder.decodeStreaming(watched())) {
      // an error gives nothing and takes nothing, again and again
      if (plain.length === 0) {
        if (!pulled) throw new Damaged('the zstd data are damaged');
        pulled = false;
        continue;
      }
      room -= plain.length;
      if (room < 0) throw new Damaged(`packed bytes that say they are more than ${RATIO_MAX} times as many`);
      yield plain;
    }
    ended = true;
  } catch (error) {
    // the recorder ends no frame: that the stream could go on is no damage
    if (error instanceof Error && /Incomplete stream/.test(error.message)) return;
    if (error instanceof Damaged) throw error;
    throw new Damaged(`the zstd data are damaged (${error instanceof Error ? error.message : String(error)})`);
  }
  if (!ended) throw new Damaged('the zstd data are damaged');
}
