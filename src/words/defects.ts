/** What is wrong with a trace, in words. */
import type {QualityCounter} from '../results/report.js';
import {number} from './format.js';

/** Defects that a trace has or has not: their number is 1, and says nothing. */
const NOT_COUNTED = new Set([
  'clock-refuted',
  'cut-input',
  'cut-last-line',
  'kernel-refuted',
  'one-task',
  'page-shift-refuted',
  'page-size-assumed',
  'pointers-not-read',
  'some-tasks',
  'symbols',
  'vmemmap-assumed',
  'vmemmap-conflict',
  'vmemmap-refuted',
]);

/** `events of CPU 1 were lost (2 markers): 1,024`; `the last line is cut`. A defect of one CPU names it itself. */
export function defectText({id, count, message}: QualityCounter): string {
  return NOT_COUNTED.has(id) || id.startsWith('rule-failed-') ? message : `${message}: ${number(count)}`;
}
