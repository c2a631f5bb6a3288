/** A perf.data (file, little-endian) made of another: with other attrs and records. */

const HEAD = {attrBytes: 16, attrs: 24, data: 40, features: 72};

export interface PerfParts {
  attrs: Buffer[];
  /** ids of each attr */
  ids: bigint[][];
  records: Buffer[];
}

/** The parts of a file; `write` of them is the same file, but for where its parts lie. */
export function perfParts(bytes: Buffer): PerfParts {
  const u64 = (at: number): number => Number(bytes.readBigUInt64LE(at));
  const each = u64(HEAD.attrBytes);
  const parts: PerfParts = {attrs: [], ids: [], records: []};
  for (let at = u64(HEAD.attrs); at < u64(HEAD.attrs) + u64(HEAD.attrs + 8); at += each) {
    parts.attrs.push(Buffer.from(bytes.subarray(at, at + each - 16)));
    const from = u64(at + each - 16);
    parts.ids.push(Array.from({length: u64(at + each - 8) / 8}, (_, i) => bytes.readBigUInt64LE(from + 8 * i)));
  }
  const end = u64(HEAD.data) + u64(HEAD.data + 8);
  for (let at = u64(HEAD.data); at < end; at += bytes.readUInt16LE(at + 6))
    parts.records.push(Buffer.from(bytes.subarray(at, at + bytes.readUInt16LE(at + 6))));
  return parts;
}

/** The file with other parts, and the features of `bytes`. */
export function perfFile(bytes: Buffer, {attrs, ids, records}: PerfParts): Buffer {
  const head = Buffer.from(bytes.subarray(0, 104));
  const idsAt = head.length;
  const idBytes = ids.map((of) => Buffer.from(BigUint64Array.from(of).buffer));
  const attrsAt = idsAt + Buffer.concat(idBytes).length;
  let at = idsAt;
  const table = attrs.map((attr, i) => {
    const place = Buffer.from(BigUint64Array.of(BigInt(at), BigInt(idBytes[i]!.length)).buffer);
    at += idBytes[i]!.length;
    return Buffer.concat([attr, place]);
  });
  const attrBytes = Buffer.concat(table);
  const data = Buffer.concat(records);
  const dataAt = attrsAt + attrBytes.length;
  head.writeBigUInt64LE(BigInt(attrsAt), HEAD.attrs);
  head.writeBigUInt64LE(BigInt(attrBytes.length), HEAD.attrs + 8);
  head.writeBigUInt64LE(BigInt(dataAt), HEAD.data);
  head.writeBigUInt64LE(BigInt(data.length), HEAD.data + 8);
  const features = Number(bytes.readBigUInt64LE(HEAD.data) + bytes.readBigUInt64LE(HEAD.data + 8));
  const tail = Buffer.from(bytes.subarray(features));
  const moved = BigInt(dataAt + data.length - features);
  let entry = 0;
  for (const byte of head.subarray(HEAD.features, HEAD.features + 32))
    for (let bit = 0; bit < 8; bit++)
      if (byte & (1 << bit)) {
        tail.writeBigUInt64LE(tail.readBigUInt64LE(entry) + moved, entry);
        entry += 16;
      }
  return Buffer.concat([head, ...idBytes, attrBytes, data, tail]);
}
