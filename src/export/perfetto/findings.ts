/** A report's findings on a timeline: each, the windows of its first page, and the deeds that open and close them. */
import type {Finding, Report, Window} from '../../results/report.js';
import type {Timeline} from './timeline.js';

const MOMENTS = new Set(['alloc', 'free', 'dirty', 'clean']);

/** `base`: ns that the timeline's distances are from. */
export function tellFindings(report: Report, base: bigint, timeline: Timeline): void {
  const {start_ns, end_ns} = report.span;
  if (start_ns === null || end_ns === null) return;
  const at = (ns: string): number => Number(BigInt(ns) - base);
  const [first, last] = [at(start_ns), at(end_ns)];
  const seen = new Set<string>();
  const fresh = (key: string): boolean => !seen.has(key) && seen.add(key) !== undefined;
  for (const f of report.findings) {
    const from = f.start_ns === null ? first : at(f.start_ns);
    const to = f.end_ns === null ? last : at(f.end_ns);
    const {id, key, rule, verdict, reason, message, device} = f;
    timeline.slice('findings', rule, undefined, from, to, {
      name: `${id} ${message}`,
      category: f.severity,
      args: {key, verdict, reason, message, pages: f.pages.length, device},
    });
    const pfn = f.pages[0]?.pfn ?? '?';
    for (const window of f.windows) {
      if (!fresh(`${pfn} ${window.kind} ${window.start_line} ${window.end_line}`)) continue;
      const opened = window.start_ns === null ? first : at(window.start_ns);
      const closed = window.end_ns === null ? last : at(window.end_ns);
      tellWindow(timeline, f, window, pfn, opened, closed);
    }
    for (const h of f.history) {
      if (h.t_ns === null || !MOMENTS.has(h.what) || !fresh(`${pfn} ${h.what} ${h.line}`)) continue;
      const args = {line: h.line, task: h.task, pid: h.pid, cpu: h.cpu};
      timeline.instant('pages', `page ${pfn}`, at(h.t_ns), {name: h.what, category: 'page', args});
    }
  }

  function tellWindow(to: Timeline, f: Finding, window: Window, pfn: string, opened: number, closed: number): void {
    const flow = to.flow();
    const args = {
      line: window.start_line,
      end_line: window.end_line,
      from: window.start_known,
      until: window.end_known,
    };
    const lane = window.kind === 'pin' || window.kind === 'get' ? 'references' : window.kind;
    const deeds = [
      {line: window.start_line, role: 'taken'},
      {line: window.end_line, role: 'dropped'},
    ].map(({line}) => f.history.find((h) => h.line === line && h.t_ns !== null && h.task !== null));
    const [taken, dropped] = deeds;
    const flows = taken !== undefined && dropped !== undefined;
    to.slice('pages', `page ${pfn}`, lane, opened, closed, {name: window.label, category: window.kind, args});
    deeds.forEach((deed, i) => {
      if (deed === undefined) return;
      to.instant('tasks', `${deed.task} ${deed.pid}`, at(deed.t_ns!), {
        name: `${deed.what} ${pfn}`,
        category: window.kind,
        args: {
          line: deed.line,
          cpu: deed.cpu,
          kind: deed.kind,
          known_by: deed.known_by,
          stack: deed.frames?.join('\n'),
        },
        ...(flows ? (i === 0 ? {flow} : {endsFlow: flow}) : {}),
      });
    });
    if (window.kind === 'dma' && f.device !== undefined)
      to.slice('devices', f.device, undefined, opened, closed, {name: pfn, category: 'dma', args});
  }
}
