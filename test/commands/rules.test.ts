import {beforeAll, describe, expect, inject, it} from 'vitest';
import type {RulesReport} from '../../src/results/rules.js';
import {RULES} from '../../src/rules/registry.js';
import {against, json, pinscope} from './pinscope.js';

beforeAll(() => expect(inject('buildFailure')).toBe(''));

describe('pinscope rules', () => {
  it('lists every rule, in 80 columns', () => {
    const {status, stdout} = pinscope(['rules']);
    expect(status).toBe(0);
    for (const {meta} of RULES) expect(stdout).toMatch(new RegExp(`^${meta.id}$`, 'm'));
    for (const line of stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80);
  });

  it.each(RULES.map(({meta}) => meta.id))('explains %s', (id) => {
    const {status, stdout} = pinscope(['rules', id]);
    expect(status).toBe(0);
    for (const title of ['SEVERITY', 'WHAT IT MEANS', 'WHAT PROVES IT', 'WHAT TO RECORD', 'WHERE THE KERNEL STATES IT'])
      expect(stdout).toMatch(new RegExp(`^${title}$`, 'm'));
    for (const line of stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80);
  });

  it('says the same as JSON, with what each rule needs', () => {
    const report = json<RulesReport>('rules');
    expect(against('pinscope.rules.1.json', report)).toBe('');
    expect(report.schema).toBe('pinscope.rules/1');
    expect(report.rules.map((rule) => rule.id)).toEqual(RULES.map(({meta}) => meta.id));
    const put = json<RulesReport>('rules', 'put-on-pin').rules[0];
    expect(put?.needs.map((source) => source.need)).toContain('puts');
    expect(put?.needs.every((source) => source.events !== '' && source.record !== '')).toBe(true);
  });

  it('says what was probably meant by a rule that is none', () => {
    const {status, stderr, stdout} = pinscope(['rules', 'pinleak']);
    expect(status).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toBe(
      "pinscope: there is no rule 'pinleak'; did you mean pin-leak? (pinscope rules lists them all)\n",
    );
  });
});
