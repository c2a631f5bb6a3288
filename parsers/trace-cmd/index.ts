/** The text of `trace-cmd report`. */

import type {LineForm, Sniff} from '../form.js';
import {nameStyle} from '../ftrace/sniff.js';
import {trial, understood} from '../trial.js';
import {TraceCmdReader} from './reader.js';

const NO: Sniff = {verdict: 'no', score: 0, evidence: []};

function sniff(head: Uint8Array): Sniff {
  const t = trial((sink, options) => new TraceCmdReader(sink, options), head);
  const {counters, facts} = t;
  // the header of a tracefs file is no part of a report
  if (facts.has('tracer')) return NO;
  const cpus = facts.get('cpus');
  const share = understood(counters);
  if (share < 0.5 || (counters.events === 0 && cpus === undefined)) return NO;
  const evidence: string[] = [];
  if (cpus !== undefined) evidence.push(`a line "cpus=${cpus}"`);
  const style = nameStyle(head);
  if (style.padded > style.plain) {
    evidence.push(`${style.padded} of ${style.padded + style.plain} event names are padded as trace-cmd pads them`);
  } else if (cpus === undefined) return NO;
  if (counters.events > 0) evidence.push(`${counters.events} of the first ${counters.lines} lines are events`);
  return {verdict: 'yes', score: Math.round((cpus === undefined ? 80 : 90) * share) + 5, evidence};
}

export const traceCmd: LineForm = {
  id: 'trace-cmd',
  title: 'trace-cmd report',
  ordered: true,
  sniff,
  open: (sink, options) => new TraceCmdReader(sink, options),
};
