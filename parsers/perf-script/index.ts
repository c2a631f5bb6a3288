/** The text of `perf script`. */

import type {LineForm, Sniff} from '../form.js';
import {trial, understood} from '../trial.js';
import {PerfScriptReader} from './reader.js';

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
  if (facts.get('order') === 'none') {
    evidence.push('no times: print them with perf script -F +time, or nothing that happened is in a known order');
  }
  evidence.push(`${counters.events} of the first ${counters.lines} lines are events as perf script prints them`);
  // the columns alone are like those of other tools
  return {verdict: 'yes', score: Math.round((sample === undefined ? 50 : 90) * share) + 5, evidence};
}

export const perfScript: LineForm = {
  id: 'perf-script',
  title: 'perf script',
  // perf writes the buffers of its CPUs in turns: some events stand before earlier ones
  ordered: false,
  sniff,
  open: (sink, options) => new PerfScriptReader(sink, options),
};
