import {expect, inject, it} from 'vitest';
import {pinscope} from './commands/pinscope.js';

interface Script {
  /** names of the files that are not what the program prints */
  different: (print: (words: string[]) => string) => Promise<string[]>;
}

it('shows in docs/examples and README.md what the program prints', async () => {
  expect(inject('buildFailure')).toBe('');
  const script = '../scripts/examples.mjs';
  const {different} = (await import(script)) as Script;
  expect(await different((words) => pinscope(words).stdout), 'after a change: node scripts/examples.mjs').toEqual([]);
});
