/** A short run of the attack, and that it would notice. */
import {afterAll, expect, it} from 'vitest';
import {Random} from '../fuzz/random.js';
import {Attack} from './attack.js';
import {linesOf, textOf} from './lines.js';
import {MUTATIONS} from './mutations.js';

const attack = new Attack('', 'sample-traces', 2000);
afterAll(() => attack.close());

it('finds nothing sure of a changed trace that is not sure of the whole one', async () => {
  const wrong: unknown[] = [];
  let read = 0;
  for (let seed = 1; seed <= 24; seed++) {
    const outcome = await attack.run(seed);
    if (outcome.read) read++;
    if (outcome.falselySure.length > 0) wrong.push(outcome);
  }
  expect(wrong).toEqual([]);
  expect(read).toBeGreaterThan(18);
}, 60_000);

it('changes a trace the same way from one seed, and another way from another', () => {
  const lines = linesOf('sample-traces/ftrace/unpin-while-dma.txt.gz');
  const lost = MUTATIONS.find(({name}) => name.startsWith('lines lost without a mark, 10'))!;
  const text = (seed: number): string => textOf(lost.make(lines, new Random(seed))!.lines);
  expect(text(1)).toBe(text(1));
  expect(text(1)).not.toBe(text(2));
  expect(textOf(lines).length).toBeGreaterThan(text(1).length);
});

it.each(MUTATIONS.map((mutation) => [mutation.name, mutation] as const))(
  '%s: leaves heads and adds no event',
  (_, {make}) => {
    const lines = linesOf('sample-traces/ftrace/unpin-while-dma.txt.gz');
    const made = make(lines, new Random(7))!;
    const names = (list: readonly {name: string}[]): Set<string> => new Set(list.map(({name}) => name));
    expect([...names(made.lines)].filter((name) => !names(lines).has(name))).toEqual([]);
    expect(made.lines[0]!.text).toBe(lines[0]!.text);
  },
);
