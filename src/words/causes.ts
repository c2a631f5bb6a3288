/** The answer in words: how many findings of which causes, what filters left out, what could not be judged. */
import {type Noun} from './place.js';
import type {Cause, Finding, NearMiss, Party, Report, Severity} from '../results/report.js';
import {functionOf} from '../base/frames.js';
import {callerAt, callersIn} from './callers.js';
import {counted, duration, number, time} from './format.js';
import {byLabel, lookedAt, unrun} from './words.js';

/** Kinds of findings that the first line names; the others are counted. */
const KINDS_NAMED = 4;
/** Rules that could not run which the first line names. */
const RULES_NAMED = 4;
/** Open premises that the sum names. */
const OPEN_NAMED = 3;

/** The sum in one sentence, with its full stop: what filters left, how many findings of how many causes, how sure. */
export function sumText(report: Report): string {
  const {selection, causes} = report;
  const filtered = selection.filters.length > 0 ? filterText(report) : null;
  if (report.findings.length === 0) return filtered === null ? `No finding in ${lookedAt(report)}.` : `${filtered}.`;
  const own = causes.filter((cause) => cause.kin_of === null);
  const all = counted(report.findings.length, 'finding');
  const head =
    filtered === null ? `${all} of ${counted(own.length, 'cause')}` : `${filtered}, of ${counted(own.length, 'cause')}`;
  return `${head}: ${kindsText(causes)}; ${verdictText(report)}.`;
}

/** `4 of 187 findings (--comm wl)` */
export function filterText({selection}: Pick<Report, 'selection'>): string {
  const filters = selection.filters.map(({flag, value}) => `${flag} ${value}`).join(' ');
  return `${number(selection.shown)} of ${counted(selection.found, 'finding')} (${filters})`;
}

/** `186 sure, 1 only possible` */
function verdictText({summary, findings}: Report): string {
  const {sure, possible} = summary.by_verdict;
  if (findings.length === 1) return sure === 1 ? 'sure' : 'only possible';
  if (possible === 0) return 'all sure';
  return sure === 0 ? 'all only possible' : `${number(sure)} sure, ${number(possible)} only possible`;
}

/** `29 errors unpin-while-dma, 117 errors writeback-while-pinned (the same deeds: 22 errors dirty-after-writeback)` */
function kindsText(causes: readonly Cause[]): string {
  const kinds = kindsOf(causes.filter((cause) => cause.kin_of === null));
  const texts = kinds.map((kind) => {
    const kin = kindsOf(causes.filter((cause) => kind.ids.includes(cause.kin_of ?? '')));
    return kin.length === 0 ? kindText(kind) : `${kindText(kind)} (the same deeds: ${kin.map(kindText).join(', ')})`;
  });
  const rest = kinds.slice(KINDS_NAMED).reduce((sum, kind) => sum + kind.findings, 0);
  return [...texts.slice(0, KINDS_NAMED), ...(rest > 0 ? [`${number(rest)} of other rules`] : [])].join(', ');
}

interface Kind {
  rule: string;
  severity: Severity;
  findings: number;
  ids: string[];
}

function kindsOf(causes: readonly Cause[]): Kind[] {
  const kinds: Kind[] = [];
  for (const {id, rule, severity, findings} of causes) {
    const known = kinds.find((kind) => kind.rule === rule && kind.severity === severity);
    if (known === undefined) kinds.push({rule, severity, findings, ids: [id]});
    else {
      known.findings += findings;
      known.ids.push(id);
    }
  }
  return kinds;
}

function kindText({rule, severity, findings}: Kind): string {
  return `${counted(findings, severity)} ${rule}`;
}

/**
 * Why findings are only possible, by the first premise that is open, with a full stop: `It is not proven of 5 that it was a
 * pin, of 2 something else.`; empty where all are sure. It stands behind the sum, which says how many they are.
 */
