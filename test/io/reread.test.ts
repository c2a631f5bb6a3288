import {mkdtempSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {afterAll, describe, expect, it} from 'vitest';
import {Reread} from '../../src/io/reread.js';

const dir = mkdtempSync(path.join(tmpdir(), 'pinscope-reread-'));
afterAll(() => rmSync(dir, {recursive: true}));

/** Lines of many lengths, over several blocks, and where each begins. */
const lines = Array.from({length: 4000}, (_, i) => `line ${i} ${'x'.repeat((i * 37) % 150)}`);
const offsets = lines.map((_, i) => lines.slice(0, i).reduce((sum, line) => sum + line.length + 1, 0));

function file(name: string, text: string): {file: string; again: Reread} {
  const where = path.join(dir, name);
  writeFileSync(where, text);
  const {dev, ino} = statSync(where);
  return {file: where, again: new Reread(where, `${dev}:${ino}`)};
}

describe('lines read again', () => {
  it('are the same in any order, across blocks and at the end of the file', () => {
    const {again} = file('whole', lines.join('\n'));
    for (let i = 0; i < lines.length; i++) {
      const at = (i * 1999) % lines.length;
      expect(again.line(offsets[at]!, lines[at]!.length, false)).toBe(lines[at]);
    }
    again.close();
  });

  it('are cut where they were cut', () => {
    const {again} = file('cut', `${'y'.repeat(100_000)}\nz\n`);
    expect(again.line(0, 2000, true)).toBe('y'.repeat(2000));
    again.close();
  });

  it('are not made up where the file is no longer what it was', () => {
    const {file: where, again} = file('changed', lines.join('\n'));
    writeFileSync(where, 'something else');
    expect(again.line(offsets[5]!, lines[5]!.length, false)).toMatch(/the file has changed/);
    again.close();
    const {again: other} = file('replaced', lines.join('\n'));
    rmSync(path.join(dir, 'replaced'));
    expect(other.line(0, 5, false)).toMatch(/the file has changed/);
  });
});
