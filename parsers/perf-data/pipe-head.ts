/** The head of a recording made for a pipe: records that stand for what the head of a file tells. */
import {Cursor, latin1} from '../records/cursor.js';
import {part} from '../records/metadata.js';
import type {Piece} from '../records/piece.js';
import {Attr, ATTR_MIN} from './attr.js';
import {FOREIGN_RECORD, type PerfDataFile, simpleperf} from './file.js';
import {nameIn, u64} from './values.js';
import {type Segment, Type, Walk} from './walk.js';

/** Reads what in pipe mode stands for the head: attrs, names, features, formats. */
export function readHead(
  file: PerfDataFile,
  piece: Piece,
  at: number,
  size: number,
  type: number,
  follows: number,
  place: number,
): void {
  if (file.headSeen.has(place)) return;
  const {view, bytes, little} = piece;
  const c = (from: number, to: number): Cursor => Cursor.of(bytes.slice(from, to), little);
  part(file.meta.notes, `record of type ${type}`, () => {
    if (type === Type.attr && size >= 8 + ATTR_MIN) {
      // before 2012 the attr did not tell its size
      const said = view.getUint32(at + 12, little);
      const n = said >= ATTR_MIN && said <= size - 8 ? said : ATTR_MIN;
      const attr = new Attr(bytes.slice(at + 8, at + 8 + n), little);
      for (let id = at + 8 + n; id + 8 <= at + size; id += 8) attr.ids.push(u64(piece, id));
      file.addAttr(attr);
    } else if (type === Type.eventUpdate && size > 24) {
      // 2: the name
      const attr = u64(piece, at + 8) === 2 ? file.byId.get(u64(piece, at + 16)) : undefined;
      if (attr) attr.name = latin1(nameIn(bytes, at + 24, at + size, size));
    } else if (type === Type.feature && size >= 16) {
      if (u64(piece, at + 8) >= 128) throw simpleperf();
      file.feature(u64(piece, at + 8), c(at + 16, at + size));
    } else if (type === Type.tracingData) file.tracingData(c(at + size, at + size + follows));
    else return;
    if (file.headSeen.size < 100_000) file.headSeen.add(place);
  });
}

/**
 * Reads the head of a recording made for a pipe, up to its first sample. Throws Refused for what another program made.
 */
export function readPipeHead(file: PerfDataFile, segment: Segment): void {
  let done = false;
  const walk = new Walk(segment, file.little, {
    record(_piece, _at, _size, type) {
      if (type === Type.sample) done = true;
    },
    own(piece, at, size, type, follows, place) {
      if (type >= FOREIGN_RECORD) throw simpleperf();
      if (!done) readHead(file, piece, at, size, type, follows, place);
    },
    unpacked() {
      done = true;
      return 0;
    },
  });
  while (!done && walk.step());
}
