/** From a group to the finding that a report prints. */
import {madeWhenRead} from '../base/made-when-read.js';
import type {Claim} from '../claims/claim.js';
import {inInterrupt} from '../events/event.js';
import type {Ledger} from '../ledger/ledger.js';
import type {Proof} from '../proof/prove.js';
import {excerptOf} from '../readers/history/excerpt.js';
import {windowsOf} from '../readers/windows.js';
import type {Evidence, Finding, FindingPage} from '../results/report.js';
import {decode} from '../words/counts.js';
import {fileText} from '../words/file.js';
import {task} from '../words/format.js';
import {messageOf} from '../words/messages.js';
import {type Noun, placed} from '../words/place.js';
import {premiseWords} from '../words/premises.js';
import {momentOf, pageTimes, timesOf} from '../words/times.js';
import {type Group, inOrder, type Item, type Page} from './group.js';
import {keyOf} from './keys.js';

/** Its facts, and what it tells at length when that is read. */
export function findingOf(m: Ledger, group: Group): Finding {
  const v = group.first;
  const pages = [...group.pages.values()].sort((a, b) => first(group, b) - first(group, a) || a.pfn - b.pfn);
  const device = v.device >= 0 ? m.dma.devices[v.device]!.name : undefined;
  const {file, kind} = v.page;
  return atLength(
    {
      id: '',
      key: keyOf(
        v,
        v.evidence.filter((e) => e.deed.line > 0).map((e) => ({role: e.role, line: e.deed.line})),
      ),
      cause: '',
      rule: v.rule,
      severity: v.severity,
      verdict: group.proof.verdict,
      reason: group.proof.reason === null ? null : placed(group.proof.reason, nounOf(m, group)),
      kind,
      pages: pages.map((p): FindingPage => {
        const page = {pfn: hex(p.pfn), order: p.order, ...pageTimes(m, p), occurrences: p.occurrences};
        if (pages.length === 1 || p.own === null) return page;
        return ownOf(Object.assign(page, momentOf(m, p.own.at)), {m, own: p.own});
      }),
      ...timesOf(m, group.start, group.end),
      ...momentOf(m, v.at),
      distance_ns: distanceOf(m, v),
      occurrences: group.occurrences,
      related: [],
      tasks: distinctTasks(m, v),
      ...(device === undefined ? {} : {device}),
      ...(file ? {file: fileText(file)} : {}),
      message: messageOf(v, {
        pages: pagesText(pages),
        task: (role) => taskText(m, v, role),
        device: device ?? (v.device < 0 ? 'a device' : ''),
        ticks: m.capture.time.unit === 'ticks',
      }),
    },
    {m, group},
  );
}

/** What a finding tells at length. Thousands of findings would not fit into memory with it, and few of them are printed. */
const atLength = madeWhenRead<
  {m: Ledger; group: Group},
  Pick<Finding, 'stacks' | 'proof' | 'evidence' | 'history' | 'windows' | 'counts'>
>({
  stacks: ({m, group}) => stacksOf(group.first).map(({role, stack}) => ({role, frames: m.evidence.stacks.get(stack)})),
  proof: ({m, group}) => proofOf(group.proof, nounOf(m, group)),
  evidence: ({m, group}) => inOrder(group.evidence).map(({role, deed}) => new EvidenceLine(m, role, deed)),
  history: ({m, group}) =>
    excerptOf(
      m,
      group.first.excerpt,
      group.evidence.map(({deed}) => deed),
    ),
  windows: ({m, group}) => windowsOf(m, group.first),
  counts({group: {first: v}}) {
    const large = v.order > 0;
    return {before: decode(v.countsBefore, large), after: decode(v.countsAfter, large)};
  },
});

/** The windows and the deciding lines of one page among several. */
const ownOf = madeWhenRead<
  {m: Ledger; own: NonNullable<Page['own']>},
  Required<Pick<FindingPage, 'windows' | 'lines'>>
>({
  windows: ({m, own}) => windowsOf(m, own),
  lines: ({m, own}) =>
    inOrder(own.evidence).map(({role, deed}) => ({
      role,
      input: deed.input,
      line: deed.line,
      ...(Number.isFinite(deed.t) && m.capture.time.unit === 'ns'
        ? {t_ns: String(m.capture.time.absolute(deed.t))}
        : {}),
    })),
});

/** A line of evidence: what it says is made of the event when it is asked for, and its text is read from the trace again. */
class EvidenceLine implements Evidence {
  constructor(
    private readonly m: Ledger,
    readonly role: string,
    private readonly deed: Item['deed'],
  ) {}

  get input(): number {
    return this.deed.input;
  }

