import {spawnSync} from 'node:child_process';
import {expect, inject, it} from 'vitest';

it('shows in docs/examples what the program prints', () => {
  expect(inject('buildFailure')).toBe('');
  const {status, stderr} = spawnSync(process.execPath, ['scripts/examples.mjs', '--check'], {encoding: 'utf8'});
  expect(stderr).toBe('');
  expect(status).toBe(0);
});
