import {readdirSync, readFileSync} from 'node:fs';
import path from 'node:path';
import {expect, test} from 'vitest';
import type {Report} from '../../src/results/report.js';
import {RULES} from '../../src/rules/registry.js';

const SAMPLES = path.join(import.meta.dirname, '../../sample-traces');
/** Premises that every claim has where they are in question (src/proof/prove.ts). */
const OF_EVERY_RULE = new Set(['named', 'timed', 'unabridged']);

test('pinscope rules lists each premise that a finding of a sample rests on', () => {
  const unlisted = new Set<string>();
  for (const file of readdirSync(SAMPLES, {recursive: true, encoding: 'utf8'})) {
    if (!file.endsWith('.expected.json')) continue;
    const {findings} = JSON.parse(readFileSync(path.join(SAMPLES, file), 'utf8')) as Report;
    for (const {rule, proof} of findings) {
      const {premises} = RULES.find(({meta}) => meta.id === rule)!.meta;
      for (const {premise, says} of proof) {
        if (OF_EVERY_RULE.has(premise)) continue;
        if (!premises.some((p) => p.id === premise && p.says === says)) unlisted.add(`${rule}: ${premise}: ${says}`);
      }
    }
  }
  expect([...unlisted]).toEqual([]);
});
