/** `pinscope diff` and --bisect, as a user and as git bisect run them. */
import {execFileSync, spawnSync} from 'node:child_process';
import {cpSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {describe, expect, test} from 'vitest';
import type {DiffReport} from '../../src/results/diff.js';
import {json, pinscope, sample} from '../commands/pinscope.js';
import {ledgerOf, temporaryFolder} from '../export/ledger.js';

const GOOD = sample('ftrace/correct-work');
const BAD = sample('ftrace/misuse-6.12-page_ref');

describe('pinscope diff', () => {
  test('of a trace with itself tells nothing', () => {
    for (const trace of [GOOD, BAD]) {
      const {rows, worse} = json<DiffReport>('diff', trace, trace);
      expect(worse).toBe(false);
      expect(rows.every(({verdict}) => verdict === '~' || verdict === 'too few')).toBe(true);
      expect(pinscope(['diff', trace, trace]).status).toBe(0);
    }
  });

  test('of correct work against the same with bugs tells each sure cause as new', () => {
    const {rows} = json<DiffReport>('diff', GOOD, BAD);
    const told = rows.filter(({what}) => what === 'cause');
    const report = json<{causes: {rule: string; sure: number}[]}>('analyze', BAD);
    const sure = report.causes.filter((cause) => cause.sure > 0).length;
    expect(told.filter(({verdict}) => verdict === 'new' || verdict === 'new?')).toHaveLength(sure);
    expect(pinscope(['diff', GOOD, BAD])).toMatchObject({
      status: 1,
      stdout: expect.stringContaining('GOOD may have missed it') as string,
    });
    const back = json<DiffReport>('diff', BAD, GOOD);
    expect(back.worse).toBe(false);
    expect(back.rows.filter(({verdict}) => verdict.startsWith('gone'))).toHaveLength(sure);
  });

  test('counts calls that pin as analyze --bisect does, where pins show and calls do not', () => {
    const trace = sample('ftrace/misuse-6.12-arm64-64k');
    const {stderr} = pinscope(['analyze', '--bisect', '--cause', 'no such cause', '--deeds', '1000000', trace]);
    expect(stderr).toContain(`only ${json<DiffReport>('diff', trace, trace).good.deeds} calls that pin`);
  });

  test('takes exports for traces', async () => {
    const folder = temporaryFolder();
    await ledgerOf(GOOD, folder);
    const {rows} = json<DiffReport>('diff', folder, BAD);
    expect(rows).toEqual(json<DiffReport>('diff', GOOD, BAD).rows);
  });

  test('does not compare what only one of the two could see', () => {
    const {rules_only_in, rows} = json<DiffReport>('diff', sample('ftrace/misuse-6.1-probes'), BAD);
    expect([...rules_only_in.good, ...rules_only_in.bad].length).toBeGreaterThan(0);
    for (const row of rows.filter(
      ({what, name}) => what === 'cause' && rules_only_in.bad.some((rule) => name.startsWith(`${rule}|`)),
    ))
      expect(row.verdict).toBe('not comparable');
  });
});

describe('--bisect', () => {
  test('never takes a failure for a bad commit', () => {
    const folder = temporaryFolder();
    const junk = path.join(folder, 'junk');
    writeFileSync(junk, 'no trace\n');
    for (const args of [
      ['diff', '--bisect', GOOD, '/no/such/file'],
      ['diff', '--bisect', GOOD, junk],
      ['diff', '--bisect', GOOD],
      ['diff', '--bisect', '--nonsense', GOOD, GOOD],
      ['analyze', '--bisect', '/no/such/file'],
      ['analyze', '--bisect', junk],
      ['analyze', '--bisect', '--deeds', 'many', GOOD],
    ])
      expect(pinscope(args).status, args.join(' ')).toBe(125);
  });

  test('analyze: bad for a sure finding of the cause, good where one could have shown, else skipped', () => {
    expect(pinscope(['analyze', '--bisect', BAD]).status).toBe(1);
    expect(pinscope(['analyze', '--bisect', '--cause', 'unpin-while-dma|pinbug.0', BAD]).status).toBe(1);
    expect(pinscope(['analyze', '--bisect', '--cause', 'unpin-while-dma|another', '--deeds', '20', BAD]).status).toBe(
      0,
    );
    const few = pinscope(['analyze', '--bisect', GOOD]);
    expect(few.status).toBe(125);
    expect(few.stderr).toContain('calls that pin');
    const enough = pinscope(['analyze', '--bisect', '--deeds', '20', GOOD]);
    expect(enough.status).toBe(0);
    expect(enough.stderr).toContain('rarer than 1 in');
  });

  test('git bisect run finds the commit', () => {
    const repository = temporaryFolder();
    const git = (...args: string[]): string =>
      execFileSync(
        'git',
        ['-c', 'user.name=t', '-c', 'user.email=t@example.org', '-c', 'commit.gpgsign=false', ...args],
        {
          cwd: repository,
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'pipe'],
        },
      );
    git('init', '-q');
    const commits: string[] = [];
    for (let i = 0; i < 6; i++) {
      // 3 cannot be built, as it were; 4 is the first bad one
      if (i === 3) writeFileSync(path.join(repository, 'trace'), 'no trace\n');
      else cpSync(i < 4 ? GOOD : BAD, path.join(repository, 'trace'));
      writeFileSync(path.join(repository, 'n'), String(i));
      git('add', '.');
      git('commit', '-q', '-m', String(i));
      commits.push(git('rev-parse', 'HEAD').trim());
    }
    git('bisect', 'start', commits[5]!, commits[0]!);
    const run = [
      process.execPath,
      path.resolve('bin/run.js'),
      'analyze',
      '--bisect',
      '--deeds',
      '20',
      '-o',
      '/dev/null',
      'trace',
    ];
    const {stdout} = spawnSync('git', ['bisect', 'run', ...run], {cwd: repository, encoding: 'utf8'});
    // it cannot tell between the skipped commit and the bad one, and says so
    expect(stdout).toMatch(/first '?bad'? commit could be any of/);
    expect(stdout).toContain(commits[3]);
    expect(stdout).toContain(commits[4]);
    expect(stdout).not.toContain(`${commits[5]} is the first bad commit`);
  });
});
