/** What must hold for every input, however damaged. Answers with what does not, in words. */
import {readFileSync} from 'node:fs';
import {isDeepStrictEqual} from 'node:util';
import {Ajv, type AnySchemaObject, type ValidateFunction} from 'ajv';
import {detect} from '../../parsers/detect.js';
import {type OpenOptions, readsRecords, type TraceReader} from '../../parsers/form.js';
import {follow} from '../../src/run/follow.js';
import {info} from '../../src/run/info.js';
import {readTraces} from '../../src/run/read.js';
import {analyze, analyzeReading, type AnalyzeOptions} from '../../src/run/analyze.js';
import {exitCodeOf} from '../../src/cli/exit.js';
import {Followed} from '../../src/readers/history/followed.js';
import {absentOf, pagesOf} from '../../src/readers/history/report.js';
import {UserError} from '../../src/io/user-error.js';
import type {EventSink} from '../../src/events/event.js';
import {EVERY_PIN} from '../../src/readers/pins/choice.js';
import {PinCollector} from '../../src/readers/pins/collector.js';
import {basisOf, endingOf} from '../../src/run/basis.js';
import {HISTORY_RENDERERS} from '../../src/report/history/index.js';
import {REPORT_RENDERERS} from '../../src/report/index.js';
import {INFO_RENDERERS} from '../../src/report/info/index.js';
import {PINS_RENDERERS} from '../../src/report/pins/index.js';
import type {Report} from '../../src/results/report.js';
import {readWith} from '../parsers/collect.js';
import type {Random} from './random.js';
import {FUZZ_FORMS} from './seeds.js';

const PLAIN = {color: false, width: 80};
const ajv = new Ajv({strictTypes: false, allowUnionTypes: true});

function schema(name: string): ValidateFunction {
  const file = new URL(`../../schema/${name}`, import.meta.url);
  return ajv.compile(JSON.parse(readFileSync(file, 'utf8')) as AnySchemaObject);
}

const isReport = schema('pinscope.report.2.json');
const isLine = schema('pinscope.report.lines.2.json');
const isHistory = schema('pinscope.history.2.json');
const isPins = schema('pinscope.pins.1.json');

/** What no form for people may contain: whatever moves a cursor, hides or reorders text. */
const UNSAFE = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]|\p{Surrogate}/u;
const NOT_ASCII = /[^\x20-\x7e\n]/;

/**
 * Throws whatever is wrong with the analysis of these traces; a UserError is a right answer. Tells which it was. The
 * variant says what is looked at besides the report.
 */
export async function check(traces: readonly string[], variant: number, random: Random): Promise<'report' | 'refused'> {
  const odd = variant === 5;
  const options: AnalyzeOptions = {
    traces,
    from: odd && random.chance(0.5) ? random.of(FUZZ_FORMS) : undefined,
    kernel: odd && random.chance(0.5) ? {text: '6.1', major: 6, minor: 1} : undefined,
    pageShift: odd && random.chance(0.3) ? 16 : undefined,
    vmemmap: odd && random.chance(0.5) ? 0xffffea0000000000n : undefined,
    rules: [],
    longPin_ns: 1e6,
    suppressions: undefined,
    selected: () => true,
    command: [],
    version: '0.0.0',
  };
  let report: Report;
  try {
    report = await analyze(options);
  } catch (error) {
    if (error instanceof UserError) return 'refused';
    throw error;
  }
  checkForms(report);
  checkStatus(report);
  if (variant === 3) for (const trace of traces) checkReaders(readFileSync(trace), random);
  if (variant === 4) await checkFollow(options, traces[0]!);
  if (variant === 0) await checkHistory(options, report);
  if (variant === 1) await checkPins(options);
  if (variant === 2) checkText('info', whole(INFO_RENDERERS.table(await info(options), PLAIN)), UNSAFE);
  return 'report';
}

/** Every combination of flags has a status of the contract. */
function checkStatus(report: Report): void {
  for (const strict of [false, true]) {
    const status = exitCodeOf(report, {failOn: {severity: 'warning', sure: false}, strict});
    if (![0, 1, 2, 3].includes(status)) throw new Error(`exit status ${status}`);
  }
}

/** A reader sees the same wherever chunks begin and end, and the quick one of ftrace text what the slow one sees. */
function checkReaders(bytes: Buffer, random: Random): void {
  checkPieces(bytes, [
    Array.from({length: 1 + random.below(5)}, () => 1 + random.below(random.chance(0.5) ? 40 : 5000)),
  ]);
}

/** The same for each of these lists: chunks of its sizes in turn. */
export function checkPieces(bytes: Buffer, lists: readonly (readonly number[])[]): void {
  const found = detect(bytes);
  if (found.outcome !== 'read') return;
  const {form} = found;
  if (readsRecords(form)) return;
  const open = (sink: EventSink, options: OpenOptions): TraceReader => form.open(sink, options);
  const whole = readWith(open, bytes, [1 << 23]);
  for (const sizes of lists) {
    const pieces = readWith(open, bytes, sizes);
    const what = `chunks of ${sizes.join(', ')} bytes`;
    same(pieces.seen, whole.seen, what);
    same([{...pieces.reader.counters}], [{...whole.reader.counters}], `counters by ${what}`);
  }
}

