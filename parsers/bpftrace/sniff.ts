/** Whether an input is what bpftrace printed, as text or as JSON. */

import {ascii, HASH, hashBytes, LBRACE, QUOTE, skipSpaces, SLASH, SPACE, TAB, text} from '../bytes.js';
import {probeOfSymbol} from '../events/probe-table.js';
import {EventTable} from '../events/table.js';
import type {LineForm, Sniff} from '../form.js';
import {LineContext} from '../ftrace/context.js';
import {headLines} from '../head-lines.js';
import {PerfFields} from '../perf-script/fields.js';
import {payloadOf} from './events.js';
import {Members} from './json.js';
import {isOutput, MapOutput} from './output.js';
import {BpftraceJsonReader} from './json-reader.js';
import {LinePrefix} from './prefix.js';
import {Restyler} from './restyle.js';
import {type Style, styleOf} from './style.js';
import {type Timed, unitOf} from '../prefix/unit.js';
import {BpftraceReader} from './text-reader.js';

const NO: Sniff = {verdict: 'no', score: 0, evidence: []};

function counted(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}

/** What to do with a bpftrace program whose output names no pages. */
const ADVICE =
  'Maps and histograms hold sums, not events. Print one line an event, for example\n' +
  '  kprobe:unpin_user_page { printf("%llu cpu=%d pid=%d tid=%d comm=%s unpin_user_page page=0x%llx\\n", nsecs, cpu, pid, tid, comm, arg0); }\n' +
  'or let `pinscope record` write the program.';

/** A line of the head that bpftrace itself did not print. */
type HeadLine = {buf: Uint8Array; start: number; end: number; line: number};

/** What a program's lines are: those of the schema, or of a style of their own. */
interface Program {
  /** events with a time; events without */
  timed: number;
  untimed: number;
  /** lines of the schema whose events nobody decodes */
  unknown: number;
  /** lines that are no events */
  others: number;
  firstEvent: number;
  sample: string;
  style: Style | undefined;
}

function programOf(lines: readonly HeadLine[]): Program {
  const prefix = new LinePrefix();
  const table = new EventTable();
  const program: Program = {timed: 0, untimed: 0, unknown: 0, others: 0, firstEvent: 0, sample: '', style: undefined};
  const times: Timed[] = [];
  for (const {buf, start, end, line} of lines) {
    if (!prefix.parse(buf, start, end)) {
      // stacks are indented
      if (buf[start] !== SPACE) program.others++;
      continue;
    }
    const {nameStart, nameEnd} = prefix;
    const entry = table.entry(buf, nameStart, nameEnd, hashBytes(buf, nameStart, nameEnd));
    const known = payloadOf(entry).read !== 'nothing';
    if (prefix.pairs === 0) program.others++;
    else if (!known) {
      if (prefix.hasTime && prefix.pairs >= 2) program.unknown++;
      else program.others++;
    } else {
      if (prefix.hasTime && prefix.strange === 0) {
        program.timed++;
        if (times.length < STYLE_LINES) {
          const {seconds, fraction_ns, cpu, pid} = prefix;
          times.push({t: seconds * 1e9 + fraction_ns, cpu, tid: pid, name: entry.name});
        }
      } else program.untimed++;
      program.firstEvent ||= line;
      program.sample ||= entry.name;
    }
  }
  // the schema first: what it documents needs no evidence, unless its own times speak against it
  if (program.timed > program.untimed && unitOf(times)?.unit !== 'us') return program;
  const style = styleOf(lines.slice(0, STYLE_LINES));
  if (!style) return program;
  const restyler = new Restyler(style);
  const styled = lines.filter(({buf, start, end}) => restyler.rewrite(buf, start, end, 0) >= 0);
  if (styled.length <= program.timed && style.unit !== 'us') return program;
  const [timed, untimed] = style.unit === undefined ? [0, styled.length] : [styled.length, 0];
  return {
    ...program,
    timed,
    untimed,
    others: lines.filter(({buf, start}) => buf[start] !== SPACE).length - styled.length,
    firstEvent: styled[0]!.line,
    style,
  };
}

/** Lines from which a style is worked out. */
const STYLE_LINES = 1500;

