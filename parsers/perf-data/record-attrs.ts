/** Which event a record is of: by the id that it carries. */
import type {Bytes} from '../records/piece.js';
import type {Attr} from './attr.js';
import type {PerfDataFile} from './file.js';
import {u64} from './values.js';
import {Type} from './walk.js';

export class RecordAttrs {
  // the event of the record before, by its id
  private lastId = -1;
  private lastAttr: Attr | undefined;

  constructor(private readonly file: PerfDataFile) {}

  /** The event that a record is of; undefined when its id is not known. */
  of(piece: Bytes, at: number, size: number, type: number): Attr | undefined {
    const {attrs, byId} = this.file;
    const [first] = attrs;
    if (attrs.length < 2 || !first) return first;
    let idAt = -1;
    if (type === Type.sample) {
      if (first.identifierAt >= 0) idAt = at + first.identifierAt;
      else if (first.idAt >= 0) idAt = at + first.idAt;
    } else if (first.sampleIdAll) {
      const back = first.backIdentifier || first.backId;
      if (back > 0) idAt = at + size - back;
    }
    if (idAt < at + 8 || idAt + 8 > at + size) return first;
    const id = u64(piece, idAt);
    if (id === this.lastId) return this.lastAttr;
    this.lastId = id;
    // 0: perf made it up
    return (this.lastAttr = id === 0 ? first : byId.get(id));
  }
}