function same(got: readonly object[], wanted: readonly object[], what: string): void {
  const text = (value: object): string =>
    JSON.stringify(value, (key, v: unknown) => (key === 'table' ? undefined : typeof v === 'number' ? String(v) : v));
  if (isDeepStrictEqual(got, wanted)) return;
  for (let i = 0; i < Math.max(got.length, wanted.length); i++) {
    const [a, b] = [text(got[i] ?? {}), text(wanted[i] ?? {})];
    if (a !== b) throw new Error(`${what} change what is read: ${a.slice(0, 1500)} instead of ${b.slice(0, 1500)}`);
  }
}

/** The same trace as a stream. */
async function checkFollow(options: AnalyzeOptions, trace: string): Promise<void> {
  const bytes = readFileSync(trace);
  const step = 1 + (bytes.length % 4096);
  async function* chunks(): AsyncIterable<Buffer> {
    for (let at = 0; at < bytes.length; at += step) yield bytes.subarray(at, at + step);
  }
  try {
    await follow(chunks(), trace, {
      ...options,
      onFindings: async (findings) => {
        for (const finding of findings)
          valid(isLine, JSON.parse(JSON.stringify({type: 'finding', ...finding})), 'follow');
      },
    });
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
  }
}

/** Every form of a report is valid, and safe to look at. */
export function checkForms(report: Report): void {
  const json = whole(REPORT_RENDERERS.json(report, PLAIN));
  valid(isReport, JSON.parse(json), 'json');
  for (const line of whole(REPORT_RENDERERS.ndjson(report, PLAIN)).trimEnd().split('\n'))
    valid(isLine, JSON.parse(line), 'ndjson');
  checkText('table', whole(REPORT_RENDERERS.table(report, PLAIN)), UNSAFE);
  checkText('mail', whole(REPORT_RENDERERS.mail(report, PLAIN)), NOT_ASCII);
  checkText('markdown', whole(REPORT_RENDERERS.markdown(report, PLAIN)), UNSAFE);
  whole(REPORT_RENDERERS.html(report, PLAIN));
}

async function checkHistory(options: AnalyzeOptions, found: Report): Promise<void> {
  const pages = found.findings.flatMap((f) => f.pages).slice(0, 50);
  const followed = new Followed(
    pages.map(({pfn, order}) => ({first: Number(pfn), last: Number(pfn) + 2 ** order - 1})),
  );
  const {report, reading} = await analyzeReading({...options, follow: followed}, () => []);
  const {ledger} = reading;
  const {tool, command, inputs, clock, span, kernel, quality, timing} = report;
  const lives = pagesOf(ledger, report.findings, false);
  const result = {
    schema: 'pinscope.history/2' as const,
    ...{tool, command, inputs, clock, span, kernel, quality, timing},
    pages: lives,
    absent: absentOf(ledger, followed),
  };
  valid(isHistory, JSON.parse(whole(HISTORY_RENDERERS.json(result, PLAIN))), 'history json');
  checkText('history', whole(HISTORY_RENDERERS.table(result, PLAIN)), UNSAFE);
  checkText('history mail', whole(HISTORY_RENDERERS.mail(result, PLAIN)), NOT_ASCII);
}

async function checkPins(options: AnalyzeOptions): Promise<void> {
  let pins!: PinCollector;
  const reading = await readTraces(options, (ledger) => [(pins = new PinCollector(ledger, EVERY_PIN))]);
  const result = {
    schema: 'pinscope.pins/1' as const,
    ...basisOf(reading, options),
    ...pins.result(),
    ...endingOf(reading),
  };
  valid(isPins, JSON.parse(whole(PINS_RENDERERS.json(result, PLAIN))), 'pins json');
  checkText('pins', whole(PINS_RENDERERS.table(result, PLAIN)), UNSAFE);
  checkText('pins mail', whole(PINS_RENDERERS.mail(result, PLAIN)), NOT_ASCII);
}

function whole(pieces: Iterable<string>): string {
  return [...pieces].join('');
}

function valid(validate: ValidateFunction, value: unknown, what: string): void {
  if (!validate(value)) throw new Error(`${what} breaks its schema: ${ajv.errorsText(validate.errors)}`);
}

function checkText(what: string, text: string, forbidden: RegExp): void {
  const m = forbidden.exec(text);
  if (!m) return;
  const line = text.slice(0, m.index).split('\n').at(-1)!;
  throw new Error(`${what} contains U+${m[0].charCodeAt(0).toString(16)} after '${line.slice(-60)}'`);
}
