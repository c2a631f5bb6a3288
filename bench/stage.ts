/** One stage of an analysis, for bench/stages.mjs: `stage.mjs STAGE FILE` does it and prints its CPU time in µs. */
import {readsRecords, type TraceReader} from '../parsers/form.js';
import {readSync, openSync, closeSync} from 'node:fs';
import {detect} from '../parsers/detect.js';
import {TimeBase} from '../src/base/time.js';
import {RandomFile} from '../src/io/random-access.js';
import type {EventSink} from '../src/events/event.js';
import {judgesOf} from '../src/run/analyze.js';
import {readTraces} from '../src/run/read.js';

const CHUNK = 1 << 20;
const [stage, file] = process.argv.slice(2) as [string, string];

function* chunks(): Generator<Buffer> {
  const fd = openSync(file, 'r');
  const buffer = Buffer.alloc(CHUNK);
  for (let n; (n = readSync(fd, buffer, 0, CHUNK, null)) > 0;) yield buffer.subarray(0, n);
  closeSync(fd);
}

const DEAF: EventSink = {
  event() {},
  stackBegin: () => false,
  stackFrame() {},
  stackEnd() {},
  loss() {},
  fact() {},
};

const reading = {traces: [file], from: undefined, kernel: undefined, pageShift: undefined, vmemmap: undefined};

switch (stage) {
  case 'read':
    for (const chunk of chunks()) if (chunk.length === 0) throw new Error('an empty chunk');
    break;
  case 'lines': {
    let reader: TraceReader | undefined;
    for (const chunk of chunks()) {
      if (!reader) {
        const found = detect(chunk, undefined);
        if (found.outcome !== 'read') throw new Error(found.message);
        if (readsRecords(found.form)) {
          const recording = await found.form.openFile(RandomFile.open(file));
          const records = recording.reader(DEAF, {input: 0, time: new TimeBase()});
          while (records.step(20_000));
          records.end();
          break;
        }
        reader = found.form.open(DEAF, {input: 0, time: new TimeBase()});
      }
      reader.push(chunk, chunk.length);
    }
    reader?.end();
    break;
  }
  case 'ledger':
    await readTraces(reading, () => []);
    break;
  case 'rules':
  case 'near-misses': {
    const judging = {rules: [], longPin_ns: 1e9};
    await readTraces(reading, (ledger) => {
      const {listeners, nearMisses} = judgesOf(ledger, judging);
      return stage === 'rules' ? listeners.filter((l) => l !== nearMisses) : listeners;
    });
    break;
  }
}
const {user, system} = process.cpuUsage();
console.log(user + system);
