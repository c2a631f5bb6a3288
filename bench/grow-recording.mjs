/**
 * Grows a real recording to so many events: all its records again and again, each copy later in time, on the same pages. A
 * trace.dat of version 7 is made one of version 6 first, by trace-cmd.
 *
 *   node bench/grow-recording.mjs RECORDING OUT EVENTS
 */
import {spawnSync} from 'node:child_process';
import {closeSync, openSync, readFileSync, rmSync, writeSync} from 'node:fs';
import {pathToFileURL} from 'node:url';
import {gunzipSync} from 'node:zlib';

/** Between two copies, in ns. */
const PAUSE = 10_000_000n;
const SAMPLE = 9;
/** Bytes of a perf_event_attr (include/uapi/linux/perf_event.h), and of what says behind it where its ids are. */
const ATTR_SIZE_VER7 = 128;
const ID_SECTION = 16;

/** Reads and writes numbers in the byte order of the file. */
function numbers(bytes, little) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    u16: (at) => view.getUint16(at, little),
    u32: (at) => view.getUint32(at, little),
    u64: (at) => view.getBigUint64(at, little),
    setU32: (at, value) => view.setUint32(at, value, little),
    setU64: (at, value) => view.setBigUint64(at, value, little),
  };
}

function unpacked(file) {
  if (!file.endsWith('.xz')) {
    const raw = readFileSync(file);
    return raw[0] === 0x1f && raw[1] === 0x8b ? gunzipSync(raw) : raw;
  }
  return spawnSync('xz', ['-dc', file], {maxBuffer: 1 << 30}).stdout;
}

/** Writes the recording to `out` with at least `events` events; answers how many. Throws for kinds that cannot be grown. */
export function growRecording(file, out, events) {
  const bytes = unpacked(file);
  const magic = bytes.toString('latin1', 0, 10);
  if (magic === '\x17\x08\x44tracing') return growTraceDat(bytes, out, events);
  if (magic.startsWith('PERFILE2') || magic.startsWith('2ELIFREP')) return growPerfData(bytes, out, events);
  throw new Error(`${file} is no recording`);
}

function asVersion6(bytes, out) {
  if (bytes[10] === 0x36) return bytes;
  const [from, to] = [`${out}.v7`, `${out}.v6`];
  const fd = openSync(from, 'w');
  writeSync(fd, bytes);
  closeSync(fd);
  const {status, stderr} = spawnSync('trace-cmd', [
    'convert',
    '--file-version',
    '6',
    '--compression',
    'none',
    '-i',
    from,
    '-o',
    to,
  ]);
  rmSync(from);
  if (status !== 0) throw new Error(`trace-cmd convert: ${stderr}`);
  const converted = readFileSync(to);
  rmSync(to);
  return converted;
}

/** Words of the events of a sub-buffer in `[at, stop)`: gives each one's place, type and length. */
function* eventsOf(n, little, at, stop) {
  while (at + 4 <= stop) {
    const word = n.u32(at);
    const type = little ? word & 31 : word >>> 27;
    const delta = little ? word >>> 5 : word & 0x07ffffff;
    yield {at, type, delta};
    if (type === 29 && delta === 0) return;
    if (type >= 30) at += 8;
    else if (type === 29 || type === 0) at += 4 + ((n.u32(at + 4) + 3) & ~3);
    else at += 4 + 4 * type;
  }
}

/** The table of CPUs: offset and size of each. Its data come behind it, on pages of their own. */
function cpuParts(bytes, n, page) {
  const parts = [];
  for (let mark = bytes.indexOf('flyrecord\0'); mark >= 0; mark = bytes.indexOf('flyrecord\0', mark + 1)) {
    for (let at = mark + 10; at + 16 <= bytes.length; at += 16) {
      const [offset, size] = [Number(n.u64(at)), Number(n.u64(at + 8))];
      if (offset <= at || offset % page !== 0 || offset + size > bytes.length) break;
      if (parts.length > 0 && parts[0].offset <= at) break;
      parts.push({at, offset, size});
    }
    if (parts.some(({size}) => size > 0)) return parts;
    parts.length = 0;
  }
  throw new Error('it has no events, or instances');
}

function growTraceDat(raw, out, events) {
  const bytes = asVersion6(raw, out);
  const little = bytes[12] === 0;
  const n = numbers(bytes, little);
  const page = n.u32(14);
  const parts = cpuParts(bytes, n, page);
  const first = Math.min(...parts.filter(({size}) => size > 0).map(({offset}) => offset));
  let [earliest, latest, count] = [2n ** 63n, 0n, 0];
  const stopOf = (numbersOf, at) => at + 16 + (numbersOf.u32(little ? at + 8 : at + 12) & 0x7ffffff);
  for (const {offset, size} of parts) {
    for (let at = offset; at < offset + size; at += page) {
      const stamp = n.u64(at);
      if (stamp < earliest) earliest = stamp;
      let time = stamp;
      for (const {type, delta, at: word} of eventsOf(n, little, at + 16, stopOf(n, at))) {
        if (type < 29) count++;
        time += BigInt(delta) + (type === 30 ? BigInt(n.u32(word + 4)) << 27n : 0n);
      }
      if (time > latest && time < stamp + 10n ** 12n) latest = time;
    }
  }
  const copies = Math.ceil(events / count);
  const step = latest - earliest + PAUSE;
  const head = Buffer.from(bytes.subarray(0, first));
  let place = first;
  for (const {at, size} of parts) {
    numbers(head, little).setU64(at, BigInt(place));
    numbers(head, little).setU64(at + 8, BigInt(size * copies));
    place += size * copies;
  }
  const fd = openSync(out, 'w');
  writeSync(fd, head);
  for (const {offset, size} of parts) {
    for (let copy = 0n; copy < copies; copy++) {
      const part = Buffer.from(bytes.subarray(offset, offset + size));
      const m = numbers(part, little);
      for (let at = 0; at < size; at += page) {
        m.setU64(at, m.u64(at) + step * copy);
        for (const {type, delta, at: word} of eventsOf(m, little, at + 16, stopOf(m, at))) {
          if (type !== 31) continue;
          const time = ((BigInt(m.u32(word + 4)) << 27n) | BigInt(delta)) + step * copy;
          const low = Number(time & 0x7ffffffn);
          m.setU32(word, little ? ((low << 5) | 31) >>> 0 : ((31 << 27) | low) >>> 0);
          m.setU32(word + 4, Number((time >> 27n) & 0xffffffffn));
        }
      }
      writeSync(fd, part);
    }
  }
  closeSync(fd);
  return count * copies;
}

