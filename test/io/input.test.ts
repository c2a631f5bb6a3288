import {execFileSync, spawn} from 'node:child_process';
import {createHash} from 'node:crypto';
import {
  appendFileSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {afterAll, beforeAll, describe, expect, it} from 'vitest';
import type {Input} from '../../src/io/input.js';
import {openInput, openInputs} from '../../src/io/open-input.js';
import {UserError} from '../../src/io/user-error.js';
import {sampleText} from './sample-text.js';

let dir = '';
const at = (name: string): string => path.join(dir, name);
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

beforeAll(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'pinscope-input-'));
});
afterAll(() => rmSync(dir, {recursive: true}));

/** All that is left of an input. Chunks are copied: they are valid only until the next call. */
async function readAll(input: Input): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for (let chunk = await input.next(); chunk !== null; chunk = await input.next()) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

async function failure(promise: Promise<unknown>): Promise<UserError> {
  const error: unknown = await promise.then(
    () => undefined,
    (e: unknown) => e,
  );
  if (!(error instanceof UserError)) throw new Error(`expected a UserError, got ${String(error)}`);
  return error;
}

describe('a plain file', () => {
  it('is read whole, counted and hashed, whatever was looked at before', async () => {
    const text = sampleText();
    writeFileSync(at('trace'), text);
    const input = await openInput(at('trace'));
    expect(input.compression).toBe('none');
    expect(input.size).toBe(text.length);
    expect(Buffer.from(await input.peek(100))).toEqual(text.subarray(0, 100));
    expect(text.subarray(0, 1 << 20).equals(await input.peek(1 << 20))).toBe(true);
    expect((await readAll(input)).equals(text)).toBe(true);
    expect(input.bytesRead).toBe(text.length);
    expect(input.bytesOut).toBe(text.length);
    expect(input.sha256).toBe(sha256(text));
    expect(input.cut).toBeUndefined();
    input.close();
  });

  it('keeps no more than its limit for a look', async () => {
    writeFileSync(at('long'), Buffer.alloc(9 << 20, 97));
    const input = await openInput(at('long'));
    expect((await input.peek(1 << 30)).length).toBe(8 << 20);
    expect((await readAll(input)).length).toBe(9 << 20);
    input.close();
  });

  it('shorter than any magic is no error', async () => {
    writeFileSync(at('short'), 'x');
    const input = await openInput(at('short'));
    expect(Buffer.from(await input.peek(64)).toString()).toBe('x');
    expect((await readAll(input)).toString()).toBe('x');
    input.close();
  });

  it('that grows is read as long as it was, and says so', async () => {
    writeFileSync(at('growing'), Buffer.alloc(2 << 20, 97));
    const input = await openInput(at('growing'));
    appendFileSync(at('growing'), 'more');
    expect((await readAll(input)).length).toBe(2 << 20);
    expect(input.cut).toBe('the file grew from 2097152 to 2097156 bytes while it was read; the rest is unread');
    input.close();
  });

  it('that shrinks ends early, and says so', async () => {
    writeFileSync(at('shrinking'), Buffer.alloc(4 << 20, 97));
    const input = await openInput(at('shrinking'));
    truncateSync(at('shrinking'), 2 << 20);
    expect((await readAll(input)).length).toBe(2 << 20);
    expect(input.cut).toBe('the file shrank from 4194304 to 2097152 bytes while it was read');
    input.close();
  });

  it('of unknown length, as tracefs and procfs have them, is read to its end', async () => {
    const input = await openInput('/proc/self/status');
    expect(input.size).toBeNull();
    expect((await readAll(input)).toString()).toContain('Pid:');
    expect(input.cut).toBeUndefined();
    input.close();
  });
});

describe('what cannot be read', () => {
  it('is a missing file', async () => {
    const error = await failure(openInput(at('nowhere')));
    expect(error.line).toBe(`${at('nowhere')}: no such file; check the path`);
  });

  it('is a directory', async () => {
    mkdirSync(at('folder'));
    const error = await failure(openInput(at('folder')));
    expect(error.line).toBe(`${at('folder')}: is a directory; name the trace files in it`);
  });

  it('is an empty file', async () => {
    writeFileSync(at('empty'), '');
    expect((await failure(openInput(at('empty')))).line).toContain('empty: is empty; check how it was recorded');
  });

  it('is a file that the device cannot give', async () => {
    // reading from address 0 of one's own memory is a read error on the first byte
    const error = await failure(openInput('/proc/self/mem'));
    expect(error.message).toBe('nothing could be read: read error after 0 bytes: the device reports a read error');
  });

  it.skipIf(process.getuid?.() === 0)('is a file of somebody else', async () => {
    writeFileSync(at('secret'), 'x', {mode: 0o000});
    expect((await failure(openInput(at('secret')))).message).toBe('permission denied');
  });

  it('is one file too many', () => {
    // in a shell of its own: the limit would break the test runner
    const script = `
      const {openInputs} = await import(${JSON.stringify(path.resolve('src/io/open-input.ts'))});
      const paths = Array.from({length: 64}, (_, i) => process.argv[1] + '/many' + i);
      await openInputs(paths).catch((error) => console.log(error.line));`;
    for (let i = 0; i < 64; i++) writeFileSync(at(`many${i}`), 'x');
    const out = execFileSync('bash', [
      '-c',
      'ulimit -n 60; exec "$0" --import tsx --input-type=module -e "$1" "$2"',
      process.execPath,
      script,
      dir,
    ]);
    expect(out.toString()).toContain('too many open files in this process; give fewer traces at once');
  });
});

