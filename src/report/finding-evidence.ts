/** The lines that decide a finding, as plain text: which are shown, and each cut to the width. */
import {nounOf, nounOfFinding} from '../words/place.js';
import {printable, untabbed} from '../words/clean.js';
import {chop, clip, counted} from '../words/format.js';
import type {Finding, Report} from '../results/report.js';

/** A run of deciding lines in the same role: the first ones to show, and the numbers of those like them. */
export interface EvidenceRun {
  shown: number[];
  rest: number[];
}

/** A finding with more deciding lines than this is a deed on several pages, or done several times. */
const MANY_LINES = 8;
/** Most runs shown: a deed done again and again has as many as times. */
const MOST_RUNS = 8;

/**
 * Deciding lines for people: where there are many, each run of lines in one role (the same deed on several pages) is
 * its first two, and the numbers of the others; what follows after some runs is only counted. A line by which a premise is
 * proven is not among the others: it begins a run of its own. JSON has every line.
 */
export function evidenceRuns(finding: Finding): {runs: EvidenceRun[]; left: number} {
  const runs: {role: string; at: number[]}[] = [];
  for (const [at, item] of finding.evidence.entries()) {
    const run = runs.at(-1);
    if (run !== undefined && run.role === item.role) run.at.push(at);
    else runs.push({role: item.role, at: [at]});
  }
  const proving = new Set(finding.proof.flatMap(({by}) => by.map(({input, line}) => `${input} ${line}`)));
  const proves = (at: number): boolean => proving.has(`${finding.evidence[at]?.input} ${finding.evidence[at]?.line}`);
  for (let n = 0; n < runs.length; n++) {
    const {role, at} = runs[n]!;
    const next = proves(at[0]!) ? -1 : at.findIndex(proves);
    if (next > 0) runs.splice(n, 1, {role, at: at.slice(0, next)}, {role, at: at.slice(next)});
  }
  if (finding.evidence.length <= MANY_LINES) return {runs: runs.map(({at}) => ({shown: at, rest: []})), left: 0};
  return {
    runs: runs.slice(0, MOST_RUNS).map(({at}) => ({shown: at.slice(0, 2), rest: at.slice(2)})),
    left: runs.slice(MOST_RUNS).reduce((sum, {at}) => sum + at.length, 0),
  };
}

/** Above the lines of evidence; records have none: what is shown was made of them. */
export function evidenceTitle(finding: Finding, ofLines: string): string {
  return finding.evidence.some(({rendered}) => rendered === true)
    ? 'The records that decide it, rendered by pinscope as tracefs prints them:'
    : ofLines;
}

/** `4 more lines like these: 3642, 3643, 3644, 3645`. */
export function restText(finding: Finding, rest: number[]): string {
  const numbers = rest.slice(0, 8).map((at) => String(finding.evidence[at]?.line ?? '?'));
  const more = rest.length > 8 ? ', ...' : '';
  const noun = rest.some((at) => finding.evidence[at]?.rendered === true) ? 'more record' : 'more line';
  return `${counted(rest.length, noun)} like this: ${numbers.join(', ')}${more}`;
}

/** `12 more lines, of the same deed done again (--to json has them)`. */
export function leftText(finding: Finding, left: number): string {
  return `${counted(left, `more ${nounOfFinding(finding)}`)}, of the same deed done again (--to json has them all)`;
}

/** `line 3641 of trace.txt, drops the pin` and the line itself. */
export function evidenceHead(report: Report, finding: Finding, at: number): string {
  const item = finding.evidence[at];
  if (item === undefined) return '';
  const file =
    report.inputs.length > 1 ? ` of ${printable(report.inputs[item.input]?.path ?? `input ${item.input}`)}` : '';
  const where = item.rendered === true && item.cpu !== undefined ? `, CPU ${item.cpu}` : '';
  return `${nounOf(report.inputs[item.input])} ${item.line}${where}${file} (${printable(item.role)})`;
}

/** Most of a long line's end that is kept: the last fields, such as `val=-1024 ret=0`. */
const TAIL = 18;

/**
 * An original line in at most two lines of `width` columns: blanks squeezed; of a longer one who, when, the event and its first
 * field are kept, and its last fields.
 */
export function squeezed(text: string, width: number): string[] {
  const line = printable(untabbed(text)).trim().replace(/ {2,}/g, ' ');
  if (line.length <= width) return [line];
  const blank = line.indexOf(' ', line.length - TAIL);
  const tail = `... ${blank < 0 ? line.slice(line.length - TAIL) : line.slice(blank + 1)}`;
  const colon = line.indexOf(': ', line.indexOf(': ') + 2);
  const field = line.indexOf(' ', colon + 2);
  const least = colon < 0 || field < 0 ? 0 : field;
  const room = width - tail.length - 1;
  const cut = line.lastIndexOf(' ', room);
  if (cut >= Math.max(least, width / 3)) return [`${line.slice(0, cut)} ${tail}`];
  const [head = '', ...rest] = chop(line, width);
  return rest.length === 0 ? [head] : [head, `  ${clip(tail, width - 2)}`];
}

/** An original line, printable, its leading blanks kept. */
export function evidenceText(text: string): string {
  return printable(untabbed(text));
}