export function sniffText(head: Uint8Array): Sniff {
  const maps = new MapOutput();
  const standing = new LineContext();
  const perf = new PerfFields();
  const lines: HeadLine[] = [];
  let program = 0;
  let recorder = 0;
  let attaching = 0;
  let mapLines = 0;
  let firstMap = 0;
  let likeFtrace = 0;
  headLines(head, (start, end, line) => {
    if (start === end || head[start] === TAB) return;
    if (head[start] === HASH) {
      if (recorder === 0 && RECORDER.test(text(head, start, Math.min(end, start + 40)))) recorder = line;
      return;
    }
    if (program === 0 && lines.length === 0) {
      // comments of a program stand before its clauses
      if (head[start] === SLASH) return;
      if (PROGRAM.test(text(head, start, Math.min(end, start + 200)))) program = line;
    }
    if (maps.continues(head, start, end) || maps.begins(head, start, end)) {
      mapLines++;
      firstMap ||= line;
      return;
    }
    if (attaching === 0 && ATTACHING.test(text(head, start, Math.min(end, start + 40)))) {
      attaching = line;
      return;
    }
    // an object may be a structure that bpftrace printed, or a program's own JSON
    if (head[start] !== LBRACE && isOutput(head, start, end)) return;
    if (standing.parse(head, start, end) || perf.parse(head, start, end)) likeFtrace++;
    lines.push({buf: head, start, end, line});
  });
  // Lines as tracefs or perf prints them are that form's, unless their probes lack the place that the kernel prints.
  const placeless = lines.some(isPlaceless);
  // most are, whatever the others are: what a style of the lines could be is dear to find out
  if (program === 0 && !placeless && likeFtrace * 2 > lines.length) return NO;
  const {timed, untimed, unknown, others, firstEvent, sample, style} = programOf(lines);
  if (program > 0 && attaching + timed === 0) {
    return {
      verdict: 'refused',
      score: 90,
      evidence: [`line ${program} is a clause of a bpftrace program, not what it prints`],
      advice: 'Run it and give its output: bpftrace PROGRAM >trace.txt',
    };
  }
  if (!placeless && likeFtrace * 2 > timed + untimed) return NO;
  const evidence: string[] = [];
  if (recorder > 0) evidence.push(`line ${recorder}: \`pinscope record\` ran bpftrace`);
  if (attaching > 0) evidence.push(`line ${attaching}: bpftrace's "Attaching ... probes"`);
  const events = timed + untimed;
  if (style) {
    evidence.push(...style.evidence, `${counted(events, 'event')} of this style in the first ${head.length} bytes`);
  } else if (events > 0) {
    evidence.push(
      `line ${firstEvent}: ${timed > 0 ? 'a time, key=value pairs' : 'key=value pairs'}, then the event's name (${sample}); ` +
        `${counted(events, 'such line')} in the first ${head.length} bytes`,
    );
  }
  if (mapLines > 0) evidence.push(`line ${firstMap}: a bpftrace map (@...)`);
  const open: LineForm['open'] | undefined = style && ((sink, options) => new BpftraceReader(sink, options, style));
  const convinced = timed > 0 || (attaching > 0 && (events > 0 || unknown > 0)) || (untimed > 0 && untimed > others);
  if (convinced) {
    const score = scoreOf(
      style !== undefined,
      likeFtrace > 0 && placeless,
      attaching > 0 || recorder > 0,
      events > others,
    );
    return {verdict: 'yes', score, evidence, ...(open ? {open} : {})};
  }
  if (attaching > 0 && mapLines + others > 0) {
    evidence.push(`no line with an event's name and key=value pairs in the first ${head.length} bytes`);
    return {verdict: 'refused', score: 80, evidence, advice: ADVICE};
  }
  if (mapLines > 0 && others === 0) return {verdict: 'refused', score: 60, evidence, advice: ADVICE};
  if (attaching > 0 || recorder > 0) return {verdict: 'yes', score: 70, evidence};
  return NO;
}

/** A style that was worked out gives way to every form that knows its lines, but for those without a probe's place. */
function scoreOf(styled: boolean, likeFtrace: boolean, saidSo: boolean, mostly: boolean): number {
  if (styled && likeFtrace) return 97;
  if (saidSo) return 95;
  if (styled) return mostly ? 75 : 55;
  return mostly ? 95 : 60;
}

