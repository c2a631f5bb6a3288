import {readFileSync} from 'node:fs';
import {beforeAll, describe, expect, inject, it} from 'vitest';
import {pinscope, sample} from './commands/pinscope.js';

const TRACE = sample('ftrace/unpin-while-dma');

beforeAll(() => expect(inject('buildFailure')).toBe(''));

/** What the program prints; fenced as `text`, without the fences. */
function blocks(file: string): string[] {
  return [...readFileSync(file, 'utf8').matchAll(/^```text\n(.*?)^```$/gms)].map(([, text = '']) => text);
}

describe('README.md', () => {
  const readme = readFileSync('README.md', 'utf8');

  it('shows the report that its first command prints', () => {
    const [, trace = ''] = /npx pinscope analyze (\S+)/.exec(readme) ?? [];
    const {stdout} = pinscope(['analyze', trace]);
    expect(blocks('README.md')).toEqual([stdout]);
  });

  it('counts the rules that there are', () => {
    const {rules} = JSON.parse(pinscope(['rules', '--json']).stdout) as {rules: unknown[]};
    expect(readme).toContain(`: ${rules.length} rules,`);
  });

  it('names commands and flags that there are', () => {
    const named = [...readme.matchAll(/\bpinscope (analyze|history|pins|query|export|record)\b([^\n`|&]*)/g)];
    expect(named.length).toBeGreaterThan(10);
    for (const [line, command = '', rest = ''] of named) {
      const help = pinscope([command, '--help']).stdout;
      for (const [flag] of rest.split(' -- ')[0]!.matchAll(/--[a-z][a-z-]*/g)) expect(help, line).toContain(flag);
    }
  });
});

describe('docs/reading-a-report.md', () => {
  it('quotes what the program prints on its sample', () => {
    const printed = [
      ['analyze', TRACE],
      ['history', '--around', 'a4a217fa', TRACE],
    ].map((words) => pinscope(words).stdout);
    const quoted = blocks('docs/reading-a-report.md');
    expect(quoted.length).toBeGreaterThan(4);
    for (const text of quoted)
      expect(
        printed.some((whole) => whole.includes(text)),
        text,
      ).toBe(true);
  });
});
