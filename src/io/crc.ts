/**
 * The checks of .xz files: CRC-32 (IEEE 802.3) and CRC-64 (ECMA-182), both reflected. (node:zlib has crc32 only since
 * 22.2, and no CRC-64 at all.)
 */

const TABLE32 = new Int32Array(256);
/** CRC-64 in two halves: 64-bit integers are too slow in JavaScript. */
const TABLE64_LOW = new Int32Array(256);
const TABLE64_HIGH = new Int32Array(256);

for (let i = 0; i < 256; i++) {
  let crc = i;
  let low = i;
  let high = 0;
  for (let k = 0; k < 8; k++) {
    crc = (crc >>> 1) ^ ((crc & 1) === 0 ? 0 : 0xedb88320);
    const odd = low & 1;
    low = (low >>> 1) | (high << 31);
    high >>>= 1;
    if (odd === 1) {
      low ^= 0xd7870f42;
      high ^= 0xc96c5795;
    }
  }
  TABLE32[i] = crc;
  TABLE64_LOW[i] = low;
  TABLE64_HIGH[i] = high;
}

export class Crc32 {
  private crc = -1;

  update(bytes: Uint8Array): void {
    let {crc} = this;
    for (let i = 0; i < bytes.length; i++) {
      crc = (crc >>> 8) ^ (TABLE32[(crc ^ (bytes[i] as number)) & 0xff] as number);
    }
    this.crc = crc;
  }

  get value(): number {
    return ~this.crc >>> 0;
  }

  /** Whether it is the value stored, little-endian, in the first 4 bytes. */
  matches(stored: Uint8Array): boolean {
    return new DataView(stored.buffer, stored.byteOffset).getUint32(0, true) === this.value;
  }
}

export class Crc64 {
  private low = -1;
  private high = -1;

  update(bytes: Uint8Array): void {
    let {low, high} = this;
    for (let i = 0; i < bytes.length; i++) {
      const index = (low ^ (bytes[i] as number)) & 0xff;
      low = ((low >>> 8) | (high << 24)) ^ (TABLE64_LOW[index] as number);
      high = (high >>> 8) ^ (TABLE64_HIGH[index] as number);
    }
    this.low = low;
    this.high = high;
  }

  /** Whether it is the value stored, little-endian, in the first 8 bytes. */
  matches(stored: Uint8Array): boolean {
    const view = new DataView(stored.buffer, stored.byteOffset);
    return view.getInt32(0, true) === ~this.low && view.getInt32(4, true) === ~this.high;
  }
}
