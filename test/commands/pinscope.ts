/**
 * pinscope as a user runs it, on the sample traces: the built program and its whole command line. It runs in a thread
 * that stays, because Node's start and code that V8 has not compiled yet cost more than most of these runs. What needs
 * a process of its own (signals, pipes, a closed output) starts one.
 */
import {readFileSync} from 'node:fs';
import path from 'node:path';
import {pathToFileURL} from 'node:url';
import {MessageChannel, receiveMessageOnPort, Worker} from 'node:worker_threads';
import {gunzipSync} from 'node:zlib';
import {Ajv, type AnySchemaObject} from 'ajv';

/** Longer than any run here takes, even where other tests run beside it. */
const TIMEOUT_MS = 60_000;

export interface Ended {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** Runs a command line; `input` is standard input. */
export function pinscope(args: readonly string[], input: string | Uint8Array = ''): Ended {
  return (thread ??= new Thread()).run(args, Buffer.from(input));
}

let thread: Thread | undefined;

class Thread {
  /** 1 when a run has ended. */
  private readonly done = new Int32Array(new SharedArrayBuffer(4));
  private readonly worker: Worker;
  private readonly port;

  constructor() {
    const {port1, port2} = new MessageChannel();
    this.port = port1;
    const main = pathToFileURL(path.resolve('dist/main.js')).href;
    this.worker = new Worker(new URL('thread.mjs', import.meta.url), {
      workerData: {main, done: this.done, port: port2},
      transferList: [port2],
      env: {...process.env, NO_COLOR: '1'},
      // not passed on to ours: the thread has streams of its own making
      stdout: true,
      stderr: true,
    });
    this.worker.unref();
    port1.unref();
  }

  run(args: readonly string[], input: Uint8Array): Ended {
    Atomics.store(this.done, 0, 0);
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- that is for windows
    this.worker.postMessage({args, input});
    if (Atomics.wait(this.done, 0, 0, TIMEOUT_MS) === 'timed-out') throw new Error(`no end: ${args.join(' ')}`);
    return receiveMessageOnPort(this.port)!.message as Ended;
  }
}

/** What `--json` prints. */
export function json<T>(...args: string[]): T {
  const {stdout, stderr} = pinscope([...args, '--json']);
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout) as T;
}

const ajv = new Ajv({allErrors: true, strictTypes: false});

/** What the published schema has against a value; empty when it is as promised. */
export function against(schema: string, value: unknown): string {
  const file = path.resolve('schema', schema);
  const known = ajv.getSchema(file);
  if (known === undefined) ajv.addSchema(JSON.parse(readFileSync(file, 'utf8')) as AnySchemaObject, file);
  ajv.validate(file, value);
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
