/**
 * Events that the function_graph tracer prints as comments (kernel/trace/trace_functions_graph.c, print_graph_comment):
 *
 *       612.100003 |   1)    cam-701    |               |    /* page_ref_mod_unless: pfn=0x4a10 ... ret=1 *\/
 *       TIME           CPU  TASK/PID      DURATION           the columns that funcgraph-abstime and -proc add
 *      1)               |    /* page_ref_mod: pfn=0x4a10 ... *\/                       without them
 *
 * Each is made into the line that tracefs prints of it elsewhere. Without TIME the number of the line stands for it.
 */

import {text} from '../bytes.js';

/** Longer lines hold no event. */
const MAX_LINE = 8192;
const TIME = /^\s{0,20}(\d{1,12}\.\d{1,9}) +\|/;
const CPU = /(?:^|\|) {0,8}(\d{1,4})\)/;
const TASK = /\) +(\S.{0,30}?)-(\d{1,10}) +(?:\||[.a-zA-Z#]{3,8} )/;
const MARK = /\bpfns?\b|\bpage\b|\bfolio\b/i;
/** `d.h1.` of the latency-format option */
const FLAGS = /\| {1,4}([.dDnNpPBbX]{1,2}[.nNlLpPhHsSzZ][.hHsSzZ0-9a-f][.0-9a-f]{1,3}) {1,4}\|/;
/** Stands for a task that is not printed. */
const NOBODY = '<...>-0';
const NAME = /^[A-Za-z_]\w*: /;
/** A line of a graph: a CPU, or a time before it, a duration or none, a bar. */
const GRAPH = /^ {0,20}(?:\d{1,12}\.\d{1,9} +\| +)?\d{1,4}\) .{0,80}\|  /;

/** Whether a line is one of a function graph. */
export function isGraph(line: string): boolean {
  return GRAPH.test(line.slice(0, 160));
}

/** Whether a line of a graph is an event. */
export function isGraphEvent(line: string): boolean {
  return restOf(line) !== undefined && (CPU.test(line.slice(0, 120)) || isGraph(line));
}

/** Whether a line names its task: funcgraph-proc. Without it no task is known. */
export function hasTask(line: string): boolean {
  return TASK.test(line.slice(0, 120));
}

/** Whether events have times: funcgraph-abstime. */
export function hasTime(line: string): boolean {
  return TIME.test(line.slice(0, 60));
}

/** `page_ref_mod: pfn=0x4a10 ...` of the comment; undefined where there is none. */
function restOf(line: string): string | undefined {
  const at = line.indexOf('/* ');
  if (at < 0 || at > 400) return undefined;
  const rest = line.slice(at + 3).replace(/ ?\*\/ *$/, '');
  if (NAME.test(rest)) return rest;
  // a trace_printk() that names a page
  return MARK.test(rest) ? `print: ${rest}` : undefined;
}

/** The event's line as tracefs prints it; empty for every other line of a graph. `ordinal` stands for the time. */
export function graphLine(buf: Uint8Array, start: number, end: number, ordinal: number): string {
  if (end - start > MAX_LINE) return '';
  const line = text(buf, start, end);
  if (line.startsWith('#')) return line;
  const rest = restOf(line);
  if (rest === undefined) return '';
  const before = line.slice(0, line.indexOf('/* '));
  const time = TIME.exec(before)?.[1] ?? String(ordinal);
  const cpu = CPU.exec(before)?.[1];
  const task = TASK.exec(before);
  if (cpu === undefined) return '';
  const who = task ? `${task[1]!.slice(-15)}-${task[2]}` : NOBODY;
  const flags = FLAGS.exec(before)?.[1];
  return `${who.padStart(20)} [${cpu.padStart(3, '0')}]${flags === undefined ? '' : ` ${flags}`} ${time}: ${rest}`;
}
