/** `pinscope analyze --follow`: findings of a running trace as they become certain, and a summary at the end. */
import {follow, type Followed} from '../run/follow.js';
import {findingsNotKept} from '../run/analyze.js';
import {selector} from '../findings/select.js';
import {inputName} from '../io/input.js';
import {compressionOf} from '../io/open-input.js';
import {openRaw, type RawSource} from '../io/raw.js';
import {UserError} from '../io/user-error.js';
import {RULES} from '../rules/registry.js';
import {qualityOf} from '../run/quality.js';
import {printable} from '../words/clean.js';
import {defectText} from '../words/defects.js';
import {counted} from '../words/format.js';
import type {Finding, QualityCounter, Severity, Verdict} from '../results/report.js';
import type {Suppressions} from '../findings/suppress.js';
import type {TraceOptions} from './base.js';
import {codeAfter, ExitCode, fails, readingCodeOf} from './exit.js';
import {outputFor} from './run.js';
import {watchInterrupts} from './interrupt.js';
import {checkKnown} from './known.js';
import {judging} from './judging.js';

export async function runFollow(options: TraceOptions, version: string, kallsyms?: string): Promise<ExitCode> {
  const {to, traces} = options;
  if (to !== 'table' && to !== 'ndjson') {
    throw new UserError(`--to ${to} needs the whole trace`, {where: '--follow', next: 'use table or ndjson'});
  }
  if (traces.length > 1) throw new UserError('follows one trace', {where: '--follow', next: 'give one, or pipe it in'});
  if (traces.length === 0 && process.stdin.isTTY) {
    throw new UserError('no trace given', {next: 'pipe one in: cat trace_pipe | pinscope analyze --follow'});
  }
  const path = traces[0] ?? '-';
  const name = inputName(path);
  const judged = await judging(options, version, kallsyms);
  const output = await outputFor({...options, kallsyms});
  const interruption = watchInterrupts();
  const stop = new AbortController();
  interruption.signal.addEventListener('abort', () => stop.abort(interruption.signal.reason), {once: true});
  const keep = selector(options);
  const told: Told = {byRule: {}, bySeverity: {error: 0, warning: 0, note: 0}, byVerdict: {sure: 0, possible: 0}};
  const started = process.hrtime.bigint();
  let failed = false;
  let bytes: RawSource | undefined;
  try {
    bytes = openRaw(path, stop.signal);
    const followed = await follow(chunksOf(bytes, name), name, {
      ...judged,
      signal: stop.signal,
      onFindings: async (findings) => {
        let text = '';
        for (const finding of findings) {
          if (!keep(finding) || judged.suppressions?.suppresses(finding)) continue;
          failed ||= fails(finding, options.failOn);
          told.byRule[finding.rule] = (told.byRule[finding.rule] ?? 0) + 1;
          told.bySeverity[finding.severity]++;
          told.byVerdict[finding.verdict]++;
          text += to === 'ndjson' ? `${JSON.stringify({type: 'finding', ...finding})}\n` : paragraph(finding);
        }
        await output.write(text);
        // whoever read the findings has gone: nobody is left to follow for
        if (output.closed) stop.abort('the reader has gone');
      },
    });
    if (followed.events === 0 || followed.form === undefined) {
      if (bytes.cut !== undefined && !interruption.signal.aborted)
        throw new UserError(`nothing could be read: ${bytes.cut}`, {where: name});
      throw new UserError('no event came', {where: name, next: 'is tracing on?'});
    }
    const end: End = {
      followed,
      told,
      ended: interruption.signal.aborted ? `stopped by ${String(interruption.signal.reason)}` : bytes.cut,
      seconds: Number(process.hrtime.bigint() - started) / 1e9,
      bytes: bytes.bytes,
      suppressions: judged.suppressions,
    };
    await output.write(to === 'ndjson' ? lastLines(end) : summary(end));
    await output.commit();
    const unknown = unknownName(followed, options);
    if (unknown !== undefined && end.ended === undefined) throw unknown;
    // what was stopped may not have come to it yet
    if (unknown !== undefined && !options.quiet) process.stderr.write(`pinscope: so far: ${unknown.message}\n`);
    if (followed.notRun.length === RULES.length) {
      throw new UserError('nothing that came can be judged', {where: name, next: 'pinscope info says what to record'});
    }
    const read = {
      inputs: [{cut: bytes.cut, unrecognised: {count: followed.unrecognised}}],
      quality: qualityLines(followed),
    };
    const code = readingCodeOf(read, options);
    return codeAfter(interruption.signal, code === ExitCode.clean && failed ? ExitCode.finding : code);
  } catch (error) {
    await output.abort();
    throw error;
  } finally {
    bytes?.close();
    interruption.release();
  }
}

/** Names of filters can be looked up only when all has come. */
function unknownName({ledger, reader}: Followed, options: TraceOptions): UserError | undefined {
  try {
    checkKnown({ledger, inputs: reader === undefined ? [] : [{reader}]}, options);
  } catch (error) {
    if (error instanceof UserError) return error;
    throw error;
  }
  return undefined;
}

