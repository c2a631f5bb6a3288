/**
 * Lines of facts behind the last byte of a recording: `pinscope record` puts them there, where trace-cmd and perf do not
 * look, for both find what they want by offsets.
 *
 *     ...last section or feature | \n# pinscope-record: version=1\n ... # pinscope-record: end=command\n
 */
import type {RandomAccess} from '../../src/io/random-access.js';
import {type RecorderFact, recorderFact} from '../recorder-fact.js';

/** Most bytes that are looked at: facts of some hundred probes are a tenth of it. */
const TRAILER_MAX = 1 << 18;

export interface Trailer {
  /** in the order of the lines; empty where there is no such trailer */
  facts: RecorderFact[];
  /** where it begins, and the recording itself ends */
  at: number;
}

export function trailerOf(source: RandomAccess): Trailer {
  const none = {facts: [], at: source.size};
  const length = Math.min(TRAILER_MAX, source.size);
  const bytes = new Uint8Array(length);
  const from = source.size - length;
  if (source.read(from, length, bytes, 0) < length || bytes[length - 1] !== 10) return none;
  const facts: RecorderFact[] = [];
  let at = length;
  while (at > 1) {
    // the line before `at`, which is behind its newline
    const start = bytes.lastIndexOf(10, at - 2) + 1;
    if (start === 0) break;
    const fact = recorderFact(Buffer.from(bytes.buffer, start, at - 1 - start).toString('utf8'));
    if (!fact) break;
    facts.push(fact);
    at = start;
  }
  return facts.length === 0 ? none : {facts: facts.toReversed(), at: from + at - 1};
}
