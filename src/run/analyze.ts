/** The main job: traces in, typed report out. */
import {coverage} from '../proof/needs.js';
import {Pending} from '../proof/pending.js';
import type {Listener} from '../ledger/listener.js';
import type {Ledger} from '../ledger/ledger.js';
import type {Finding, QualityCounter, Report, Severity, Summary} from '../results/report.js';
import {RULES, RULES_VERSION} from '../rules/registry.js';
import type {Suppressions} from '../findings/suppress.js';
import type {Charge, RuleId} from '../claims/claim.js';
import {Explained} from '../rules/explained.js';
import {guarded} from '../rules/guarded.js';
import type {Rule} from '../rules/types.js';
import {basisOf, endingOf} from './basis.js';
import {Findings} from '../findings/findings.js';
import {NearMisses} from '../readers/near-misses.js';
import {readTraces} from './read.js';
import type {Reading, ReadOptions} from './reading.js';

export interface AnalyzeOptions extends ReadOptions {
  /** rule ids to report; empty for all */
  rules: readonly string[];
  longPin_ns: number;
  suppressions: Suppressions | undefined;
  /** whether a finding is within what the user asked for */
  selected: (finding: Finding, reading: Reading) => boolean;
  /** the filters as typed, for the report to tell */
  filters?: readonly {flag: string; value: string}[];
  command: string[];
  version: string;
}

export async function analyze(options: AnalyzeOptions): Promise<Report> {
  return (await analyzeReading(options, () => [])).report;
}

/** The same, with what was read; the listeners that `also` makes hear of it before the rules do. */
export async function analyzeReading(
  options: AnalyzeOptions,
  also: (ledger: Ledger) => Listener[],
): Promise<{report: Report; reading: Reading}> {
  let judges!: Judges;
  const reading = await readTraces(options, (ledger) => {
    judges = judgesOf(ledger, options);
    return [...also(ledger), ...judges.listeners];
  });
  judges.pending.settle();
  return {report: reportOf(reading, judges, options), reading};
}

/** A rule that threw an error: it judged what came before. */
export interface RuleFailure {
  rule: RuleId;
  /** time of the event it failed at */
  at: number;
  error: unknown;
}

/** All rules over a ledger, and where their violations go. */
export interface Judges {
  /** rules that an error of their own ended, and with which */
  failures: RuleFailure[];
  findings: Findings;
  nearMisses: NearMisses;
  pending: Pending;
  listeners: Listener[];
}

export function judgesOf(ledger: Ledger, options: Pick<AnalyzeOptions, 'longPin_ns'>): Judges {
  const failures: RuleFailure[] = [];
  const findings = new Findings(ledger);
  const nearMisses = new NearMisses(ledger);
  const pending = new Pending(ledger, (claim, proof) => findings.add(claim, proof));
  const explained = new Explained(ledger.pages);
  const judgeOf = ({meta, judge}: Rule): Listener => {
    const failed = (error: unknown, at = ledger.capture.now): void => {
      if (failures.some(({rule}) => rule === meta.id)) return;
      failures.push({rule: meta.id, at: Number.isFinite(at) ? at : ledger.capture.first, error});
    };
    const claim = (charge: Charge): void => pending.add(charge, failed);
    return guarded(judge({ledger, longPin_ns: options.longPin_ns, explained, claim}), failed);
  };
  return {
    failures,
    findings,
    nearMisses,
    pending,
    // What waits for a mapping's end is claimed before that end is heard of.
    listeners: [...RULES.map(judgeOf), pending, nearMisses],
  };
}

function reportOf(reading: Reading, judges: Judges, options: AnalyzeOptions): Report {
  const {ledger: m} = reading;
  const {findings: found, nearMisses, failures} = judges;
  const rules = coverage(m, RULES);
  // What a rule sees of a trace that lacks its events is no finding: the report says that it could not run.
  const judged = new Set(rules.filter((rule) => rule.status !== 'not-run').map((rule) => rule.id));
  const asked = (f: Finding): boolean =>
    (options.rules.length === 0 || options.rules.includes(f.rule)) && options.selected(f, reading);
  const suppressed = (f: Finding): boolean => options.suppressions?.suppresses(f) === true;
  const {findings, causes, found: all} = found.build((f) => judged.has(f.rule) && !suppressed(f), asked);
  const basis = basisOf(reading, options);
  if (found.dropped > 0) basis.quality.push(findingsNotKept(found.dropped));
  for (const failure of failures) basis.quality.push(ruleFailed(m, failure));
  return {
    schema: 'pinscope.report/2',
    ...basis,
    rules_version: RULES_VERSION,
    rules: rules.filter((r) => options.rules.length === 0 || options.rules.includes(r.id)),
    summary: summaryOf(reading, findings, options),
    selection: {
      filters: [...(options.filters ?? [])],
      shown: findings.length,
      found: all,
      left_out: all - findings.length,
    },
    causes,
    findings,
    near_misses: nearMisses.result(),
    ...endingOf(reading),
  };
}

/** What a report says of a rule that failed. */
export function ruleFailed(m: Ledger, {rule, at, error}: RuleFailure): QualityCounter {
  const what = error instanceof Error ? error.message : String(error);
  const {time} = m.capture;
  return {
    id: `rule-failed-${rule}`,
    severity: 'error',
    count: 1,
    message: `${rule} ended with an error of pinscope (${what}) at ${time.absolute(at)} ${time.unit ?? 'ns'}: what came after is not judged by it`,
    advice: 'this is a fault of pinscope: please report it, with the trace if you can',
  };
}

export function findingsNotKept(count: number): QualityCounter {
  return {
    id: 'findings-not-kept',
    severity: 'warning',
    count,
    message: 'violations beyond the most findings that are kept',
    advice: 'restrict with --rule, --pfn or --time',
  };
}

function summaryOf({ledger: m}: Reading, findings: readonly Finding[], options: AnalyzeOptions): Summary {
  const by_rule: Record<string, number> = {};
  const by_severity: Record<Severity, number> = {error: 0, warning: 0, note: 0};
  const by_verdict = {sure: 0, possible: 0};
  for (const f of findings) {
    by_rule[f.rule] = (by_rule[f.rule] ?? 0) + 1;
    by_severity[f.severity]++;
    by_verdict[f.verdict]++;
  }
  return {
    by_rule,
    by_severity,
    by_verdict,
    pages: m.pages.size,
    pins: m.held.pins,
    gets: m.held.gets,
    dma_windows: m.dma.windows.opened,
    ...(m.dma.iommuMappings > 0 ? {iommu_mappings: m.dma.iommuMappings} : {}),
    writebacks: m.writeback.started,
    suppressed: options.suppressions?.suppressed ?? 0,
    suppressions: options.suppressions?.entries() ?? [],
  };
}
