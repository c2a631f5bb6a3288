/** `pinscope analyze --follow`: findings of a running trace as they become certain, and a summary at the end. */
import {createReadStream} from 'node:fs';
import type {Readable} from 'node:stream';
import {follow, type Followed} from '../analyze/follow.js';
import {selector} from '../analyze/select.js';
import {openOutput} from '../io/output.js';
import {UserError} from '../io/user-error.js';
import {printable} from '../report/clean.js';
import type {Finding} from '../report/types.js';
import type {TraceOptions} from './base.js';
import {ExitCode, type FailOn, reaches} from './exit.js';
import {watchInterrupts} from './interrupt.js';
import {judging} from './judging.js';

export async function runFollow(options: TraceOptions, version: string): Promise<ExitCode> {
  const {to, traces} = options;
  if (to !== 'table' && to !== 'ndjson') {
    throw new UserError(`--to ${to} needs the whole trace`, {where: '--follow', next: 'use table or ndjson'});
  }
  if (traces.length > 1) throw new UserError('follows one trace', {where: '--follow', next: 'give one, or pipe it in'});
  const path = traces[0] ?? '-';
  const judged = await judging(options, version);
  const output = await openOutput(options.output);
  const interruption = watchInterrupts();
  const keep = selector(options);
  let failed = false;
  const source: Readable = path === '-' ? process.stdin : createReadStream(path);
  try {
    const followed = await follow(source, path === '-' ? 'standard input' : path, {
      ...judged,
      signal: interruption.signal,
      onFinding: async (finding) => {
        if (!keep(finding) || judged.suppressions?.suppresses(finding)) return;
        failed ||= fails(finding, options.failOn);
        await output.write(to === 'ndjson' ? `${JSON.stringify({type: 'finding', ...finding})}\n` : paragraph(finding));
      },
    });
    await output.write(to === 'ndjson' ? `${JSON.stringify(summaryLine(followed))}\n` : summary(followed));
    await output.commit();
    if (followed.events === 0 || followed.form === undefined) {
      throw new UserError('no event came', {where: path === '-' ? 'standard input' : path, next: 'is tracing on?'});
    }
    return failed ? ExitCode.finding : ExitCode.clean;
  } catch (error) {
    await output.abort();
    throw error;
  } finally {
    source.destroy();
    interruption.release();
  }
}

function fails(finding: Finding, failOn: FailOn): boolean {
  return reaches(finding.severity, failOn.severity) && (!failOn.sure || finding.verdict === 'sure');
}

/** One finding as it comes: what, how sure, and the lines that decide it. */
function paragraph(f: Finding): string {
  const verdict = f.verdict === 'sure' ? 'sure' : `possible: ${f.reason ?? ''}`;
  const lines = f.evidence.slice(0, 8).map((e) => `  line ${e.line} (${e.role}) ${printable(e.text.trim())}`);
  const more = f.evidence.length > 8 ? [`  ${f.evidence.length - 8} more lines`] : [];
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

function summaryLine(f: Followed): object {
  const {lines, events, unrecognised, byRule, notRun, model: m} = f;
  return {
    type: 'summary',
    lines,
    events,
    unrecognised,
    lost_events: m.lostEvents,
    gaps: m.gaps.count,
    pages: m.pages.size,
    pins: m.held.takenPins,
    dma_windows: m.windows.opened,
    writebacks: m.writeback.started,
    by_rule: byRule,
    not_run: notRun,
  };
}

function summary(f: Followed): string {
  const {model: m} = f;
  const found = Object.entries(f.byRule)
    .map(([rule, n]) => `${rule} ${n}`)
    .join(', ');
  const lost = m.gaps.count > 0 ? `; ${m.lostEvents} events lost in ${m.gaps.count} gaps` : '';
  return [
    `${f.lines} lines, ${f.events} events${f.unrecognised > 0 ? `, ${f.unrecognised} lines not understood` : ''}${lost}`,
    `seen: ${m.pages.size} pages, ${m.held.takenPins} pins, ${m.windows.opened} DMA mappings, ${m.writeback.started} writebacks`,
    ...(f.notRun.length > 0 ? [`could not run: ${f.notRun.join(', ')} (pinscope info says what to record)`] : []),
    found === '' ? 'no findings' : `findings: ${found}`,
    '',
  ].join('\n');
}