function doubtText({findings}: Report): string {
  const possible = findings.filter(({verdict}) => verdict === 'possible');
  if (possible.length === 0) return '';
  const open = new Map<string, number>();
  for (const {proof} of possible) {
    const says = proof.find(({proven}) => !proven)?.says;
    if (says !== undefined) open.set(says, (open.get(says) ?? 0) + 1);
  }
  const [first, ...more] = [...open].sort((a, b) => b[1] - a[1]);
  if (first === undefined) return '';
  if (more.length === 0) {
    const whom = findings.length === 1 ? '' : possible.length === 1 ? ' of that one' : ' of these';
    return `It is not proven${whom} that ${first[0]}.`;
  }
  const named = [first, ...more].slice(0, OPEN_NAMED).map(([says, count]) => `of ${number(count)} that ${says}`);
  const others = more.slice(OPEN_NAMED - 1).reduce((sum, [, count]) => sum + count, 0);
  if (others > 0) named.push(`of ${number(others)} something else`);
  return `It is not proven ${named.join(', ')}.`;
}

/** Which rules ran, with a full stop. */
export function rulesText(report: Report): string {
  const {rules} = report;
  const missing = unrun(report);
  const part = rules.filter((rule) => rule.status === 'partial').length;
  const partly = part === 0 ? '' : `, ${number(part)} of them in part`;
  if (missing.length === 0) {
    const [only] = rules;
    return rules.length === 1
      ? `The rule ${only!.id} ran${part > 0 ? ' in part' : ''}.`
      : `All ${rules.length} rules ran${partly}.`;
  }
  const named = missing
    .slice(0, RULES_NAMED)
    .map((rule) => rule.id)
    .join(', ');
  const more = missing.length > RULES_NAMED ? ` and ${missing.length - RULES_NAMED} more` : '';
  const lacks = [...new Set(missing.flatMap((rule) => rule.lacks.map(({what}) => what)))].join(', ');
  return `${rules.length - missing.length} of ${rules.length} rules ran${partly}; not judged: ${named}${more} (the trace lacks ${lacks}).`;
}

/** What was lost, in a few words, with a full stop. */
export function lossText(report: Report): string {
  const losses = report.quality.filter(({severity}) => severity !== 'note');
  if (losses.length === 0) return 'No marked loss.';
  return `The trace is not whole: ${counted(losses.length, 'kind')} of loss or doubt, below.`;
}

/** `6 suppressed by known findings.`, or nothing */
export function suppressedText({summary}: Report): string {
  if (summary.suppressions.length === 0) return '';
  const idle = summary.suppressions.filter(({hits}) => hits === 0).map(({entry}) => entry);
  const unused =
    idle.length === 0
      ? ''
      : `, of which ${idle.length === 1 ? 'one matches' : `${idle.length} match`} nothing: ${idle.join('; ')}`;
  return `${number(summary.suppressed)} more suppressed by ${counted(summary.suppressions.length, 'entry', 'entries')}${unused}.`;
}

