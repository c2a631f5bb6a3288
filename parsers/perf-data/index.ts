/** perf.data, the recordings of perf record: files, pipes, and directories (--threads, --kcore). */
import {ascii, startsWith} from '../bytes.js';
import {KallsymsError, parseKallsyms, type Kallsyms} from '../../src/base/kallsyms.js';
import {Refused, type RecordFile, type RecordForm, type RecordSource, type Sniff} from '../form.js';
import {Damaged} from '../records/cursor.js';
import {kindsOf} from '../records/kinds.js';
import {PART_MAX} from '../records/metadata.js';
import {unpackerReady} from '../records/unpack.js';
import {PerfDataFile} from './file.js';
import {readPipeHead} from './pipe-head.js';
import {PerfDataReader} from './reader.js';
import type {Segment} from './walk.js';

/** version 2 in little and big endian, and version 1 */
const MAGICS = [ascii('PERFILE2'), ascii('2ELIFREP'), ascii('PERFFILE')];
const FILES_MAX = 10_000;

function sniff(head: Uint8Array): Sniff {
  if (!MAGICS.some((magic) => startsWith(head, 0, head.length, magic))) return {verdict: 'no', score: 0, evidence: []};
  return {verdict: 'yes', score: 100, evidence: ['begins with the magic of a perf.data file']};
}

async function openFile(source: RecordSource): Promise<RecordFile> {
  try {
    const file = new PerfDataFile(source);
    if (file.packed) await unpackerReady();
    const segments = segmentsOf(file, source);
    // of a file the first records tell whether another program made it
    readPipeHead(file, segments[0]!);
    refuseWithoutFormats(file);
    const symbols = kallsymsBeside(source);
    const formats = file.attrs.flatMap(({isTracepoint, isCounted, config}) =>
      isTracepoint && !isCounted ? (file.meta.formats.get(config) ?? []) : [],
    );
    return {
      recorded: kindsOf(formats),
      mayBeLeftOut: false,
      reader: (sink, options) =>
        new PerfDataReader(
          file,
          segments,
          sink,
          symbols && !options.kallsyms ? {...options, kallsyms: symbols} : options,
        ),
    };
  } catch (error) {
    if (!(error instanceof Damaged)) throw error;
    throw new Refused(
      `this perf.data cannot be read: ${error.message}`,
      'Copy it again; perf report --header-only -i of the same file tells whether it is whole.',
    );
  }
}

/** The records of a file lie in it; those of a directory in files of their own, beside the head. */
function segmentsOf(file: PerfDataFile, source: RecordSource): Segment[] {
  const segments: Segment[] = [{source, from: file.dataAt, to: file.dataEnd, base: 0}];
  let base = source.size;
  const names = source.beside?.names.filter((name) => /^data\.\d+$/.test(name)) ?? [];
  for (const name of names.slice(0, FILES_MAX)) {
    const of = source.beside!.open(name);
    segments.push({source: of, from: 0, to: of.size, base});
    base += of.size;
  }
  return segments;
}

/** Tracepoints without their formats: the recorder was killed before it wrote them. */
function refuseWithoutFormats(file: PerfDataFile): void {
  if (file.hasFormats || !file.attrs.some(({isTracepoint}) => isTracepoint)) return;
  throw new Refused(
    `this perf.data has tracepoints, but not their formats${file.cut === undefined ? '' : ` (${file.cut})`}`,
    'perf record writes them when it ends: let it end by itself or by SIGINT (Ctrl-C), or record with -o - into a file, ' +
      'where they come first.',
  );
}

/** `perf record --kcore` puts a copy of /proc/kallsyms beside the data. */
function kallsymsBeside({beside}: RecordSource): Kallsyms | undefined {
  if (!beside?.names.includes('kcore_dir/kallsyms')) return undefined;
  const file = beside.open('kcore_dir/kallsyms');
  try {
    const bytes = new Uint8Array(Math.min(file.size, PART_MAX));
    file.read(0, bytes.length, bytes, 0);
    return parseKallsyms(bytes);
  } catch (error) {
    if (!(error instanceof KallsymsError)) throw error;
    return undefined;
  } finally {
    file.close();
  }
}

export const perfData: RecordForm = {
  id: 'perf-data',
  title: 'perf.data (perf record)',
  ordered: true,
  sniff,
  openFile,
};
