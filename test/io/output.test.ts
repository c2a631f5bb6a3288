import {execFileSync, spawn, spawnSync} from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {afterEach, beforeEach, describe, expect, it} from 'vitest';
import {openOutput} from '../../src/io/output.js';
import {UserError} from '../../src/io/user-error.js';

let dir = '';
const at = (name: string): string => path.join(dir, name);

beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'pinscope-output-'));
});
afterEach(() => rmSync(dir, {recursive: true}));

async function failure(promise: Promise<unknown>): Promise<UserError> {
  const error: unknown = await promise.then(
    () => undefined,
    (e: unknown) => e,
  );
  if (!(error instanceof UserError)) throw new Error(`expected a UserError, got ${String(error)}`);
  return error;
}

/** Arguments for Node to run a piece of TypeScript that imports src/io/output.ts as `io`. */
function script(body: string): string[] {
  const io = JSON.stringify(path.resolve('src/io/output.ts'));
  return ['--import', 'tsx', '--input-type=module', '-e', `const io = await import(${io});\n${body}`];
}

describe('a file', () => {
  it('appears whole, and only at the end', async () => {
    const output = await openOutput(at('report'));
    await output.write('one\n');
    await output.write(Buffer.from('two\n'));
    expect(existsSync(at('report'))).toBe(false);
    await output.commit();
    expect(readFileSync(at('report'), 'utf8')).toBe('one\ntwo\n');
    expect(readdirSync(dir)).toEqual(['report']);
  });

  it('stays as it was when the run gives up', async () => {
    writeFileSync(at('report'), 'old');
    const output = await openOutput(at('report'));
    await output.write('new');
    await output.abort();
    expect(readFileSync(at('report'), 'utf8')).toBe('old');
    expect(readdirSync(dir)).toEqual(['report']);
  });

  it('keeps its mode, and the symbolic link that leads to it', async () => {
    mkdirSync(at('there'));
    writeFileSync(at('there/report'), 'old');
    chmodSync(at('there/report'), 0o640);
    symlinkSync('there/report', at('link'));
    const output = await openOutput(at('link'));
    await output.write('new');
    await output.commit();
    expect(lstatSync(at('link')).isSymbolicLink()).toBe(true);
    expect(readFileSync(at('there/report'), 'utf8')).toBe('new');
    expect(statSync(at('there/report')).mode & 0o777).toBe(0o640);
  });

  it('leaves nothing behind when the process ends before its time', () => {
    const result = spawnSync(
      process.execPath,
      script(
        `const output = await io.openOutput(${JSON.stringify(at('report'))}); await output.write('half'); process.exit(3);`,
      ),
    );
    expect(result.status).toBe(3);
    expect(readdirSync(dir)).toEqual([]);
  });

  it('says what is wrong with its place', async () => {
    expect((await failure(openOutput(dir))).message).toBe('is a directory');
    expect((await failure(openOutput(at('no/report')))).line).toBe(
      `${at('no/report')}: cannot write: the directory does not exist; make the directory first`,
    );
  });
});

/** Mounting needs root, and a kernel that lets it. */
const canMount =
  process.getuid?.() === 0 && spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0;

describe('a full disk', () => {
  it.skipIf(!canMount)('is told in words, and leaves nothing half-written', () => {
    const body = `
      const output = await io.openOutput('${dir}/report');
      try {
        for (let i = 0; i < 100; i++) await output.write(Buffer.alloc(65536, 97));
        await output.commit();
      } catch (error) {
        console.log(error.line);
      }
      console.log((await import('node:fs')).readdirSync('${dir}').length);`;
    const command = `mount -t tmpfs -o size=256k none '${dir}' && exec "$0" "$@"`;
    const out = execFileSync('unshare', ['-m', 'bash', '-c', command, process.execPath, ...script(body)]).toString();
    expect(out).toBe(
      `${dir}/report: cannot write: no space left on the device; make room or choose another place; no part of the output was kept\n0\n`,
    );
  });

  it('is told for a device too', async () => {
    const output = await openOutput('/dev/full');
    expect((await failure(output.write('x'))).message).toBe('cannot write: no space left on the device');
    await output.abort();
  });

  it('is told for standard output', () => {
    const body = `
      const output = await io.openOutput(undefined);
      await output.write('x').catch((error) => console.error(error.line));`;
    const result = spawnSync('bash', ['-c', 'exec "$0" "$@" >/dev/full', process.execPath, ...script(body)]);
    // what a redirection has got stays there
    expect(result.stderr.toString()).toBe(
      'standard output: cannot write: no space left on the device; make room or choose another place; what was written is not whole\n',
    );
  });
});

describe('what is no plain file', () => {
  it('is written as it is: a FIFO', async () => {
    execFileSync('mkfifo', [at('fifo')]);
    const reader = spawn('cat', [at('fifo')]);
    let got = '';
    reader.stdout.on('data', (chunk: Buffer) => (got += chunk.toString()));
    const closed = new Promise((done) => reader.on('close', done));
    const output = await openOutput(at('fifo'));
    await output.write('through\n');
    await output.commit();
    await closed;
    expect(got).toBe('through\n');
    expect(lstatSync(at('fifo')).isFIFO()).toBe(true);
  });

  it('is written as it is: /dev/stdout', () => {
    const body = `const output = await io.openOutput('/dev/stdout'); await output.write('here'); await output.commit();`;
    expect(execFileSync(process.execPath, script(body)).toString()).toBe('here');
  });
});

describe('a reader that goes away', () => {
  it('ends the writing quietly', () => {
    const body = `
      const output = await io.openOutput(undefined);
      for (let i = 0; i < 50; i++) await output.write('a line\\n'.repeat(10000));
      await output.commit();
      console.error('closed: ' + output.closed);
      process.exitCode = 1;`;
    const result = spawnSync('bash', [
      '-c',
      '"$0" "$@" | head -1; echo "status ${PIPESTATUS[0]}"',
      process.execPath,
      ...script(body),
    ]);
    expect(result.stdout.toString()).toBe('a line\nstatus 1\n');
    expect(result.stderr.toString()).toBe('closed: true\n');
  });

  it('does not lose a byte when it is only slow', () => {
    const body = `
      const output = await io.openOutput(undefined);
      for (let i = 0; i < 20; i++) await output.write('x'.repeat(100000));
      await output.commit();`;
    const result = spawnSync('bash', ['-c', '"$0" "$@" | (sleep 0.3; wc -c)', process.execPath, ...script(body)]);
    expect(result.stdout.toString().trim()).toBe('2000000');
  });
});
