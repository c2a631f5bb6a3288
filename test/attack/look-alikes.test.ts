/**
 * Correct work that looks like a bug, as a kernel would log it: nothing of it may be told as sure. Each scene says why it is
 * correct, by which source or document. The bugs beside them must be found, or silence would pass.
 */
import {describe, expect, it} from 'vitest';
import type {Finding} from '../../src/results/report.js';
import {analyzeText} from '../rules/analyze-text.js';
import {Machine, type Style} from './machine.js';
import {BUGS} from './scenes/bugs.js';
import {COUNTS} from './scenes/counts.js';
import {DMA} from './scenes/dma.js';
import {FOLIO_BUGS, FOLIOS} from './scenes/folios.js';
import {LEAKS} from './scenes/leaks.js';
import type {Scene} from './scenes/scene.js';
import {SHARING, SHARING_BUGS} from './scenes/sharing.js';
import {WRITEBACK} from './scenes/writeback.js';

/** What it tells that is no note. */
async function findingsOf(scene: Scene, style: Style): Promise<Finding[]> {
  const k = new Machine(style);
  scene.make(k);
  if (scene.last === undefined) k.later();
  const {findings} = await analyzeText(k.text());
  return findings.filter((f) => f.severity !== 'note');
}

/** The same in words: `rule verdict`. */
async function alarms(scene: Scene, style: Style): Promise<string[]> {
  return (await findingsOf(scene, style)).map((f) => `${f.rule} ${f.verdict}`);
}

const cases = (scenes: readonly Scene[]): [string, Style, Scene][] =>
  scenes.flatMap((scene) => scene.on.map((style): [string, Style, Scene] => [scene.name, style, scene]));

describe.each([
  ['references', COUNTS],
  ['DMA', DMA],
  ['writeback', WRITEBACK],
  ['leaks', LEAKS],
  ['several users', SHARING],
  ['large folios', FOLIOS],
])('correct work with %s', (_, scenes) => {
  it.each(cases(scenes))('%s (%s) is not surely a bug', async (_name, style, scene) => {
    const told = await alarms(scene, style);
    expect(
      told.filter((alarm) => alarm.endsWith(' sure') && alarm !== `${scene.allows} sure`),
      scene.why,
    ).toEqual([]);
  });
});

describe('a bug of the same looks', () => {
  it.each(cases([...BUGS, ...SHARING_BUGS, ...FOLIO_BUGS]))('%s (%s) is found', async (_name, style, scene) => {
    const told = await findingsOf(scene, style);
    const found = told.filter(({rule}) => rule === scene.finds);
    expect(found, scene.why).not.toEqual([]);
    if (scene.sure === undefined) return;
    const pages = found.flatMap((f) => (f.verdict === 'sure' ? f.pages.map(({pfn}) => Number(pfn)) : []));
    expect(pages.sort(), scene.why).toEqual(scene.sure);
  });
});
