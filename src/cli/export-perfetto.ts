/** `pinscope export --to perfetto`: a timeline for ui.perfetto.dev. */
import {selector} from '../findings/select.js';
import {tellFindings} from '../export/perfetto/findings.js';
import {TimelineRows} from '../export/perfetto/ledger.js';
import {SLICES_MAX, Timeline} from '../export/perfetto/timeline.js';
import {UserError} from '../io/user-error.js';
import {LedgerRows} from '../readers/export/ledger.js';
import {analyzeReading} from '../run/analyze.js';
import type {TraceOptions} from './base.js';
import {codeAfter, type ExitCode, readingCodeOf} from './exit.js';
import type {AnyForm} from './flags.js';
import {watchInterrupts} from './interrupt.js';
import {judging} from './judging.js';
import {checkKnown} from './known.js';
import {type Progress, showProgress} from './progress.js';
import {outputFor, tellReading} from './run.js';

/** Bytes are handed on in pieces of about so many. */
const PIECE_BYTES = 1 << 20;

/** Findings; with `all`, --pfn or --time also the references, mappings and writebacks. Throws UserError. */
export async function runExportPerfetto(
  options: TraceOptions<AnyForm>,
  all: boolean,
  version: string,
): Promise<ExitCode> {
  if (options.output === undefined && process.stdout.isTTY)
    throw new UserError('a Perfetto trace is no text', {next: 'write it to a file: -o FILE'});
  const {pfn, time} = options.selection;
  const judged = await judging(options, version);
  const output = await outputFor(options);
  const interruption = watchInterrupts();
  let progress: Progress | undefined;
  const timeline = new Timeline();
  try {
    const {report, reading} = await analyzeReading(
      {
        ...judged,
        selected: selector(options),
        signal: interruption.signal,
        onOpen: (inputs) => (progress = showProgress(inputs, options)),
      },
      (m) => {
        if (!all && pfn.length === 0 && time === undefined) return [];
        const moment = (ns: bigint | undefined, open: number): number =>
          ns === undefined ? open : m.capture.time.relative(ns);
        const names = {
          task(id: number) {
            const {comm, pid} = m.evidence.tasks.get(id);
            return `${comm} ${pid}`;
          },
          device: (id: number) => m.dma.devices[id]?.name ?? '?',
          end: () => m.capture.last,
        };
        const rows = new TimelineRows(
          timeline,
          {
            page: (page) => pfn.length === 0 || pfn.some(({first, last}) => page >= first && page <= last),
            // asked when rows come: the clock's base is known by then
            get from() {
              return moment(time?.from?.ns, -Infinity);
            },
            get to() {
              return moment(time?.to?.ns, Infinity);
            },
          },
          names,
        );
        return [new LedgerRows(m, rows)];
      },
    );
    progress?.stop();
    if (options.verbose) tellReading(report);
    if (report.partial === undefined) checkKnown(reading, options);
    if (reading.ledger.capture.time.unit !== 'ns')
      throw new UserError('its clock only counts: there is no time to show', {next: 'see pinscope history'});
    const base = reading.ledger.capture.time.absolute(0);
    tellFindings(report, base, timeline);
    let pieces: Uint8Array[] = [];
    let bytes = 0;
    const done: Buffer[] = [];
    timeline.write(base, (packet) => {
      pieces.push(packet);
      bytes += packet.length;
      if (bytes < PIECE_BYTES) return;
      done.push(Buffer.concat(pieces));
      [pieces, bytes] = [[], 0];
    });
    for (const piece of [...done, Buffer.concat(pieces)]) await output.write(piece);
    await output.commit();
    if (timeline.dropped > 0)
      process.stderr.write(
        `pinscope: ${timeline.dropped} slices beyond ${SLICES_MAX} are left out; restrict with --pfn or --time\n`,
      );
    return codeAfter(interruption.signal, readingCodeOf(report, options));
  } catch (error) {
    await output.abort();
    throw error;
  } finally {
    progress?.stop();
    interruption.release();
  }
}
