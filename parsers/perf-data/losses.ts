/**
 * What a perf.data lost, by CPU: LOST and LOST_SAMPLES records where they stand, the kernel's totals at the end, what was
 * overwritten before a CPU's first event.
 */
import type {EventSink} from '../../src/events/event.js';
import type {ReaderCounters} from '../form.js';
import type {Piece} from '../records/piece.js';
import type {Attr} from './attr.js';
import type {PerfDataFile} from './file.js';
import {u64} from './values.js';

/** misc of LOST_SAMPLES: dropped by a filter, and wanted so */
const DROPPED_BY_FILTER = 0x8000;

export class Losses {
  private readonly cpuOfId = new Map<number, number>();
  /** by CPU: what LOST records count, and what the kernel's totals do */
  private readonly counted = new Map<number, number>();
  private readonly totals = new Map<number, number>();
  /** CPUs whose buffer was overwritten, of which an event came */
  private readonly begun = new Set<number>();

  constructor(
    private readonly file: PerfDataFile,
    private readonly sink: EventSink,
    private readonly input: number,
    private readonly counters: ReaderCounters,
  ) {}

  /** ID_INDEX: u64 n, then each id, index, cpu, tid */
  idIndex(piece: Piece, at: number, size: number): void {
    const n = Math.min(u64(piece, at + 8), Math.floor((size - 16) / 32));
    for (let i = 0, entry = at + 16; i < n; i++, entry += 32) {
      const cpu = piece.view.getInt32(piece.little ? entry + 16 : entry + 20, piece.little);
      if (cpu >= 0) this.cpuOfId.set(u64(piece, entry), cpu);
    }
  }

  /** An event of a CPU whose buffer perf lets the kernel overwrite: what was before the first of them may be gone. */
  overwritten(cpu: number): void {
    if (this.begun.has(cpu)) return;
    this.begun.add(cpu);
    this.sink.loss({input: this.input, line: this.counters.lines, cpu, count: -1, what: 'start', record: true});
  }

  /** LOST: u64 id, lost */
  lost(piece: Piece, at: number, size: number, attr: Attr | undefined): void {
    if (size >= 24) this.here(u64(piece, at + 16), cpuOf(piece, at, size, attr));
  }

  /** LOST_SAMPLES: u64 lost */
  lostSamples(piece: Piece, at: number, size: number, attr: Attr | undefined): void {
    if (size >= 16 && !isFiltered(piece, at)) this.here(u64(piece, at + 8), cpuOf(piece, at, size, attr));
  }

  private here(count: number, cpu: number): void {
    this.counted.set(cpu, (this.counted.get(cpu) ?? 0) + count);
    this.sink.loss({input: this.input, line: this.counters.lines + 1, cpu, count, what: 'lost', record: true});
  }

  /**
   * LOST_SAMPLES at the end are the kernel's totals, one for each event and CPU that lost any: the same losses as those of
   * LOST records, and those after the last of them.
   */
  total(piece: Piece, at: number, size: number, attr: Attr | undefined): void {
    if (size < 16 || isFiltered(piece, at)) return;
    const count = u64(piece, at + 8);
    const back = attr?.backIdentifier || attr?.backId || 0;
    const id = back > 0 && size >= 16 + back ? u64(piece, at + size - back) : -1;
    const cpu = this.cpuOfId.get(id) ?? -1;
    this.totals.set(cpu, (this.totals.get(cpu) ?? 0) + count);
    const name = attr && (this.file.meta.formats.get(attr.config)?.title ?? attr.name);
    if (name !== undefined && name !== '') this.sink.fact(this.input, 'lost_event', `${name} ${count}`);
  }

  /** At the end of the records: of the totals what no record counted. */
  rest(): void {
    // A loss is told before the CPU's next event. Of what was lost behind its last event only totals tell, if there are any
    // (PERF_FORMAT_LOST, Linux 6.0 and perf 6.1).
    if (!this.file.attrs.some(({countsLost}) => countsLost))
      for (const cpu of this.counted.keys()) this.tell(cpu, -1, 'lost');
    for (const [cpu, total] of this.totals) {
      const rest = total - (this.counted.get(cpu) ?? 0);
      if (rest > 0) this.tell(cpu, rest, cpu >= 0 ? 'lost' : 'somewhere');
    }
  }

  /** More was lost, nobody knows how much, of whatever CPU. */
  unknown(what: 'lost' | 'somewhere'): void {
    this.tell(-1, -1, what);
  }

  private tell(cpu: number, count: number, what: 'lost' | 'somewhere'): void {
    this.sink.loss({input: this.input, line: 0, cpu, count, what, record: true});
  }
}

function isFiltered({view, little}: Piece, at: number): boolean {
  return (view.getUint16(at + 4, little) & DROPPED_BY_FILTER) !== 0;
}

/** CPU of a record's trailer; -1 where it has none. */
function cpuOf(piece: Piece, at: number, size: number, attr: Attr | undefined): number {
  if (!attr?.sampleIdAll || attr.backCpu === 0 || size < 8 + attr.trailer) return -1;
  return piece.view.getInt32(at + size - attr.backCpu, piece.little);
}
