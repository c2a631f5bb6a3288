/** pinscope as a user runs it, on the sample traces. */
import {spawnSync} from 'node:child_process';
import {readFileSync} from 'node:fs';
import path from 'node:path';
import {gunzipSync} from 'node:zlib';
import {Ajv, type AnySchemaObject} from 'ajv';

const RUN = path.resolve('bin/run.js');

export interface Ended {
  status: number | null;
  stdout: string;
  stderr: string;
}

export function pinscope(args: readonly string[], input: string | Buffer = ''): Ended {
  const {status, stdout, stderr} = spawnSync(process.execPath, [RUN, ...args], {
    input,
    encoding: 'utf8',
    timeout: 60_000,
    maxBuffer: 1 << 28,
    env: {...process.env, NO_COLOR: '1'},
  });
  return {status, stdout, stderr};
}

/** What `--json` prints. */
export function json<T>(...args: string[]): T {
  const {stdout, stderr} = pinscope([...args, '--json']);
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout) as T;
}

/** What the published schema has against a value; empty when it is as promised. */
export function against(schema: string, value: unknown): string {
  const ajv = new Ajv({allErrors: true, strictTypes: false});
  ajv.validate(JSON.parse(readFileSync(path.join('schema', schema), 'utf8')) as AnySchemaObject, value);
  return ajv.errors === null || ajv.errors === undefined ? '' : ajv.errorsText(ajv.errors);
}

export function sample(name: string): string {
  return path.join('sample-traces', `${name}.txt.gz`);
}

/** Lines of a sample, `lines[n - 1]` being line n. */
export function linesOf(name: string): string[] {
  return gunzipSync(readFileSync(sample(name)))
    .toString('utf8')
    .split('\n');
}
