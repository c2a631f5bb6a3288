import {readFileSync} from 'node:fs';
import {Ajv, type AnySchemaObject, type ValidateFunction} from 'ajv';
import {describe, expect, it} from 'vitest';
import {HISTORY_RENDERERS} from '../../src/report/history/index.js';
import {PINS_RENDERERS} from '../../src/report/pins/index.js';
import {REPORT_RENDERERS} from '../../src/report/index.js';
import type {Report} from '../../src/results/report.js';
import {historyReport, pinsReport} from './sample-lives.js';
import * as samples from './samples.js';

function schema(name: string): AnySchemaObject {
  return JSON.parse(readFileSync(new URL(`../../schema/${name}`, import.meta.url), 'utf8')) as AnySchemaObject;
}

/**
 * The published schema allows keys it does not know, because a later version may add some. Here nothing may be unknown,
 * or a key could be printed that no page describes.
 */
function closed<T>(value: T): T {
  if (Array.isArray(value)) return value.map((item: unknown) => closed(item)) as T;
  if (value === null || typeof value !== 'object') return value;
  const copy = Object.fromEntries(Object.entries(value).map(([key, item]) => [key, closed(item as unknown)]));
  if (copy.type === 'object' && copy.additionalProperties === undefined) copy.additionalProperties = false;
  return copy as T;
}

/** The check of a schema as `how` makes it: compiled once, which takes longer than most checks. */
const compiled = new Map<string, ValidateFunction>();
function validator(name: string, how: typeof closed): ValidateFunction {
  const key = `${how.name} ${name}`;
  const known = compiled.get(key);
  if (known !== undefined) return known;
  const ajv = new Ajv({allErrors: true, strict: true, strictTypes: false, allowUnionTypes: true});
  const validate = ajv.compile(how(schema(name)));
  compiled.set(key, validate);
  return validate;
}

const published = <T>(value: T): T => value;

const options = {plain: {color: false, width: 80}};
const reports: [string, () => Report][] = [
  ['one finding', () => samples.withFindings(samples.emptyReport(), [samples.earlyUnpinWithStacks()])],
  ['two CPUs', () => samples.withFindings(samples.emptyReport(), [samples.writebackWhilePinned()])],
  ['512 pages', () => samples.withFindings(samples.emptyReport(), [samples.manyPages()])],
  ['ticks', samples.ticksReport],
  ['hostile', samples.hostileReport],
  ['nothing found', samples.nothingFound],
  ['many', () => samples.manyFindings(20)],
];

describe.each(reports)('%s', (_, report) => {
  it.each([
    ['published', published],
    ['closed', closed],
  ])('validates against the %s schema', (_name, how) => {
    const validate = validator('pinscope.report.2.json', how);
    const text = [...REPORT_RENDERERS.json(report(), options.plain)].join('');
    validate(JSON.parse(text));
    expect(validate.errors ?? []).toEqual([]);

    const validateLine = validator('pinscope.report.lines.2.json', how);
    for (const line of [...REPORT_RENDERERS.ndjson(report(), options.plain)].join('').trimEnd().split('\n')) {
      validateLine(JSON.parse(line));
      expect(validateLine.errors ?? [], line).toEqual([]);
    }
  });
});

it.each([
  ['history', 'pinscope.history.2.json', () => [...HISTORY_RENDERERS.json(historyReport(), options.plain)].join('')],
  ['pins', 'pinscope.pins.1.json', () => [...PINS_RENDERERS.json(pinsReport(), options.plain)].join('')],
])('the result of %s validates', (_, name, text) => {
  for (const how of [closed, published]) {
    const validate = validator(name, how);
    validate(JSON.parse(text()));
    expect(validate.errors ?? []).toEqual([]);
  }
});

it('rejects what is no report', () => {
  const validate = new Ajv({strictTypes: false}).compile(schema('pinscope.report.2.json'));
  const report = samples.manyFindings(1);
  expect(validate({...report, schema: 'pinscope.report/9'})).toBe(false);
  expect(validate({...report, findings: [{...report.findings[0], start_ns: 17.5}]})).toBe(false);
  expect(validate({...report, findings: [{...report.findings[0], severity: 'fatal'}]})).toBe(false);
});