/** All that the first lines say. */
export function answer(report: Report): string[] {
  const stopped = report.partial === undefined ? '' : `${sentence(report.partial)}.`;
  return [
    sumText(report),
    doubtText(report),
    suppressedText(report),
    rulesText(report),
    lossText(report),
    stopped,
  ].filter((text) => text !== '');
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** `unpin-while-dma on pinbug.0` */
export function causeTitle({rule, device}: Pick<Cause, 'rule' | 'device'>): string {
  return device === null ? rule : `${rule} on ${device}`;
}

/** `pinned and unpinned by wl`, `pinned by dopin (wl), unpinned by an interrupt; inodes 12, 13`; `the same deeds as C2` */
export function causeWho(cause: Cause): string {
  if (cause.kin_of !== null) return `the same deeds as ${cause.kin_of}`;
  const {taken_by: taken, dropped_by: dropped, acted_by: acted, files} = cause;
  const hands = [taken, dropped, acted].filter((party): party is Party => party !== null);
  const names = new Map<string, string[]>();
  for (const party of hands) {
    const name = partyText(party);
    names.set(name, [...(names.get(name) ?? []), party.role]);
  }
  const who = [...names].map(([name, roles]) => `${verbs(roles)} by ${name}`);
  const inodes =
    files.length === 0
      ? []
      : [`${files.length === 1 ? 'inode' : 'inodes'} ${files.map((file) => file.ino).join(', ')}`];
  return [who.join(', '), ...inodes].filter((text) => text !== '').join('; ');
}

/** `17.235494 to 17.443123`: the first and the last of its findings; nothing where no time is known. */
export function causeWhen({first_ns, last_ns, first_ticks, last_ticks}: Cause): string {
  const [first, last = first] = [time(first_ns, first_ticks), time(last_ns, last_ticks)].filter((text) => text !== '-');
  if (first === undefined) return '';
  return first === last ? `at ${first}` : `${first} to ${last}`;
}

/** `pinned and unpinned` */
function verbs(roles: readonly string[]): string {
  const words = roles.map((role) => byLabel(role).replace(/ by$/, ''));
  return words.length < 3 ? words.join(' and ') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
}

/** `wl and kworker`, `dopin (wl)`, `an interrupt` */
export function partyText({name, known_by, comms}: Party): string {
  const tasks = comms.length < 3 ? comms.join(' and ') : `${comms.slice(0, 2).join(', ')} and ${comms.length - 2} more`;
  if (known_by === 'comm') return tasks === '' ? name : tasks;
  return tasks === '' || known_by === 'interrupt' ? name : `${name} (${tasks})`;
}

/** `one of 30`, `the only one` */
export function oneOf(count: number): string {
  return count === 1 ? 'the only one' : `one of ${number(count)}`;
}

/** The finding that stands for a cause: its worst. */
export function exampleOf(report: Report, cause: Cause): Finding | undefined {
  return report.findings.find((finding) => finding.key === cause.worst.key && finding.cause === cause.id);
}

/** Rules that could not run, or only in part, by what the trace does not show: one line each. */
export interface Lack {
  what: string;
  record: string;
  rules: string[];
  /** rules that ran without it, with what they miss */
  partly: {rule: string; misses: string}[];
}

export function lacksOf({rules}: Pick<Report, 'rules'>): Lack[] {
  const lacks = new Map<string, Lack>();
  for (const {id, status, lacks: list} of rules) {
    for (const {need, what, record, misses} of list) {
      const lack: Lack = lacks.get(need) ?? {what, record, rules: [], partly: []};
      if (status === 'not-run') lack.rules.push(id);
      else lack.partly.push({rule: id, misses: misses ?? ''});
      lacks.set(need, lack);
    }
  }
  return [...lacks.values()].sort((a, b) => b.rules.length - a.rules.length || b.partly.length - a.partly.length);
}

/** `DMA mappings: unpin-while-dma, free-while-dma; in part writeback-while-pinned; to record them: enable dma:dma_map_*` */
export function lackText({what, record, rules, partly}: Lack): string {
  const judged = rules.length === 0 ? [] : [rules.join(', ')];
  const part =
    partly.length === 0 ? [] : [`${judged.length > 0 ? 'and ' : ''}in part ${partly.map(({rule}) => rule).join(', ')}`];
  return `${what}: ${[...judged, ...part].join(', ')}; to have it: ${record}`;
}

/** `DMA unmap to unpin, 0000:00:03.0, in dounpin: 2 us at line 77 (415,179 times, median 114 us)`; `all`: those it stands among */
export function nearMissText(miss: NearMiss, noun: Noun, all: readonly NearMiss[]): string {
  const {what, device, count, min_ns, p50_ns, at} = miss;
  const where = [what, ...(device === null ? [] : [device]), ...nearMissPlace(miss, all)].join(', ');
  const often = count === 1 ? 'once' : `${counted(count, 'time')}, median ${duration(p50_ns)}`;
  return `${where}: ${duration(min_ns)} at ${noun} ${at.line} (${often})`;
}

/** `in dounpin`; where others would read alike, by which way: `in dounpin+0x60 < pb_ioctl+0xaa6`, `by unpin_user_pages`. */
export function nearMissPlace(miss: NearMiss, all: readonly NearMiss[]): string[] {
  const caller = callerOf(miss);
  const alike = (other: NearMiss): boolean =>
    other !== miss && other.what === miss.what && other.device === miss.device && callerOf(other) === caller;
  if (caller === undefined) return [];
  if (!all.some(alike)) return [`in ${caller}`];
  const frames = miss.stack!;
  const from = callerAt(frames);
  const way = frames.slice(from, from + Math.min(2, callersIn(frames).length));
  return [`in ${way.join(' < ')}`, ...(from > 0 ? [`by ${functionOf(frames[from - 1]!)}`] : [])];
}

function callerOf({stack}: NearMiss): string | undefined {
  return stack === null ? undefined : callersIn(stack)[0];
}
