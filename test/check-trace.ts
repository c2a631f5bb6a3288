/**
 * What must hold for every trace, by whatever way it comes and whoever is asked: one report, one count of pins, one telling of
 * a page's life. `await checkTrace(file)` throws where it does not, and answers with the report.
 */
import {execFileSync} from 'node:child_process';
import {constants, createReadStream, createWriteStream, mkdtempSync, openSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {pipeline} from 'node:stream/promises';
import {gunzipSync} from 'node:zlib';
import {expect} from 'vitest';
import type {Report} from '../src/results/report.js';
import {countedByAll} from './analyze/one-count.js';
import {expectOneTelling} from './analyze/one-telling.js';
import {checkForms, checkPieces} from './fuzz/check.js';
import {analyzeFiles} from './rules/analyze-text.js';

/** A longer text is cut here before it is read byte by byte. */
const PIECES_MAX_BYTES = 8_000;

/** The report without what differs from run to run, machine to machine, and version to version. */
export function lasting(report: Report): unknown {
  const {tool: _tool, command: _command, timing: _timing, inputs, ...rest} = report;
  return {inputs: inputs.map(({path: _path, ...input}) => input), ...rest};
}

/** The same as JSON prints it, without how the bytes came. */
function told(report: Report): unknown {
  const {inputs, quality, ...rest} = JSON.parse(JSON.stringify(lasting(report))) as Report;
  return {
    ...rest,
    inputs: inputs.map(({evidence, sha256: _sha256, bytes: _bytes, ...input}) => ({
      ...input,
      evidence: evidence.filter((line) => !line.startsWith('put aside in a temporary file')),
    })),
    quality,
  };
}

/** What a trace gives that comes through a pipe, under a name that tells nothing. */
async function analyzePiped(file: string): Promise<Report> {
  pipe ??= newPipe();
  const fed = pipeline(createReadStream(file, {highWaterMark: 4096}), createWriteStream(pipe));
  const [report] = await Promise.all([analyzeFiles([pipe]), fed]);
  return report;
}

/** A pipe, kept for all traces: a process to make one is slow. It is held open for its name, which needs no file. */
let pipe: string | undefined;

function newPipe(): string {
  const dir = mkdtempSync(path.join(tmpdir(), 'pinscope-piped-'));
  try {
    execFileSync('mkfifo', [path.join(dir, 'x')]);
    return `/proc/self/fd/${openSync(path.join(dir, 'x'), constants.O_RDONLY | constants.O_NONBLOCK)}`;
  } finally {
    rmSync(dir, {recursive: true});
  }
}

function textOf(file: string): Buffer | undefined {
  if (/\.(?:dat|data)\.xz$/.test(file)) return undefined;
  const bytes = readFileSync(file);
  return file.endsWith('.gz') ? gunzipSync(bytes) : bytes;
}

export async function checkTrace(file: string): Promise<Report> {
  const {report, pins, ledger} = await countedByAll(file);
  const {analyze} = pins;
  expect(pins, 'pins as all commands count them').toEqual({analyze, pins: analyze, history: analyze, refs: analyze});
  expectOneTelling(ledger, report.findings);
  checkForms(report);
  expect(told(await analyzePiped(file)), 'through a pipe').toEqual(told(report));
  const text = textOf(file)?.subarray(0, PIECES_MAX_BYTES);
  if (text !== undefined) checkPieces(text, [[1], [7], [4096]]);
  return report;
}
