import {describe, expect, it} from 'vitest';
import {exitCodeOf} from '../../src/cli/exit.js';
import type {FailOn} from '../../src/cli/exit.js';
import {explain} from '../../src/cli/failure.js';
import type {Finding, Report, RuleStatus} from '../../src/results/report.js';

const ran: RuleStatus = {id: 'pin-leak', status: 'ran', missing: [], advice: '', lacks: []};
const notRun: RuleStatus = {...ran, status: 'not-run'};
const finding = (severity: Finding['severity'], verdict: Finding['verdict']): Finding =>
  ({severity, verdict}) as Finding;

/** A report with nothing in it but what decides a status. */
function report(parts: Partial<Report>): Report {
  return {rules: [ran], findings: [], inputs: [], quality: [], ...parts} as Report;
}

function status(parts: Partial<Report>, failOn: FailOn = {severity: 'warning', sure: false}, strict = false): number {
  return exitCodeOf(report(parts), {failOn, strict});
}

describe('the exit status', () => {
  it('is 0 without a finding, or with notes only', () => {
    expect(status({})).toBe(0);
    expect(status({findings: [finding('note', 'sure')]})).toBe(0);
  });

  it('is 1 with a finding that reaches --fail-on', () => {
    expect(status({findings: [finding('note', 'sure'), finding('warning', 'possible')]})).toBe(1);
    expect(status({findings: [finding('warning', 'possible')]}, {severity: 'warning', sure: true})).toBe(0);
    expect(status({findings: [finding('warning', 'sure')]}, {severity: 'error', sure: false})).toBe(0);
    expect(status({findings: [finding('error', 'sure')]}, {severity: 'error', sure: true})).toBe(1);
    expect(status({findings: [finding('note', 'possible')]}, {severity: 'note', sure: false})).toBe(1);
  });

  it('is 2 when no rule could judge anything, even under --strict', () => {
    expect(status({rules: [notRun, notRun]})).toBe(2);
    expect(status({rules: [notRun], partial: 'SIGINT'}, undefined, true)).toBe(2);
    expect(status({rules: [notRun, {...ran, status: 'partial'}]})).toBe(0);
  });

  it('is 3 under --strict for lossy or partly unread input, whatever was found', () => {
    const input = {unrecognised: {count: 0, first: []}} as unknown as Report['inputs'][0];
    const lossy: Partial<Report> = {
      findings: [finding('error', 'sure')],
      quality: [{id: 'lost-events', severity: 'warning', count: 3, message: '', advice: ''}],
    };
    expect(status(lossy)).toBe(1);
    expect(status(lossy, undefined, true)).toBe(3);
    expect(status({inputs: [input]}, undefined, true)).toBe(0);
    expect(status({inputs: [{...input, cut: 'the gzip data end in the middle'}]}, undefined, true)).toBe(3);
    expect(status({inputs: [{...input, unrecognised: {count: 1, first: []}}]}, undefined, true)).toBe(3);
    expect(status({partial: 'stopped by SIGINT'}, undefined, true)).toBe(3);
    expect(status({quality: [{id: 'x', severity: 'note', count: 1, message: '', advice: ''}]}, undefined, true)).toBe(
      0,
    );
  });
});

describe('a fault of our own', () => {
  it('shows where it happened, for the bug report', () => {
    const {line, status: code} = explain(new TypeError('x is not a function'));
    expect(code).toBe(2);
    expect(line).toMatch(/^internal error, please report it: TypeError: x is not a function\n +at /);
  });
});

it('too few file handles for our own files is no fault of pinscope', () => {
  const error = Object.assign(new Error('EMFILE: too many open files'), {code: 'EMFILE', path: 'chunk.js'});
  expect(explain(error)).toEqual({
    line: 'chunk.js: too many open files in this process; give fewer traces at once, or raise the limit with ulimit -n',
    status: 2,
  });
});
