/**
 * The parts of a PERF_RECORD_SAMPLE, in the order in which perf_event_open(2) lists them: those of fixed size lie where the
 * attr says; READ, CALLCHAIN and RAW behind them have sizes of their own.
 */
import type {Addresses} from '../records/addresses.js';
import type {Bytes} from '../records/piece.js';
import {type Attr, Sample} from './attr.js';

/** read_format bits */
const ENABLED = 1;
const RUNNING = 2;
const ID = 4;
const GROUP = 8;
const LOST = 16;

/** Marks in a call chain (enum perf_callchain_context) are -4095 and above; -128 begins the kernel's frames. */
const MARKS = 0xfffff001;
const KERNEL = 0xffffff80;
const FRAMES_MAX = 1024;

export class SampleParts {
  cpu = -1;
  pid = -1;
  tid = -1;
  /** the record as the kernel's ring buffer would have it; empty where none was recorded */
  rawAt = 0;
  rawEnd = 0;
  chainAt = 0;
  chainCount = 0;

  /** Finds the parts of the sample in `[at, end)`. False where they do not fit. */
  find(attr: Attr, piece: Bytes, at: number, end: number): boolean {
    const {view, little} = piece;
    const {sampleType} = attr;
    this.cpu = this.pid = this.tid = -1;
    this.rawAt = this.rawEnd = this.chainAt = this.chainCount = 0;
    let pos = at + attr.restAt;
    if (pos > end) return false;
    if (attr.cpuAt >= 0) this.cpu = view.getInt32(at + attr.cpuAt, little);
    if (attr.tidAt >= 0) {
      this.pid = view.getInt32(at + attr.tidAt, little);
      this.tid = view.getInt32(at + attr.tidAt + 4, little);
    }
    if (sampleType & Sample.read) {
      const {readFormat: f} = attr;
      const each = 8 * (1 + (f & ID ? 1 : 0) + (f & LOST ? 1 : 0));
      const times = 8 * ((f & ENABLED ? 1 : 0) + (f & RUNNING ? 1 : 0));
      if (f & GROUP) {
        if (pos + 8 > end) return false;
        const n = view.getUint32(little ? pos : pos + 4, little);
        pos += 8 + times + n * each;
      } else pos += times + each;
      if (pos > end) return false;
    }
    if (sampleType & Sample.callchain) {
      if (pos + 8 > end) return false;
      const n = view.getUint32(little ? pos : pos + 4, little);
      const high = view.getUint32(little ? pos + 4 : pos, little);
      if (high !== 0 || n > Math.floor((end - pos - 8) / 8)) return false;
      this.chainAt = pos + 8;
      this.chainCount = n;
      pos += 8 + 8 * n;
    }
    if (sampleType & Sample.raw) {
      if (pos + 4 > end) return false;
      const size = view.getUint32(pos, little);
      if (size > end - pos - 4) return false;
      this.rawAt = pos + 4;
      this.rawEnd = pos + 4 + size;
    }
    return true;
  }

  /** Puts the frames of the kernel, innermost first, into `into`. */
  kernelFrames(piece: Bytes, into: Addresses): void {
    into.clear();
    const {view, little} = piece;
    let kernel = true;
    const n = Math.min(this.chainCount, FRAMES_MAX);
    for (let i = 0, at = this.chainAt; i < n; i++, at += 8) {
      const high = view.getUint32(little ? at + 4 : at, little);
      const low = view.getUint32(little ? at : at + 4, little);
      if (high === 0xffffffff && low >= MARKS) kernel = low === KERNEL;
      else if (kernel) into.add(high, low);
    }
  }
}
