/**
 * Questions that people ask of a ledger, each one statement, over one trace or thousands: every join is by trace_id first.
 * And the joins that are easily written so that they never end, as views.
 */

export interface SavedQuestion {
  /** for --saved */
  name: string;
  question: string;
  sql: string;
}

/**
 * Each starts from the mappings and their pages: the other way round a page that has seen thousands of I/Os is all pairs of
 * references and mappings (24 s instead of 0.5 over 438,425 references).
 */
export const VIEWS: Readonly<Record<string, string>> = {
  live_pins: `
    WITH changes AS (
      SELECT trace_id, taken_ns AS t_ns, n AS change FROM refs WHERE kind = 'pin' AND taken_ns IS NOT NULL
      UNION ALL
      SELECT trace_id, dropped_ns, -n FROM refs WHERE kind = 'pin' AND taken_ns IS NOT NULL AND dropped_ns IS NOT NULL)
    SELECT trace_id, t_ns, sum(change) OVER (PARTITION BY trace_id ORDER BY t_ns, change DESC ROWS UNBOUNDED PRECEDING) AS live
    FROM changes`,
  mapped_refs: `
    WITH covered AS MATERIALIZED (
      SELECT p.trace_id, p.life_id, p.pfn, p.owner, w.window_id, w.device_id, w.dir, w.mapped_ns, w.mapped_line, w.unmapped_ns,
             w.unmapped_line, coalesce(w.unmapped_ns, 9223372036854775807) AS until_ns
      FROM dma_pages p JOIN dma_windows w ON w.trace_id = p.trace_id AND w.window_id = p.window_id)
    SELECT r.trace_id, r.ref_id, r.part, r.kind, r.n, r.life_id, r.pfn, r.taken_ns, r.taken_line, r.taken_task_id, r.taken_stack_id,
           r.ended, r.dropped_ns, r.dropped_line, r.dropped_task_id, r.dropped_stack_id,
           c.window_id, c.owner, c.device_id, c.dir, c.mapped_ns, c.mapped_line, c.unmapped_ns, c.unmapped_line
    FROM refs r JOIN covered c ON c.trace_id = r.trace_id AND c.life_id = r.life_id AND c.pfn >= r.pfn AND c.pfn < r.pfn + r.n
     AND c.mapped_ns >= r.taken_ns AND (r.dropped_ns IS NULL OR c.mapped_ns < r.dropped_ns)`,
};

