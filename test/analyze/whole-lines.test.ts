import * as fc from 'fast-check';
import {describe, expect, it} from 'vitest';
import {MAX_LINE} from '../../parsers/lines/line-reader.js';
import {wholeLines} from '../../src/run/whole-lines.js';

/** The pieces that become of a text given in chunks of these sizes, through one buffer that is written again. */
async function piecesOf(text: string, sizes: readonly number[]): Promise<string[]> {
  const bytes = Buffer.from(text, 'latin1');
  async function* chunks(): AsyncGenerator<Uint8Array> {
    const buffer = Buffer.alloc(Math.max(...sizes));
    for (let at = 0, i = 0; at < bytes.length; i++) {
      const got = bytes.copy(buffer, 0, at, Math.min(bytes.length, at + sizes[i % sizes.length]!));
      at += got;
      yield buffer.subarray(0, got);
    }
  }
  const pieces: string[] = [];
  for await (const piece of wholeLines(chunks())) pieces.push(piece.toString('latin1'));
  return pieces;
}

describe('wholeLines', () => {
  it('gives all bytes, in pieces that end with a line', async () => {
    const text = fc.array(fc.string({maxLength: 20}), {maxLength: 30}).map((lines) => lines.join('\n'));
    const sizes = fc.array(fc.integer({min: 1, max: 50}), {minLength: 1, maxLength: 4});
    await fc.assert(
      fc.asyncProperty(text, sizes, async (all, chunkSizes) => {
        const latin = Buffer.from(all, 'latin1').toString('latin1');
        const pieces = await piecesOf(latin, chunkSizes);
        expect(pieces.join('')).toBe(latin);
        for (const piece of pieces.slice(0, -1)) expect(piece.endsWith('\n')).toBe(true);
      }),
    );
  });

  it('cuts a line that is too long to a little more than the reader takes', async () => {
    for (const size of [4096, 100_000, MAX_LINE]) {
      const lines = (await piecesOf(`first\n${'x'.repeat(3 * MAX_LINE)}\nlast`, [size])).join('').split('\n');
      expect(lines.map((line) => line.length > MAX_LINE)).toEqual([false, true, false]);
      expect([lines[0], lines[2]]).toEqual(['first', 'last']);
    }
  });

  // Half a minute, and out of time, when each piece made it look through all that was there.
  it('takes a long line that comes a few bytes at a time', async () => {
    expect((await piecesOf(`${'x'.repeat(MAX_LINE)}\n`, [10])).join('')).toHaveLength(MAX_LINE + 1);
  });
});