/** What was told so far. */
interface Told {
  byRule: Record<string, number>;
  bySeverity: Record<Severity, number>;
  byVerdict: Record<Verdict, number>;
}

interface End {
  followed: Followed;
  told: Told;
  /** why it ended, where that was not the end of the trace */
  ended: string | undefined;
  seconds: number;
  bytes: number;
  suppressions: Suppressions | undefined;
}

async function* chunksOf(source: RawSource, name: string): AsyncGenerator<Uint8Array> {
  let chunk = await source.next();
  const compression = chunk === null ? 'none' : compressionOf(chunk);
  if (compression !== 'none') {
    throw new UserError(`is compressed (${compression}), and not read as it comes`, {
      where: name,
      next: 'analyse it without --follow',
    });
  }
  for (; chunk !== null; chunk = await source.next()) yield chunk;
}

/** One finding as it comes: what, how sure, and the lines that decide it. */
function paragraph(f: Finding): string {
  const verdict = f.verdict === 'sure' ? 'sure' : `possible: ${f.reason ?? ''}`;
  const lines = f.evidence.slice(0, 8).map((e) => `  line ${e.line} (${e.role}) ${printable(e.text.trim())}`);
  const more = f.evidence.length > 8 ? [`  ${counted(f.evidence.length - 8, 'more line')}`] : [];
  return (
    [
      `${f.id} ${f.severity} ${f.rule} (${printable(verdict)})`,
      `  ${printable(f.message)}`,
      ...lines,
      ...more,
      '',
    ].join('\n') + '\n'
  );
}

/** What is wrong with what came, as the report has it; lines that were not understood are counted in the summary. */
function qualityLines({ledger, tooLate, dropped, failed}: Followed): QualityCounter[] {
  const counters = [...qualityOf({ledger, inputs: [], partial: undefined, seconds: 0, tooLate}), ...failed];
  return dropped > 0 ? [...counters, findingsNotKept(dropped)] : counters;
}

/** `quality` lines and the `summary`, as at the end of `--to ndjson`, and what only a followed trace has. */
function lastLines(end: End): string {
  const {followed, told, ended, seconds, bytes, suppressions} = end;
  const {ledger: m, lines, events, unrecognised, notRun} = followed;
  const line = (type: string, value: object): string => `${JSON.stringify({type, ...value})}\n`;
  return [
    ...qualityLines(followed).map((counter) => line('quality', counter)),
    line('summary', {
      by_rule: told.byRule,
      by_severity: told.bySeverity,
      by_verdict: told.byVerdict,
      pages: m.pages.size,
      pins: m.held.pins,
      gets: m.held.gets,
      dma_windows: m.dma.windows.opened,
      writebacks: m.writeback.started,
      suppressed: suppressions?.suppressed ?? 0,
      suppressions: suppressions?.entries() ?? [],
      lines,
      events,
      unrecognised,
      lost_events: m.capture.losses.events,
      gaps: m.capture.gaps.count,
      not_run: notRun,
      timing: {
        seconds: Math.round(seconds * 1000) / 1000,
        events_per_second: Math.round(events / seconds),
        bytes_per_second: Math.round(bytes / seconds),
        peak_rss_bytes: process.resourceUsage().maxRSS * 1024,
      },
      ...(ended === undefined ? {} : {partial: ended}),
    }),
  ].join('');
}

function summary({followed, told, ended}: End): string {
  const {ledger: m, lines, events, unrecognised, notRun} = followed;
  const found = Object.entries(told.byRule)
    .map(([rule, n]) => `${rule} ${n}`)
    .join(', ');
  const lost =
    m.capture.gaps.count > 0
      ? `; ${counted(m.capture.losses.events, 'event')} lost in ${counted(m.capture.gaps.count, 'gap')}`
      : '';
  const unread = unrecognised > 0 ? `, ${counted(unrecognised, 'line')} not understood` : '';
  const seen = [
    counted(m.pages.size, 'page'),
    counted(m.held.pins, 'pin'),
    counted(m.dma.windows.opened, 'DMA mapping'),
    counted(m.writeback.started, 'writeback'),
  ];
  const limits = qualityLines(followed).filter(
    (counter) => counter.severity !== 'note' && counter.id !== 'lost-events',
  );
  return [
    ...(ended === undefined ? [] : [`${printable(ended)}: what came after is not in this summary`]),
    `${counted(lines, 'line')}, ${counted(events, 'event')}${unread}${lost}`,
    `seen: ${seen.join(', ')}`,
    ...limits.map((counter) => printable(defectText(counter))),
    ...(notRun.length > 0 ? [`could not run: ${notRun.join(', ')} (pinscope info says what to record)`] : []),
    found === '' ? 'no findings' : `findings: ${found}`,
    '',
  ].join('\n');
}
