/** The questions that the page and the mail name are ones that `pinscope query` answers, with what the report says. */
import {readFileSync} from 'node:fs';
import {describe, expect, test} from 'vitest';
import {SAVED} from '../../src/query/saved.js';
import type {Report} from '../../src/results/report.js';
import {commandOn, evidenceSql, linesCommand, queryCommand, savedCommand} from '../../src/words/commands.js';
import {pinscope, sample} from '../commands/pinscope.js';
import {duck} from '../export/readers.js';

const TRACE = sample('ftrace/unpin-while-dma');

const report = (words: readonly string[]): Pick<Report, 'command' | 'inputs'> => ({
  command: ['pinscope', 'analyze', ...words],
  inputs: [{path: words.at(-1) ?? ''} as Report['inputs'][number]],
});

describe('commands that a report names', () => {
  test('name saved questions that exist', () => {
    const rules = ['unpin-while-dma', 'writeback-while-pinned', 'pin-leak'];
    const named = rules.map((rule) => savedCommand(report(['t.txt']), {rule})?.split(' ')[3]);
    const names = SAVED.map(({name}) => name);
    for (const name of [...named, 'causes', 'findings-with-lines']) expect(names).toContain(name);
    expect(savedCommand(report(['t.txt']), {rule: 'put-on-pin'})).toBeNull();
    expect(readFileSync('src/report/mail.ts', 'utf8')).toContain("'findings-with-lines'");
  });

  test('say again what the trace does not say, and no folder', () => {
    const typed = report(['--vmemmap', '0xffffea0000000000', '--pfn=0x1', '--kernel=6.12', '/home/me/-t x.txt']);
    expect(commandOn(typed, ['history', '--around', 'a6974da5'])).toBe(
      "pinscope history --around a6974da5 --vmemmap 0xffffea0000000000 --kernel=6.12 './-t x.txt'",
    );
  });

  test('show lines of packed traces, and none of records', () => {
    const input = {path: 'a/t.txt.gz', format: 'ftrace', compression: 'gzip'} as Report['inputs'][number];
    expect(linesCommand(input, [7, 3, 7])).toBe("zcat t.txt.gz | sed -n '3p;7p'");
    expect(linesCommand({...input, compression: 'none', path: 't.txt'}, [7])).toBe('sed -n 7p t.txt');
    expect(linesCommand({...input, format: 'trace-dat'}, [7])).toBeNull();
    expect(linesCommand({...input, path: '-'}, [7])).toBeNull();
    expect(linesCommand(input, [0])).toBeNull();
  });

  test('are one word each for a shell', () => {
    expect(queryCommand(report(['t.txt']), {key: 'a6974da5'})).toMatch(/^pinscope query "SELECT [^"$`\\]*" t\.txt$/);
  });

  test.skipIf(duck === undefined)('give the lines of the report', () => {
    const {findings} = JSON.parse(pinscope(['analyze', '--to', 'json', TRACE]).stdout) as Report;
    const [finding] = findings;
    const rows = JSON.parse(pinscope(['query', evidenceSql(String(finding?.key)), TRACE, '--to', 'json']).stdout) as {
      line: string | number;
      text: string;
    }[];
    expect(rows.map(({line, text}) => [Number(line), text])).toEqual(
      finding?.evidence.map(({line, text}) => [line, text]),
    );
    expect(rows.length).toBeGreaterThan(3);
  });
});
