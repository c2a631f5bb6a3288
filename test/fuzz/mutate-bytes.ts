/** A recording, damaged: bits, bytes, sizes and offsets that lie, parts that are missing, doubled or moved, a cut end. */
import {gzipSync} from 'node:zlib';
import type {Random} from './random.js';

/** Values that sizes and counts are set to. */
const NUMBERS = [0, 1, 7, 8, 28, 29, 30, 31, 255, 4095, 4096, 65535, 65536, 0x7fffffff, 0x80000000, 0xffffffff];

export function damagedRecording(random: Random, whole: Buffer): Buffer {
  let bytes: Buffer = Buffer.from(whole);
  const rounds = random.chance(0.05) ? 0 : 1 + random.below(random.chance(0.2) ? 60 : 8);
  for (let i = 0; i < rounds && bytes.length > 16; i++) bytes = random.of(DAMAGES)(bytes, random);
  if (random.chance(0.2)) bytes = bytes.subarray(0, random.below(bytes.length + 1));
  return random.chance(0.05) ? gzipSync(bytes) : bytes;
}

/** Somewhere, the head more often than its share: what all else hangs on is there. */
function somewhere(bytes: Buffer, random: Random, room: number): number {
  const length = random.chance(0.3) ? Math.min(bytes.length, 2000) : bytes.length;
  return random.below(Math.max(1, length - room));
}

const DAMAGES: ((bytes: Buffer, random: Random) => Buffer)[] = [
  (bytes, random) => {
    bytes[somewhere(bytes, random, 1)]! ^= 1 << random.below(8);
    return bytes;
  },
  (bytes, random) => {
    bytes[somewhere(bytes, random, 1)] = random.below(256);
    return bytes;
  },
  (bytes, random) => {
    bytes.writeUInt32LE(random.of(NUMBERS), somewhere(bytes, random, 4));
    return bytes;
  },
  (bytes, random) => {
    bytes.writeUInt32BE(random.of(NUMBERS), somewhere(bytes, random, 4));
    return bytes;
  },
  (bytes, random) => {
    bytes.writeUInt16LE(random.of(NUMBERS) & 0xffff, somewhere(bytes, random, 2) & ~1);
    return bytes;
  },
  // a number that is near what it was
  (bytes, random) => {
    const at = somewhere(bytes, random, 4);
    bytes.writeUInt32LE((bytes.readUInt32LE(at) + random.below(17) - 8) >>> 0, at);
    return bytes;
  },
  (bytes, random) => {
    const at = somewhere(bytes, random, 64);
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random.below(64))]);
  },
  (bytes, random) => {
    const at = somewhere(bytes, random, 64);
    const part = bytes.subarray(at, at + 1 + random.below(64));
    return Buffer.concat([bytes.subarray(0, at), part, bytes.subarray(at)]);
  },
  (bytes, random) => {
    const length = 1 + random.below(200);
    const from = somewhere(bytes, random, length);
    bytes.copy(bytes, somewhere(bytes, random, length), from, from + length);
    return bytes;
  },
  (bytes, random) => {
    const at = somewhere(bytes, random, 8);
    return bytes.fill(random.chance(0.5) ? 0 : 255, at, Math.min(bytes.length, at + 1 + random.below(100)));
  },
];
