/** What is told of a trace once it is read: itself, its inputs, tasks, stacks, devices, and what analyze found. */
import {createHash} from 'node:crypto';
import {functionOf} from '../../base/frames.js';
import type {Ledger} from '../../ledger/ledger.js';
import type {Cause, Finding, Report} from '../../results/report.js';
import {callersIn} from '../../words/callers.js';
import type {RowSink} from './ledger.js';
import {SCHEMA_VERSION} from './schema.js';

/** Tells all of it. `report` is whole: nothing selected, nothing suppressed but what the user knows. */
export function wholeRows(m: Ledger, report: Report, out: RowSink): void {
  out.add('traces', {
    schema_version: SCHEMA_VERSION,
    tool_version: report.tool.version,
    rules_version: report.rules_version,
    kernel_release: report.kernel.release,
    clock_name: report.clock.name,
    clock_unit: report.clock.unit,
    start_ns: moment(m, report.span.start_ns),
    end_ns: moment(m, report.span.end_ns),
    started_unix_ns: startedUnix(m, report),
    events: m.capture.events,
    pins: m.held.pins,
    gets: m.held.gets,
    partial: report.partial ?? null,
    limits: limitsOf(report),
  });
  report.inputs.forEach((input, input_id) =>
    out.add('inputs', {
      input_id,
      path: input.path,
      form: input.format,
      compression: input.compression,
      bytes: input.bytes,
      lines_read: input.lines,
      events: input.events,
      unrecognised: input.unrecognised.count,
      sha256: input.sha256 ?? null,
      cut: input.cut ?? null,
    }),
  );
  for (const gap of m.capture.gaps.all()) {
    out.add('losses', {
      cpu: gap.cpu < 0 ? null : gap.cpu,
      from_ns: gap.from,
      to_ns: gap.to,
      why: gap.why,
      line: gap.line || null,
    });
  }
  for (const {id, status, missing} of report.rules)
    out.add('rules', {rule: id, status, missing: missing.length > 0 ? missing.join(',') : null});
  m.evidence.tasks
    .all()
    .forEach(({comm, pid, tgid}, task_id) =>
      out.add('tasks', {task_id, comm, pid: pid < 0 ? null : pid, tgid: tgid < 0 ? null : tgid}),
    );
  m.evidence.stacks.all().forEach((frames, stack_id) => stackRows(frames, stack_id, out));
  m.dma.devices.forEach(({name, maps, unmaps}, device_id) =>
    out.add('devices', {device_id, device: name, maps, unmaps}),
  );
  const causes = new Map(report.causes.map((cause) => [cause.id, cause]));
  for (const finding of report.findings) findingRows(m, finding, causes.get(finding.cause)!, out);
}

/**
 * The wall clock at the first event: by the offset that a recording has beside its own clock (trace-cmd record --date, perf
 * record -k with its clock data), else when the recorder says that it began, to the second.
 */
function startedUnix({capture: {facts}}: Ledger, {span, inputs}: Report): number | null {
  // of several inputs each has its own
  if (inputs.length !== 1) return null;
  const offset = facts.get('wall_offset_ns');
  if (offset !== undefined && /^-?\d{1,19}$/.test(offset) && span.start_ns !== null)
    return Number(BigInt(span.start_ns) + BigInt(offset));
  const seconds = facts.get('started_unix');
  return seconds !== undefined && /^\d{9,11}$/.test(seconds) ? Number(seconds) * 1e9 : null;
}

function stackRows(frames: readonly string[], stack_id: number, out: RowSink): void {
  const symbols = frames.map(functionOf);
  const callers = callersIn(frames);
  out.add('stacks', {
    stack_id,
    stack_hash: createHash('sha256').update(callers.join(';')).digest('hex').slice(0, 16),
    folded: symbols.toReversed().join(';'),
    place: callers[0] ?? null,
  });
  frames.forEach((frame, depth) => out.add('frames', {stack_id, depth, symbol: symbols[depth]!, frame}));
}

function findingRows(m: Ledger, f: Finding, cause: Cause, out: RowSink): void {
  out.add('findings', {
    finding_id: f.id,
    finding_key: f.key,
    rule: f.rule,
    severity: f.severity,
    verdict: f.verdict,
    reason: f.reason,
    message: f.message,
    start_ns: moment(m, f.start_ns),
    end_ns: moment(m, f.end_ns),
    at_ns: moment(m, f.at_ns),
    distance_ns: f.distance_ns === null ? null : Number(f.distance_ns),
    occurrences: f.occurrences,
    pages: f.pages.length,
    device: f.device ?? null,
    page_kind: f.kind,
    dev: f.file?.dev ?? null,
    ino: f.file?.ino ?? null,
    page_index: f.file?.index ?? null,
    cause: causeText(cause),
    taken_by: cause.taken_by?.name ?? null,
    dropped_by: cause.dropped_by?.name ?? null,
    acted_by: cause.acted_by?.name ?? null,
  });
  for (const page of f.pages) {
    out.add('finding_pages', {
      finding_id: f.id,
      pfn: Number(page.pfn),
      folio_order: page.order,
      start_ns: moment(m, page.start_ns),
      end_ns: moment(m, page.end_ns),
      occurrences: page.occurrences,
    });
  }
  for (const {role, comm, pid} of f.tasks) out.add('finding_tasks', {finding_id: f.id, role, comm, pid});
  f.evidence.forEach((e, seq) =>
    out.add('evidence', {
      finding_id: f.id,
      seq,
      role: e.role,
      input_id: e.input,
      line: e.line,
      t_ns: moment(m, e.t_ns ?? null),
      cpu: e.cpu ?? null,
      comm: e.task ?? null,
      pid: e.pid ?? null,
      text: e.text,
    }),
  );
}

/** A time of the report as the ledger has it; null where it is not known. */
function moment(m: Ledger, ns: string | null): number | null {
  return ns === null ? null : m.capture.time.relative(BigInt(ns));
}

function limitsOf(report: Report): string | null {
  const told = report.quality.filter(({id}) => id.startsWith('limit-') || id === 'findings-not-kept');
  return told.length > 0 ? told.map(({count, message}) => `${count} ${message}`).join('; ') : null;
}

/** Rule, device, who took, who dropped, who did the rest: the same in another boot, where PFNs, pids and times are not. */
export function causeText({rule, device, taken_by, dropped_by, acted_by}: Cause): string {
  const names = [device, taken_by?.name, dropped_by?.name, acted_by?.name].map((name) =>
    (name ?? '').replaceAll('|', '/'),
  );
  return [rule, ...names].join('|');
}