describe('several inputs', () => {
  it('may not hold the same file twice, under any name', async () => {
    writeFileSync(at('one'), 'x');
    symlinkSync(at('one'), at('other'));
    expect((await failure(openInputs([at('one'), at('one')]))).message).toBe('is given twice');
    expect((await failure(openInputs([at('one'), at('other')]))).message).toBe(`is the same file as ${at('one')}`);
    expect((await failure(openInputs(['-', '-']))).line).toBe('standard input: is given twice; give each trace once');
  });

  it('are opened in order', async () => {
    writeFileSync(at('a'), 'a');
    writeFileSync(at('b'), 'b');
    const inputs = await openInputs([at('b'), at('a')]);
    expect(inputs.map((input) => input.path)).toEqual([at('b'), at('a')]);
    for (const input of inputs) input.close();
  });
});

describe('a pipe', () => {
  it('by name is read to its end, however small the pieces', async () => {
    execFileSync('mkfifo', [at('fifo')]);
    const writer = spawn('bash', [
      '-c',
      'for i in 1 2 3 4 5 6 7 8; do printf "piece %s\n" $i; sleep 0.01; done > "$0"',
      at('fifo'),
    ]);
    const input = await openInput(at('fifo'));
    expect(input.size).toBeNull();
    expect(Buffer.from(await input.peek(20)).toString()).toBe('piece 1\npiece 2\npiec');
    expect((await readAll(input)).toString()).toBe([1, 2, 3, 4, 5, 6, 7, 8].map((i) => `piece ${i}\n`).join(''));
    expect(input.cut).toBeUndefined();
    input.close();
    writer.kill();
  });

  it('that is slow is looked at with patience, and nothing gets lost', async () => {
    execFileSync('mkfifo', [at('slow')]);
    const writer = spawn('bash', [
      '-c',
      '(echo first; until [ -e "$0.go" ]; do sleep 0.02; done; echo second) > "$0"',
      at('slow'),
    ]);
    const input = await openInput(at('slow'));
    expect(Buffer.from(await input.peek(4096, 50)).toString()).toBe('first\n');
    writeFileSync(at('slow.go'), '');
    expect((await readAll(input)).toString()).toBe('first\nsecond\n');
    input.close();
    writer.kill();
  });

  it('that gives nothing can be stopped', async () => {
    execFileSync('mkfifo', [at('idle')]);
    const writer = spawn('bash', ['-c', '(echo first; exec sleep 60) > "$0"', at('idle')]);
    const stop = new AbortController();
    const input = await openInput(at('idle'), stop.signal);
    setTimeout(() => stop.abort('SIGINT'), 50);
    expect((await readAll(input)).toString()).toBe('first\n');
    expect(input.cut).toBe('reading was stopped (SIGINT)');
    input.close();
    writer.kill();
  });

  it('that nobody writes to can be stopped before the first byte', async () => {
    execFileSync('mkfifo', [at('forgotten')]);
    const stop = new AbortController();
    setTimeout(() => stop.abort('SIGTERM'), 50);
    const error = await failure(openInput(at('forgotten'), stop.signal));
    expect(error.message).toBe('nothing could be read: reading was stopped (SIGTERM)');
  });
});

/** Only root may read it, and not in every container. */
const canReadKernelLog = ((): boolean => {
  try {
    closeSync(openSync('/dev/kmsg', 'r'));
    return true;
  } catch {
    return false;
  }
})();

describe('a file that waits for more, as trace_pipe does', () => {
  it.skipIf(!canReadKernelLog)('can be stopped, and does not keep the process from ending', () => {
    const script = `
      const {openInput} = await import(${JSON.stringify(path.resolve('src/io/open-input.ts'))});
      const stop = new AbortController();
      const input = await openInput('/dev/kmsg', stop.signal);
      setTimeout(() => stop.abort('SIGINT'), 200);
      while ((await input.next()) !== null);
      console.log(input.cut);
      process.exit(0);`;
    const args = ['--import', 'tsx', '--input-type=module', '-e', script];
    expect(execFileSync(process.execPath, args, {timeout: 40_000}).toString()).toBe('reading was stopped (SIGINT)\n');
  });
});
