/** The text of `perf script`. */

import {TAB} from '../bytes.js';
import type {LineForm, Sniff} from '../form.js';
import {headLines} from '../head-lines.js';
import {trial, understood} from '../trial.js';
import {PerfColumns} from './columns.js';
import {PerfScriptReader} from './reader.js';

/** Lines looked at for what their times are. */
const LOOK = 2000;
/** Distances turn back so often, and forth as well. */
const OFTEN = 0.25;
/** So many times tell, and fewer where the first is 0. */
const ENOUGH = 8;
const FEW = 2;

/** Whether the times are distances (--deltatime). Those of a CPU never go back, nor do those of --reltime, which begin at 0 too. */
function areDistances(head: Uint8Array): boolean {
  const columns = new PerfColumns();
  const last: number[] = [];
  let events = 0;
  let back = 0;
  let forth = 0;
  let beginsAtZero = false;
  headLines(head, (start, end, line) => {
    if (line > LOOK || head[start] === TAB || !columns.parse(head, start, end)) return;
    const t = columns.seconds * 1e9 + columns.fraction_ns;
    if (events++ === 0) beginsAtZero = t === 0;
    const before = last[columns.cpu + 1];
    last[columns.cpu + 1] = t;
    if (before === undefined) return;
    if (t < before) back++;
    else forth++;
  });
  const least = Math.max(beginsAtZero ? FEW : ENOUGH, (back + forth) * OFTEN);
  return back >= least && (beginsAtZero || forth >= least);
}

const NO: Sniff = {verdict: 'no', score: 0, evidence: []};

function sniff(head: Uint8Array): Sniff {
  const t = trial((sink, options) => new PerfScriptReader(sink, options), head);
  const {counters, facts} = t;
  const share = understood(counters);
  if (counters.events === 0 || share < 0.5) return NO;
  const evidence: string[] = [];
  if (facts.has('kernel')) evidence.push('a header of `perf script --header`');
  const names = [...counters.eventsByName().keys()];
  const sample = names.find((name) => name.includes(':'));
  if (sample !== undefined) evidence.push(`event names with their subsystem, as "${sample}"`);
  const score = Math.round((sample === undefined ? 50 : 90) * share) + 5;
  if (sample !== undefined && areDistances(head)) {
    return {
      verdict: 'refused',
      score,
      evidence: ['the times of a CPU go back again and again: they are how long after the event before each came'],
      advice:
        'perf script --deltatime prints no times. Print them, or give perf.data itself:\n  perf script --ns --show-lost-events > trace.txt',
    };
  }
  if (facts.get('order') === 'none') {
    evidence.push('no times: print them with perf script -F +time, or nothing that happened is in a known order');
  }
  evidence.push(`${counters.events} of the first ${counters.lines} lines are events as perf script prints them`);
  // the columns alone are like those of other tools
  return {verdict: 'yes', score, evidence};
}

export const perfScript: LineForm = {
  id: 'perf-script',
  title: 'perf script',
  // perf writes the buffers of its CPUs in turns: some events stand before earlier ones
  ordered: false,
  sniff,
  open: (sink, options) => new PerfScriptReader(sink, options),
};
