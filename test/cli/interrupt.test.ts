import {spawn} from 'node:child_process';
import {existsSync, mkdtempSync, readFileSync, readdirSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {afterEach, beforeEach, describe, expect, it} from 'vitest';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'pinscope-interrupt-'));
});
afterEach(() => rmSync(dir, {recursive: true}));

/** Reads an endless input, as a run does, and writes how it ended into `report`. */
const body = (source: string): string => `
  const {watchInterrupts} = await import(${JSON.stringify(path.resolve('src/cli/interrupt.ts'))});
  const {openInput} = await import(${JSON.stringify(path.resolve('src/io/open-input.ts'))});
  const {openOutput} = await import(${JSON.stringify(path.resolve('src/io/output.ts'))});
  const watch = watchInterrupts();
  const output = await openOutput(process.argv[1] + '/report');
  await output.write('half');
  const input = await openInput(${JSON.stringify(source)});
  console.log('reading');
  while (!watch.signal.aborted || process.argv[2] === 'deaf') await input.next();
  await output.write(' stopped by ' + watch.signal.reason);
  await output.commit();
  watch.release();
  process.exit(0);`;

/** Runs it, sends the signals one after another, and tells how it ended. */
async function run(
  signals: NodeJS.Signals[],
  deaf: boolean,
): Promise<{code: number | null; signal: string | null; stderr: string}> {
  const args = ['--import', 'tsx', '--input-type=module', '-e', body('/dev/zero'), dir, deaf ? 'deaf' : ''];
  const child = spawn(process.execPath, args);
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const ended = new Promise<[number | null, string | null]>((done) => {
    child.on('close', (code, signal) => done([code, signal]));
  });
  await new Promise((done) => child.stdout.once('data', done));
  for (const signal of signals) {
    child.kill(signal);
    // one that is not heard of yet would take the next with it
    await expect.poll(() => stderr !== '' || child.exitCode !== null || child.signalCode !== null).toBe(true);
  }
  const [code, signal] = await ended;
  return {code, signal, stderr};
}

describe.each(['SIGINT', 'SIGTERM'] as const)('%s', (name) => {
  it('once asks the run to stop, and what it has is written', async () => {
    const {code, stderr} = await run([name], false);
    expect(code).toBe(0);
    expect(readFileSync(path.join(dir, 'report'), 'utf8')).toBe(`half stopped by ${name}`);
    expect(stderr).toBe(`pinscope: ${name}: stopping; the report will cover what was read (again: end at once)\n`);
  });

  it('twice ends it, and nothing half-written stays', async () => {
    const {signal} = await run([name, name], true);
    expect(signal).toBe(name);
    expect(existsSync(path.join(dir, 'report'))).toBe(false);
    expect(readdirSync(dir)).toEqual([]);
  });
});
