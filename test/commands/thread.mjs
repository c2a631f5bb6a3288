/** The built program in a thread: a command line and its input in, what it printed and its exit status out. */
import {Readable, Writable} from 'node:stream';
import {parentPort, workerData} from 'node:worker_threads';

const {main, done, port} = workerData;

/** A stream in place of the process's own that keeps what is written; answers what hands it out. */
function keep(name) {
  let chunks = [];
  const stream = new Writable({
    write(chunk, _encoding, written) {
      chunks.push(chunk);
      written();
    },
  });
  stream.setMaxListeners(0); // each run adds its own
  Object.defineProperty(process, name, {value: stream});
  return () => {
    const text = Buffer.concat(chunks).toString('utf8');
    chunks = [];
    return text;
  };
}

const stdout = keep('stdout');
const stderr = keep('stderr');
const program = await import(main);

async function run({args, input}) {
  const stdin = Readable.from(input.length === 0 ? [] : [Buffer.from(input)]);
  Object.defineProperty(process, 'stdin', {value: stdin, configurable: true});
  process.argv = [process.argv[0], 'pinscope', ...args];
  process.exitCode = undefined;
  await program.main();
  // a process would end here, and they with it
  for (const event of ['uncaughtException', 'exit']) process.removeAllListeners(event);
  return {status: process.exitCode ?? 0, stdout: stdout(), stderr: stderr()};
}

parentPort.on('message', async (line) => {
  port.postMessage(await run(line));
  Atomics.store(done, 0, 1);
  Atomics.notify(done, 0);
});
