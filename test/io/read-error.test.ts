/** A disk that fails in the middle of a file: no file system gives that on demand, so readSync is made to. */
import fs, {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {syncBuiltinESMExports} from 'node:module';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {gzipSync} from 'node:zlib';
import {afterAll, beforeAll, expect, it} from 'vitest';
import {openInput} from '../../src/io/open-input.js';

/** Bytes that can still be read. */
let good = Infinity;

const {readSync} = fs;

function failing(fd: number, buffer: Uint8Array, offset: number, length: number, position: null): number {
  if (good <= 0) throw Object.assign(new Error('EIO: i/o error, read'), {code: 'EIO', syscall: 'read'});
  const got = readSync(fd, buffer, offset, Math.min(length, good), position);
  good -= got;
  return got;
}

function readBy(reader: typeof readSync): void {
  fs.readSync = reader;
  syncBuiltinESMExports();
}

let dir = '';
beforeAll(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'pinscope-read-error-'));
  readBy(failing as typeof readSync);
});
afterAll(() => {
  readBy(readSync);
  rmSync(dir, {recursive: true});
});

async function readUntilItFails(bytes: Buffer, readable: number): Promise<{length: number; cut: string | undefined}> {
  const file = path.join(dir, 'trace');
  writeFileSync(file, bytes);
  good = readable;
  const input = await openInput(file);
  let length = 0;
  for (let chunk = await input.next(); chunk !== null; chunk = await input.next()) length += chunk.length;
  const {cut} = input;
  input.close();
  return {length, cut};
}

it('is read up to the error, and the error is told', async () => {
  expect(await readUntilItFails(Buffer.alloc(4 << 20, 97), 3_000_000)).toEqual({
    length: 3_000_000,
    cut: 'read error after 3000000 bytes: the device reports a read error',
  });
});

it('is told as such in a compressed file too, not as damaged data', async () => {
  const lines = Array.from({length: 200_000}, (_, i) => `${i * 7919} a line\n`).join('');
  const packed = gzipSync(lines);
  const {length, cut} = await readUntilItFails(packed, Math.floor(packed.length / 2));
  expect(cut).toBe(`read error after ${Math.floor(packed.length / 2)} bytes: the device reports a read error`);
  expect(length).toBeGreaterThan(lines.length / 4);
  expect(length).toBeLessThan(lines.length);
});