/**
 * The attrs of a perf.data as a perf of 5.16 to 6.2 writes them (PERF_ATTR_SIZE_VER7), where what later ones added is zero: an
 * older perf script refuses longer ones, whatever stands in them.
 */
function shortenAttrs(head, little) {
  const n = numbers(head, little);
  const [entry, attrs, size] = [Number(n.u64(16)), Number(n.u64(24)), Number(n.u64(32))];
  const [long, short] = [entry - ID_SECTION, ATTR_SIZE_VER7];
  if (long <= short) return;
  for (let at = attrs; at < attrs + size; at += entry) {
    if (head.subarray(at + short, at + long).some((byte) => byte !== 0)) return;
  }
  const count = size / entry;
  for (let i = 0; i < count; i++) {
    const [was, now] = [attrs + i * entry, attrs + i * (short + ID_SECTION)];
    const ids = Buffer.from(head.subarray(was + long, was + entry));
    head.copyWithin(now, was, was + short);
    ids.copy(head, now + short);
    n.setU32(now + 4, short);
  }
  n.setU64(16, BigInt(short + ID_SECTION));
  n.setU64(32, BigInt(count * (short + ID_SECTION)));
}

function growPerfData(bytes, out, events) {
  const little = bytes.toString('latin1', 0, 8) === 'PERFILE2';
  const n = numbers(bytes, little);
  const [from, size] = [Number(n.u64(40)), Number(n.u64(48))];
  if (n.u64(8) < 104n || size === 0) throw new Error('only whole files of perf record can be grown, not pipes');
  const attr = Number(n.u64(24));
  const sampleType = Number(n.u64(attr + 24));
  const has = (bit) => (sampleType & bit ? 8 : 0);
  if (!has(4)) throw new Error('its samples have no times');
  // IDENTIFIER, IP and TID stand before the time of a sample; IDENTIFIER, CPU, STREAM_ID and ID behind that of a trailer
  const timeAt = 8 + has(65536) + has(1) + has(2);
  const backTime = has(65536) + has(128) + has(512) + has(64) + 8;
  const data = bytes.subarray(from, from + size);
  const d = numbers(data, little);
  const places = [];
  let [earliest, latest, count] = [2n ** 63n, 0n, 0];
  for (let at = 0; at + 8 <= size; at += d.u16(at + 6)) {
    const type = d.u32(at);
    if (d.u16(at + 6) < 8) throw new Error('a record without a size');
    if (type === 81 || type === 83) throw new Error('packed recordings cannot be grown');
    if (type >= 64) continue;
    const place = type === SAMPLE ? at + timeAt : at + d.u16(at + 6) - backTime;
    const time = d.u64(place);
    if (time === 0n) continue;
    places.push(place);
    if (type !== SAMPLE) continue;
    count++;
    if (time < earliest) earliest = time;
    if (time > latest) latest = time;
  }
  const copies = Math.ceil(events / count);
  const step = latest - earliest + PAUSE;
  const head = Buffer.from(bytes.subarray(0, from));
  numbers(head, little).setU64(48, BigInt(size * copies));
  shortenAttrs(head, little);
  const fd = openSync(out, 'w');
  writeSync(fd, head);
  for (let copy = 0n; copy < copies; copy++) {
    const part = Buffer.from(data);
    const m = numbers(part, little);
    for (const place of places) m.setU64(place, m.u64(place) + step * copy);
    writeSync(fd, part);
  }
  // the features' table, which lies behind the data, says where each is
  const rest = Buffer.from(bytes.subarray(from + size));
  const r = numbers(rest, little);
  let row = 0;
  for (let bit = 0; bit < 256; bit++) {
    const byte = little ? bit >> 3 : (bit >> 3) ^ 7;
    if (!(bytes[72 + byte] & (1 << (bit & 7)))) continue;
    r.setU64(row, r.u64(row) + BigInt(size * (copies - 1)));
    row += 16;
  }
  writeSync(fd, rest);
  closeSync(fd);
  return count * copies;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [file, out, events] = process.argv.slice(2);
  if (!file || !out || !(Number(events) > 0)) {
    console.error('usage: node bench/grow-recording.mjs RECORDING OUT EVENTS');
    process.exit(2);
  }
  console.log(`${growRecording(file, out, Number(events))} events`);
}
