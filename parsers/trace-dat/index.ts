/** trace.dat, the recordings of trace-cmd (trace-cmd.dat(5)), versions 6 and 7. */
import {startsWith} from '../bytes.js';
import {FtraceReader} from '../ftrace/index.js';
import {Refused, type RecordFile, type RecordForm, type RecordSource, type Sniff} from '../form.js';
import {Damaged} from '../records/cursor.js';
import {kindsOf} from '../records/kinds.js';
import {TextInside} from '../records/text-inside.js';
import {unpackerReady} from '../records/unpack.js';
import {recordedEvents, tellFacts} from './facts.js';
import {TraceDatFile} from './file.js';
import {TraceDatReader} from './reader.js';

/** 0x17 0x08 0x44 "tracing" */
const MAGIC = Uint8Array.from(Buffer.from('\x17\x08\x44tracing', 'latin1'));

function sniff(head: Uint8Array): Sniff {
  if (!startsWith(head, 0, head.length, MAGIC)) return {verdict: 'no', score: 0, evidence: []};
  return {verdict: 'yes', score: 100, evidence: ['begins with the magic of a trace.dat file']};
}

/** The first bytes of version 7 name the compression: its decoder takes a while to be made. */
function packedWithZstd(source: RecordSource): boolean {
  const head = new Uint8Array(64);
  const got = source.read(0, head.length, head, 0);
  return Buffer.from(head.subarray(0, got)).includes('\0zstd\0');
}

async function openFile(source: RecordSource): Promise<RecordFile> {
  if (packedWithZstd(source)) await unpackerReady();
  let file: TraceDatFile;
  try {
    file = new TraceDatFile(source);
  } catch (error) {
    if (!(error instanceof Damaged)) throw error;
    throw new Refused(
      `this trace.dat cannot be read: ${error.message}`,
      'Copy it again; trace-cmd report of the same file tells whether it is whole.',
    );
  }
  if (file.buffers.length === 0)
    throw new Refused(
      `this trace.dat says nowhere where its events are${file.meta.notes.length > 0 ? ` (${file.meta.notes[0]})` : ''}`,
      'It was cut, or trace-cmd was killed before it put the file together. The trace.dat.cpu0, trace.dat.cpu1... of a ' +
        'killed recorder hold raw events: trace-cmd restore makes a trace.dat of them.',
    );
  const latency = file.buffers.find((buffer) => buffer.text !== undefined);
  if (latency && file.buffers.every((buffer) => buffer.cpus.every(({size}) => size === 0))) {
    const text = file.textOf(latency);
    return {
      recorded: [],
      mayBeLeftOut: true,
      reader(sink, options) {
        if (file.release !== undefined) sink.fact(options.input, 'kernel', file.release);
        tellFacts(file, sink, options.input, {clock: latency.clock, otherClock: [], text: latency});
        return new TextInside(text, new FtraceReader(sink, options));
      },
    };
  }
  return {
    recorded: kindsOf(recordedEvents(file)),
    // trace-cmd writes the formats of events that -v negates too
    mayBeLeftOut: true,
    reader: (sink, options) => new TraceDatReader(file, sink, options),
  };
}

export const traceDat: RecordForm = {
  id: 'trace-dat',
  title: 'trace.dat (trace-cmd record)',
  ordered: true,
  sniff,
  openFile,
};
