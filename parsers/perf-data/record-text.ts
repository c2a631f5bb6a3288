/** Records shown again by their place: read once more, and rendered as the kernel prints their events. */
import {Blocks} from '../../src/io/blocks.js';
import type {RandomAccess} from '../../src/io/random-access.js';
import {Spool} from '../../src/io/spool.js';
import {UserError} from '../../src/io/user-error.js';
import type {OpenOptions} from '../form.js';
import {Damaged, latin1} from '../records/cursor.js';
import type {RecordEvents} from '../records/events.js';
import {type Bytes, bytesOf} from '../records/piece.js';
import {render} from '../records/render.js';
import type {PerfDataFile} from './file.js';
import type {TaskNames} from './names.js';
import type {RecordAttrs} from './record-attrs.js';
import {SampleParts} from './sample.js';
import {bigU64} from './values.js';
import {type Segment, Type} from './walk.js';

/** Places from here on are in the unpacked stream, which was put aside. */
const UNPACKED = 2 ** 41;
const RECORD_HEAD = 8;

export class RecordText {
  private readonly parts = new SampleParts();
  /** the unpacked stream, to show records of it again */
  private spool: Spool | undefined;
  private spoolFailed = false;
  /** by source: what was read again of it */
  private readonly blocks = new Map<RandomAccess, Blocks>();

  constructor(
    private readonly file: PerfDataFile,
    private readonly segments: readonly Segment[],
    private readonly options: OpenOptions,
    private readonly events: RecordEvents,
    private readonly attrs: RecordAttrs,
    private readonly names: TaskNames,
  ) {}

  /** Puts bytes of the unpacked stream aside; answers the place of the first. */
  unpacked(bytes: Uint8Array): number {
    if (!this.spoolFailed && !this.spool) {
      try {
        this.spool = new Spool();
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        this.spoolFailed = true;
      }
    }
    const place = UNPACKED + (this.spool?.bytes ?? 0);
    if (this.spool && !this.spool.write(bytes)) this.spoolFailed = true;
    return place;
  }

  /** The sample at `place`; in its stead, why it cannot be shown. */
  text(place: number): string {
    try {
      return this.rendered(place);
    } catch (error) {
      if (!(error instanceof Damaged)) throw error;
      return this.spoolFailed && place >= UNPACKED
        ? '(the record was not kept: no room for a temporary file)'
        : '(the recording has changed since it was read)';
    }
  }

  private rendered(place: number): string {
    const {events, parts} = this;
    const piece = this.again(place);
    const size = piece.bytes.length;
    const attr = this.attrs.of(piece, 0, size, Type.sample);
    if (!attr || !parts.find(attr, piece, 0, size)) throw new Damaged('it is no sample');
    const {cpu, tid, rawAt, rawEnd} = parts;
    const recorded = rawEnd - rawAt >= 8 ? events.of(piece.view.getUint16(rawAt, piece.little)) : undefined;
    if (!recorded) throw new Damaged('its format is not known');
    const t = attr.timeAt < 0 ? 0n : bigU64(piece, attr.timeAt);
    return render({
      format: recorded.format,
      piece,
      base: rawAt,
      end: rawEnd,
      comm: latin1(this.names.at(tid, this.options.time.relative(t))),
      pid: tid,
      cpu,
      time: t,
      unit: 'ns',
      flags: piece.bytes[rawAt + recorded.flagsAt]!,
      preempt: piece.bytes[rawAt + recorded.flagsAt + 1]!,
      symbols: events.kallsyms(),
      layout: events.flagsOf(recorded.format),
      printk: this.file.meta.printk,
    });
  }

  /** The bytes of a record, read again. */
  private again(place: number): Bytes {
    const segment = place >= UNPACKED ? undefined : this.segments.findLast(({base}) => base <= place);
    const source = place >= UNPACKED ? this.spool?.read() : segment?.source;
    if (!source) throw new Damaged('there is no such record');
    let blocks = this.blocks.get(source);
    if (!blocks) this.blocks.set(source, (blocks = new Blocks(source)));
    const offset = place - (segment?.base ?? UNPACKED);
    const {little} = this.file;
    const head = bytesOf(blocks.bytes(offset, RECORD_HEAD), little);
    if (head.bytes.length < RECORD_HEAD || head.view.getUint32(0, little) !== Type.sample)
      throw new Damaged('there is no such record');
    const size = head.view.getUint16(6, little);
    const bytes = blocks.bytes(offset, size);
    if (size < RECORD_HEAD || bytes.length < size) throw new Damaged('there is no such record');
    return bytesOf(bytes, little);
  }
}