const CALL =
  /[ :]((?:try_grab|gup_put|put_compound|folio_|unpin_|pin_user|get_user|put_user|__folio|dma_(?:un)?map_(?:page|sg)_attrs)\w*): +(?!\(|__probe)\w+=/;

/** A line that names a function that can only be probed, without the `(function+0x0/0x90)` of the kernel's probes. */
function isPlaceless({buf, start, end}: HeadLine): boolean {
  const m = CALL.exec(text(buf, start, Math.min(end, start + 400)));
  return m !== null && probeOfSymbol(m[1]!) !== undefined;
}

/** `kprobe:unpin_user_page { printf(...); }`, `BEGIN { ...` */
const PROGRAM =
  /^(?:BEGIN|END|(?:k|kret|u|uret)probe:\S+|tracepoint:\S+|k(?:ret)?func:\S+|f(?:entry|exit):\S+) *(?:\/[^{]*\/ *)?\{/;
/** What `pinscope record` writes before the output of the tool it ran. */
const RECORDER = /^# pinscope-record: tool=bpftrace/;
const ATTACHING = /^Attach(?:ing|ed) \d+ probes?/;

/** Types of records (src/output.cpp). */
const TYPES = new Set([
  'attached_probes',
  'lost_events',
  'printf',
  'map',
  'hist',
  'lhist',
  'stats',
  'time',
  'cat',
  'join',
  'syscall',
  'value',
  'helper_error',
  'runtime_error',
]);

export function sniffJson(head: Uint8Array): Sniff {
  const members = new Members();
  const records = new Map<string, number>();
  let first = 0;
  let damagedAt = 0;
  let others = 0;
  headLines(head, (start, end, line) => {
    const at = skipSpaces(head, start, end);
    if (at === end) return;
    if (head[at] !== LBRACE || !members.open(head, at, end)) {
      others++;
      return;
    }
    let type = '';
    while (members.next()) {
      if (head[members.valueStart] === QUOTE && text(head, members.keyStart, members.keyEnd) === 'type') {
        type = text(head, members.valueStart + 1, members.valueEnd - 1);
      }
    }
    if (members.damaged) damagedAt ||= line;
    else if (TYPES.has(type)) {
      records.set(type, (records.get(type) ?? 0) + 1);
      first ||= line;
    } else others++;
  });
  let total = 0;
  for (const n of records.values()) total += n;
  if (total === 0 || others > total) return NO;
  const kinds = [...records].map(([type, n]) => `${type} ${n}`).join(', ');
  const evidence = [`line ${first}: a JSON record of bpftrace; ${total} in the first ${head.length} bytes (${kinds})`];
  const texts = records.get('printf') ?? 0;
  const sniff: Sniff = {verdict: 'yes', score: 97, evidence};
  const {style} = programOf(printed(head));
  if (style) {
    evidence.push(...style.evidence);
    sniff.open = (sink, options) => new BpftraceJsonReader(sink, options, style);
  }
  if (damagedAt > 0) sniff.damagedAt = damagedAt;
  if (texts > 0 || total - (records.get('attached_probes') ?? 0) === 0) return sniff;
  return {...sniff, verdict: 'refused', score: 80, advice: ADVICE};
}

/** The lines that the printf records of a head print: a line may be of several records. */
function printed(head: Uint8Array): HeadLine[] {
  const records: {data: string; line: number}[] = [];
  headLines(head, (start, end, line) => {
    if (records.length >= STYLE_LINES) return;
    try {
      const {data} = JSON.parse(text(head, start, end)) as {data?: unknown};
      if (typeof data === 'string') records.push({data, line});
    } catch {
      // damaged: told elsewhere
    }
  });
  // a program that leaves the newline out: every record is a line of its own
  const ended = records.some(({data}) => data.endsWith('\n'));
  const lines: HeadLine[] = [];
  let begun = '';
  for (const {data, line} of records) {
    const parts = (begun + data).split('\n');
    begun = ended ? parts.pop()! : '';
    for (const part of parts) {
      if (part === '' || part.startsWith('\t') || part.startsWith('#')) continue;
      const buf = ascii(part);
      lines.push({buf, start: 0, end: buf.length, line});
    }
  }
  return lines;
}