  get line(): number {
    return this.deed.line;
  }

  get text(): string {
    return this.m.evidence.lineText(this.deed.input, this.deed.text);
  }

  get rendered(): true | undefined {
    return this.m.capture.recordings.has(this.deed.input) ? true : undefined;
  }

  get t_ns(): string | undefined {
    return this.at('ns');
  }

  get t_ticks(): string | undefined {
    return this.at('ticks');
  }

  get cpu(): number | undefined {
    return this.deed.cpu >= 0 ? this.deed.cpu : undefined;
  }

  get task(): string | undefined {
    return this.who?.comm;
  }

  get pid(): number | undefined {
    return this.who?.pid;
  }

  /** JSON leaves out what is undefined. */
  toJSON(): Evidence {
    const {role, input, line, text, rendered, t_ns, t_ticks, cpu, task, pid} = this;
    return {role, input, line, text, rendered, t_ns, t_ticks, cpu, task, pid};
  }

  private get who(): {comm: string; pid: number} | undefined {
    const {deed} = this;
    return 'task' in deed && deed.task >= 0 ? this.m.evidence.tasks.get(deed.task) : undefined;
  }

  /** On a clock of that unit. */
  private at(unit: 'ns' | 'ticks'): string | undefined {
    const {time} = this.m.capture;
    const ticks = time.unit !== 'ns';
    return ticks === (unit === 'ticks') && Number.isFinite(this.deed.t)
      ? String(time.absolute(this.deed.t))
      : undefined;
  }
}

/** 1 for the page of the first violation: its history and windows are shown, so it is named first. */
function first(group: Group, page: Page): number {
  return page.pfn === group.first.pfn ? 1 : 0;
}

/** What the events that decide it are. */
function nounOf({capture}: Ledger, {first}: Group): Noun {
  const [one] = first.evidence;
  return one === undefined ? 'line' : capture.noun(one.deed.input);
}

function proofOf({steps}: Proof, noun: Noun): Finding['proof'] {
  return steps.map(({premise, proven, by, why}) => ({
    premise: premise.id,
    says: premiseWords(premise),
    proven,
    by: by.map(({input, line}) => ({input, line})),
    ...(why === undefined ? {} : {why: placed(why, noun)}),
  }));
}

/** Those that the rule names, then those of the other deciding events: the map's, the writeback's. */
function stacksOf(v: Claim): {role: string; stack: number}[] {
  const list = v.stacks.filter(({stack}) => stack >= 0);
  for (const {role, deed} of v.evidence) {
    if (!('stack' in deed) || deed.stack < 0 || list.some((one) => one.role === role || one.stack === deed.stack))
      continue;
    list.push({role, stack: deed.stack});
  }
  return list;
}

function hex(pfn: number): string {
  return `0x${pfn.toString(16)}`;
}

/** `PFN 0x2fb0`, `PFN 0x600-0x7ff (order 9)`, `4 pages (PFN 0x2f7c, 0x2fae...)`: the lowest first. */
function pagesText(of: readonly Page[]): string {
  const pages = [...of].sort((a, b) => a.pfn - b.pfn);
  const [first] = pages;
  if (pages.length === 1)
    return first!.order > 0 ? `folio at PFN ${hex(first!.pfn)} (order ${first!.order})` : `PFN ${hex(first!.pfn)}`;
  return `${pages.length} pages (PFN ${pages
    .slice(0, 2)
    .map((p) => hex(p.pfn))
    .join(', ')}${pages.length > 2 ? '...' : ''})`;
}

function taskText(m: Ledger, v: Claim, role: string): string {
  const who = v.tasks.find((t) => t.role === role);
  if (!who || who.task < 0) return 'an unseen task';
  const {comm, pid} = m.evidence.tasks.get(who.task);
  return task(comm, pid);
}

function distinctTasks(m: Ledger, v: Claim): Finding['tasks'] {
  return v.tasks
    .filter((t) => t.task >= 0)
    .map(({role, task}) => {
      const {comm, pid, tgid} = m.evidence.tasks.get(task);
      const interrupt = v.evidence.some((e) => e.role === role && 'context' in e.deed && inInterrupt(e.deed.context));
      return {role, comm, pid, ...(tgid >= 0 ? {tgid} : {}), ...(interrupt ? {interrupt: true as const} : {})};
    });
}

/** Between the two deciding events, in ns; null where there is no second one. */
function distanceOf(m: Ledger, v: Claim): string | null {
  const {distance} = v.args;
  if (distance === undefined || !Number.isFinite(distance) || m.capture.time.unit === 'ticks') return null;
  return String(Math.round(distance));
}