export const SAVED: readonly SavedQuestion[] = [
  {
    name: 'who-pins',
    question: 'Who pins, how many pages, and for how long?',
    sql: `
SELECT t.comm, t.pid, sum(r.n)::BIGINT AS pins, count(DISTINCT r.trace_id || '/' || r.pfn) AS pages,
       quantile_cont(r.held_ns, 0.5)::BIGINT AS p50_ns, quantile_cont(r.held_ns, 0.99)::BIGINT AS p99_ns, max(r.held_ns) AS max_ns
FROM refs r LEFT JOIN tasks t ON t.trace_id = r.trace_id AND t.task_id = r.taken_task_id
WHERE r.kind = 'pin' AND r.ended <> 'dropped-unmatched'
GROUP BY ALL ORDER BY pins DESC, t.comm, t.pid`,
  },
  {
    name: 'stack-pairs',
    question: 'Which call stacks take pins, which drop them, and which pins are never dropped?',
    sql: `
SELECT a.folded AS taken_in, coalesce(b.folded, r.ended) AS dropped_in, sum(r.n)::BIGINT AS pins, max(r.held_ns) AS max_held_ns
FROM refs r
LEFT JOIN stacks a ON a.trace_id = r.trace_id AND a.stack_id = r.taken_stack_id
LEFT JOIN stacks b ON b.trace_id = r.trace_id AND b.stack_id = r.dropped_stack_id
WHERE r.kind = 'pin'
GROUP BY ALL ORDER BY pins DESC, taken_in, dropped_in`,
  },
  {
    name: 'still-pinned',
    question: 'What was still pinned at the end of the trace, by whom, and since when?',
    sql: `
SELECT r.trace_id, printf('0x%x', r.pfn) AS page, r.n AS pins, t.comm, t.pid, e.end_ns - r.taken_ns AS held_ns, r.taken_input_id, r.taken_line
FROM refs r JOIN traces e ON e.trace_id = r.trace_id
LEFT JOIN tasks t ON t.trace_id = r.trace_id AND t.task_id = r.taken_task_id
WHERE r.kind = 'pin' AND r.ended = 'open'
ORDER BY r.trace_id, r.taken_ns NULLS FIRST, r.taken_line, r.pfn`,
  },
  {
    name: 'live-pins',
    question: 'How many pins were live over time (the most in each hundredth of the trace)?',
    sql: `
SELECT l.trace_id, (100 * (l.t_ns - s.start_ns)::HUGEINT // greatest(1, s.end_ns - s.start_ns + 1))::INTEGER AS step, max(l.live)::BIGINT AS live
FROM live_pins l JOIN traces s ON s.trace_id = l.trace_id
GROUP BY ALL ORDER BY l.trace_id, step`,
  },
  {
    name: 'page-life',
    question: 'What happened to one page (--pfn), in order? Without --pfn: the page with the most references.',
    sql: `
WITH page AS (SELECT coalesce($pfn, (SELECT pfn FROM refs GROUP BY pfn ORDER BY count(*) DESC, pfn LIMIT 1)) AS pfn),
     told AS (
  SELECT trace_id, life_id, taken_ns AS t_ns, taken_input_id AS input_id, taken_line AS line, kind || ' taken' AS what, n, taken_task_id AS task_id
  FROM refs WHERE pfn <= (SELECT pfn FROM page) AND pfn + n > (SELECT pfn FROM page)
  UNION ALL
  SELECT trace_id, life_id, dropped_ns, dropped_input_id, dropped_line, kind || ' ' || ended, n, dropped_task_id
  FROM refs WHERE pfn <= (SELECT pfn FROM page) AND pfn + n > (SELECT pfn FROM page) AND dropped_line IS NOT NULL
  UNION ALL
  SELECT w.trace_id, p.life_id, w.mapped_ns, w.mapped_input_id, w.mapped_line, 'dma ' || coalesce(w.dir, 'mapped'), 1, w.mapped_task_id
  FROM dma_windows w JOIN dma_pages p ON p.trace_id = w.trace_id AND p.window_id = w.window_id WHERE p.pfn = (SELECT pfn FROM page)
  UNION ALL
  SELECT w.trace_id, p.life_id, w.unmapped_ns, w.unmapped_input_id, w.unmapped_line, 'dma over', 1, w.unmapped_task_id
  FROM dma_windows w JOIN dma_pages p ON p.trace_id = w.trace_id AND p.window_id = w.window_id
  WHERE p.pfn = (SELECT pfn FROM page) AND w.unmapped_line IS NOT NULL
  UNION ALL
  SELECT trace_id, life_id, started_ns, started_input_id, started_line, 'writeback', 1, started_task_id FROM writebacks WHERE pfn = (SELECT pfn FROM page)
  UNION ALL
  SELECT trace_id, life_id, finished_ns, finished_input_id, finished_line, 'writeback over', 1, finished_task_id
  FROM writebacks WHERE pfn = (SELECT pfn FROM page) AND finished_line IS NOT NULL
  UNION ALL
  SELECT trace_id, life_id, done_ns, done_input_id, done_line, what, 1, done_task_id FROM dirtyings WHERE pfn = (SELECT pfn FROM page))
SELECT told.trace_id, printf('0x%x', (SELECT pfn FROM page)) AS page, told.life_id, told.t_ns, told.input_id, told.line, told.what, told.n, t.comm, t.pid
FROM told LEFT JOIN tasks t ON t.trace_id = told.trace_id AND t.task_id = told.task_id
ORDER BY told.trace_id, told.t_ns NULLS FIRST, told.input_id, told.line, told.what`,
  },
  {
    name: 'unpinned-while-mapped',
    question:
      'Where was the last pin of a page dropped while a device still had it mapped? (A question, not a verdict: see the findings.)',
    sql: `
WITH under AS MATERIALIZED (
  SELECT * FROM mapped_refs
  WHERE kind = 'pin' AND ended = 'dropped' AND owner IN ('pin', 'ambiguous') AND (unmapped_ns IS NULL OR unmapped_ns > dropped_ns)),
still_pinned AS MATERIALIZED (
  SELECT DISTINCT u.trace_id, u.ref_id, u.part
  FROM under u JOIN refs o ON o.trace_id = u.trace_id AND o.life_id = u.life_id AND o.pfn = u.pfn
  WHERE o.kind = 'pin' AND (o.ref_id <> u.ref_id OR o.part <> u.part)
    AND (o.taken_ns <= u.dropped_ns OR o.taken_ns IS NULL) AND (o.dropped_ns > u.dropped_ns OR o.ended = 'open'))
SELECT u.trace_id, printf('0x%x', u.pfn) AS page, v.device, u.dir, u.unmapped_ns - u.dropped_ns AS unmapped_later_ns, u.taken_line,
       u.mapped_line, u.dropped_line, u.unmapped_line
FROM under u
LEFT JOIN still_pinned s ON s.trace_id = u.trace_id AND s.ref_id = u.ref_id AND s.part = u.part
LEFT JOIN devices v ON v.trace_id = u.trace_id AND v.device_id = u.device_id
WHERE s.ref_id IS NULL
ORDER BY unmapped_later_ns DESC NULLS FIRST, u.trace_id, u.dropped_line, u.pfn`,
  },
  {
    name: 'unmap-to-unpin',
    question: 'How close did the good cases come, from the unmap to the unpin, by device?',
    sql: `
SELECT v.device, count(*) AS pairs, min(m.dropped_ns - m.unmapped_ns) AS closest_ns,
       quantile_cont(m.dropped_ns - m.unmapped_ns, 0.01)::BIGINT AS p1_ns, quantile_cont(m.dropped_ns - m.unmapped_ns, 0.5)::BIGINT AS p50_ns
FROM mapped_refs m LEFT JOIN devices v ON v.trace_id = m.trace_id AND v.device_id = m.device_id
WHERE m.kind = 'pin' AND m.ended = 'dropped' AND m.unmapped_ns <= m.dropped_ns
GROUP BY ALL ORDER BY closest_ns, v.device`,
  },
  {
    name: 'written-back-while-pinned',
    question: 'Which pages were under writeback while pinned, of which files, and who held the pin?',
    sql: `
SELECT w.trace_id, l.dev, l.ino, l.page_index, printf('0x%x', w.pfn) AS page, t.comm AS pinned_by, t.pid, w.started_ns - r.taken_ns AS pinned_before_ns,
       r.taken_line, w.started_line, r.dropped_line
FROM writebacks w
JOIN refs r ON r.trace_id = w.trace_id AND r.life_id = w.life_id AND r.kind = 'pin' AND r.ended NOT IN ('withdrawn', 'dropped-unmatched')
 AND (r.taken_ns <= coalesce(w.finished_ns, 9223372036854775807) OR r.taken_ns IS NULL) AND (r.dropped_ns > w.started_ns OR r.dropped_ns IS NULL)
LEFT JOIN lives l ON l.trace_id = w.trace_id AND l.life_id = w.life_id
LEFT JOIN tasks t ON t.trace_id = r.trace_id AND t.task_id = r.taken_task_id
ORDER BY w.trace_id, w.started_ns, w.started_line, r.taken_line`,
  },
  {
    name: 'findings-with-lines',
    question: 'What was found, with the lines that prove it?',
    sql: `
SELECT f.trace_id, f.finding_id, f.finding_key, f.rule, f.severity, f.verdict, f.message, e.lines
FROM findings f
LEFT JOIN (SELECT trace_id, finding_id, string_agg(line || ': ' || text, chr(10) ORDER BY seq) AS lines FROM evidence GROUP BY ALL) e
  ON e.trace_id = f.trace_id AND e.finding_id = f.finding_id
ORDER BY f.trace_id, len(f.finding_id), f.finding_id`,
  },
  {
    name: 'what-is-missing',
    question: 'Which findings do losses reach into, and which rules could not run?',
    sql: `
SELECT f.trace_id, 'loss' AS what, f.rule, f.finding_id, f.verdict, l.cpu, l.why
FROM findings f JOIN losses l ON l.trace_id = f.trace_id
 AND (l.from_ns IS NULL OR f.end_ns IS NULL OR l.from_ns <= f.end_ns) AND (l.to_ns IS NULL OR l.to_ns >= f.start_ns)
UNION ALL
SELECT trace_id, status, rule, NULL, NULL, NULL, missing FROM rules WHERE status <> 'ran'
ORDER BY ALL`,
  },
  {
    name: 'causes',
    question: 'Which cause is in how many traces, and from which kernel to which?',
    sql: `
SELECT f.cause, f.severity, count(DISTINCT f.trace_id) AS traces, count(*) AS findings, count(*) FILTER (f.verdict = 'sure') AS sure,
       sum(f.occurrences)::BIGINT AS times, min(t.kernel_release) AS first_kernel, max(t.kernel_release) AS last_kernel
FROM findings f JOIN traces t ON t.trace_id = f.trace_id
GROUP BY ALL ORDER BY traces DESC, sure DESC, times DESC, f.cause`,
  },
  {
    name: 'same-place',
    question: 'The same place in two traces (other boots, other PFNs): how many pins a second, and held how long?',
    sql: `
WITH placed AS (
  SELECT r.trace_id, coalesce(s.place, t.comm, 'before the trace') AS place, sum(r.n) AS pins, quantile_cont(r.held_ns, 0.5)::BIGINT AS p50_ns
  FROM refs r
  LEFT JOIN stacks s ON s.trace_id = r.trace_id AND s.stack_id = r.taken_stack_id
  LEFT JOIN tasks t ON t.trace_id = r.trace_id AND t.task_id = r.taken_task_id
  WHERE r.kind = 'pin' AND r.ended <> 'dropped-unmatched' GROUP BY ALL),
rated AS (
  SELECT p.*, round(p.pins / ((t.end_ns - t.start_ns) / 1e9), 3) AS per_s FROM placed p JOIN traces t ON t.trace_id = p.trace_id WHERE t.end_ns > t.start_ns)
SELECT a.place, a.trace_id AS one, b.trace_id AS other, a.pins::BIGINT AS pins, b.pins::BIGINT AS other_pins, a.per_s, b.per_s AS other_per_s,
       a.p50_ns, b.p50_ns AS other_p50_ns
FROM rated a JOIN rated b ON a.place = b.place AND a.trace_id < b.trace_id
ORDER BY abs(ln(b.per_s / a.per_s)) DESC, a.place, one, other`,
  },
];
