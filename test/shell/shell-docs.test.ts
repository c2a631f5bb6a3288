import {execFileSync, spawnSync} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {fileURLToPath} from 'node:url';
import {afterAll, beforeAll, describe, expect, it} from 'vitest';

const script = fileURLToPath(new URL('../../scripts/shell-docs.mjs', import.meta.url));
const folder = mkdtempSync(path.join(tmpdir(), 'pinscope-shell-'));

function has(command: string): boolean {
  return spawnSync(command, ['--version']).error === undefined;
}

beforeAll(() => {
  execFileSync(process.execPath, [script, folder]);
}, 60_000);

afterAll(() => rmSync(folder, {recursive: true}));

/** What bash offers for the last of these words. */
function offered(...words: string[]): string[] {
  const text = execFileSync(
    'bash',
    [
      '-c',
      `source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _pinscope 2>/dev/null; printf '%s\\n' "\${COMPREPLY[@]}"`,
      path.join(folder, 'pinscope.bash'),
      ...words,
    ],
    {encoding: 'utf8', cwd: folder},
  );
  return text.split('\n').filter((word) => word !== '');
}

describe.skipIf(!has('bash'))('bash', () => {
  it('offers commands, flags and the words that flags take', () => {
    expect(offered('pinscope', 'ana')).toEqual(['analyze']);
    expect(offered('pinscope', 'analyze', '--to', 'nd')).toEqual(['ndjson']);
    expect(offered('pinscope', 'analyze', '--from', 'bpf')).toEqual(['bpftrace', 'bpftrace-json']);
    expect(offered('pinscope', 'analyze', '--sup')).toEqual(['--suppress']);
    expect(offered('pinscope', 'analyze', '--severity', 'w')).toEqual(['warning']);
    expect(offered('pinscope', 'record', '--with', 't')).toEqual(['tracefs', 'trace-cmd']);
    expect(offered('pinscope', 'record', '--rules', 'pin-l')).toEqual(['pin-leak']);
    expect(offered('pinscope', 'query', '--saved', 'who')).toEqual(['who-pins']);
    expect(offered('pinscope', 'export', '--tables', 'refs,dma_p')).toEqual(['refs,dma_pages']);
    expect(offered('pinscope', 'rules', '--to', '')).toEqual(['table', 'json']);
  });

  it('offers rules in lists, and files for traces', () => {
    expect(offered('pinscope', 'analyze', '--rule', 'pin-leak,get')).toEqual(['pin-leak,get-leak']);
    expect(offered('pinscope', 'analyze', '')).toContain('pinscope.1');
    expect(offered('pinscope', 'analyze', '--pfn', '')).toEqual([]);
  });
});

it.skipIf(!has('zsh'))('is a completion that zsh can read', () => {
  expect(spawnSync('zsh', ['-n', path.join(folder, '_pinscope')], {encoding: 'utf8'})).toMatchObject({
    status: 0,
    stderr: '',
  });
});

it.skipIf(!has('groff'))('is a man page without a word from groff', () => {
  const result = spawnSync('groff', ['-man', '-ww', '-Tascii', path.join(folder, 'pinscope.1')], {encoding: 'utf8'});
  expect(result.stderr).toBe('');
  // bold is overstruck or coloured, by groff's version
  // eslint-disable-next-line no-control-regex
  const text = result.stdout.replaceAll(/.\u0008|\u001b\[\d*m/g, '');
  expect(text).toContain('EXIT STATUS');
  expect(text).toContain('--fail-on SEVERITY[:sure]');
});

it('has every flag of every command', () => {
  const man = readFileSync(path.join(folder, 'pinscope.1'), 'utf8').replaceAll('\\-', '-');
  expect(man).toContain('pinscope diff\\fR GOOD BAD');
  expect(man).toContain('pinscope query\\fR SQL [TRACE|FOLDER...]');
  const zsh = readFileSync(path.join(folder, '_pinscope'), 'utf8');
  const flags = offered('pinscope', 'analyze', '--').filter((flag) => flag !== '--help');
  expect(flags.length).toBeGreaterThan(20);
  for (const flag of flags) {
    expect(man).toContain(flag);
    expect(zsh).toContain(`${flag}[`);
  }
});
