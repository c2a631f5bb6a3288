/** The main job: traces in, typed report out. */
import {coverage} from '../quality/coverage.js';
import {qualityOf} from '../quality/counters.js';
import type {Finding, Report, Severity, Summary} from '../report/types.js';
import {RULES, RULES_VERSION} from '../rules/registry.js';
import type {Suppressions} from '../rules/suppress.js';
import type {RuleContext} from '../rules/types.js';
import {Findings} from './findings.js';
import {NearMisses} from './near-misses.js';
import {type Reading, readTraces, type ReadOptions} from './read.js';
import {timesOf} from './times.js';

export interface AnalyzeOptions extends ReadOptions {
  /** rule ids to report; empty for all */
  rules: readonly string[];
  longPin_ns: number;
  suppressions: Suppressions | undefined;
  /** whether a finding is within what the user asked for */
  selected: (finding: Finding, reading: Reading) => boolean;
  command: string[];
  version: string;
}

export async function analyze(options: AnalyzeOptions): Promise<Report> {
  let findings!: Findings;
  let nearMisses!: NearMisses;
  const reading = await readTraces(options, (model) => {
    findings = new Findings(model);
    nearMisses = new NearMisses(model);
    const excerpt = () => model.facts.has('excerpt');
    const context: RuleContext = {
      model,
      longPin_ns: options.longPin_ns,
      report(v) {
        if (options.rules.length > 0 && !options.rules.includes(v.rule)) return;
        if (excerpt() && v.verdict === 'sure') {
          v.verdict = 'possible';
          v.reason = 'the input is an excerpt: what was left out is not known';
        }
        findings.add(v);
      },
    };
    return [...RULES.map((rule) => rule.judge(context)), nearMisses];
  });
  return reportOf(reading, findings, nearMisses, options);
}

function reportOf(reading: Reading, found: Findings, nearMisses: NearMisses, options: AnalyzeOptions): Report {
  const {model: m, inputs, seconds} = reading;
  const findings = found.build((f) => options.selected(f, reading) && !options.suppressions?.suppresses(f));
  const quality = qualityOf(reading);
  if (found.dropped > 0) {
    quality.push({
      id: 'findings-not-kept',
      severity: 'warning',
      count: found.dropped,
      message: 'violations beyond the most findings that are kept',
      advice: 'restrict with --rule, --pfn or --time',
    });
  }
  const span = timesOf(m, m.first, m.last);
  const bytes = inputs.reduce((sum, i) => sum + i.input.bytesRead, 0);
  const time = Math.max(seconds, 1e-6);
  return {
    schema: 'pinscope.report/1',
    tool: {name: 'pinscope', version: options.version},
    command: options.command,
    inputs: inputs.map(({input, form, reader, evidence}) => ({
      path: input.path,
      format: form.id,
      evidence,
      compression: input.compression,
      bytes: input.bytesRead,
      lines: reader.counters.lines,
      events: reader.counters.events,
      unrecognised: {count: reader.counters.unrecognised, first: reader.counters.firstUnrecognised},
      sha256: input.sha256,
      ...(input.cut === undefined ? {} : {cut: input.cut}),
    })),
    clock: clockOf(reading),
    span,
    kernel: {
      release: m.facts.get('kernel') ?? null,
      known_by: m.facts.has('kernel') ? 'the trace header' : m.era.told === '--kernel' ? '--kernel' : 'not in the trace',
      signals: kernelSignals(reading),
    },
    quality,
    rules_version: RULES_VERSION,
    rules: coverage(m).filter((r) => options.rules.length === 0 || options.rules.includes(r.id)),
    summary: summaryOf(reading, findings, options),
    findings,
    near_misses: nearMisses.result(),
    timing: {
      seconds: Math.round(time * 1000) / 1000,
      events_per_second: Math.round(m.events / time),
      bytes_per_second: Math.round(bytes / time),
      peak_rss_bytes: process.resourceUsage().maxRSS * 1024,
    },
    ...(reading.partial === undefined ? {} : {partial: reading.partial}),
  };
}

/** What is known of the trace's clock. */
export function clockOf({model: m}: Reading): Report['clock'] {
  const name = m.facts.get('clock') ?? null;
  const unit = m.time.unit ?? null;
  if (name !== null) return {name, unit, known_by: 'the trace header'};
  return {
    name: null,
    unit,
    known_by:
      unit === 'ticks'
        ? 'integer times: a counting clock (counter, uptime, x86-tsc)'
        : unit === 'ns'
          ? 'times in seconds or nanoseconds'
          : 'no events',
  };
}

/** Facts in the trace that tell something of the kernel's version. */
export function kernelSignals({model: m}: Reading): string[] {
  const out: string[] = [];
  if (m.era.foll !== undefined) {
    out.push(`FOLL_* numbering of ${m.era.foll === 'new' ? '6.3 and later' : '6.2 and earlier'} (${m.era.told})`);
  }
  if (m.era.rawMapcount) out.push('mapcount=-1 for an unmapped page: 6.10 or later');
  return out;
}

function summaryOf({model: m}: Reading, findings: readonly Finding[], options: AnalyzeOptions): Summary {
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
    pins: m.gup.takenPins,
    gets: m.gup.takenGets,
    dma_windows: m.windows.opened,
    writebacks: m.writeback.started,
    suppressed: options.suppressions?.suppressed ?? 0,
    suppressions: options.suppressions?.entries() ?? [],
  };
}
