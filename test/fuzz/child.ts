/**
 * Runs cases for scripts/fuzz.mjs, which watches and ends it when one takes too long. The first message tells what to
 * do; before and after each case one goes back.
 */
import {mkdtempSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {check} from './check.js';
import {makeCase} from './mutate.js';
import {Random} from './random.js';
import {damagedRecording} from './mutate-bytes.js';
import {FUZZ_FORMS, type FuzzForm, readRecordings, readSeeds} from './seeds.js';

/** CPU time that a case may take, whatever it holds, and for each of its bytes: a hundred times what is usual. */
const FREE_MS = 5000;
const MS_A_BYTE = 0.02;

interface Order {
  seed: number;
  cases: number;
  forms: FuzzForm[];
  traces: string;
  /** write the inputs here instead of running them */
  save: string | undefined;
}

process.once('message', (order: Order) => void run(order));

async function run({seed, cases, forms, traces, save}: Order): Promise<void> {
  const seeds = readSeeds(traces);
  const recordings = readRecordings(traces);
  const wanted = forms.length > 0 ? forms : FUZZ_FORMS;
  const dir = save ?? mkdtempSync(path.join(tmpdir(), 'pinscope-fuzz-'));
  process.once('exit', () => save ?? rmSync(dir, {recursive: true, force: true}));
  for (let at = seed; at < seed + cases; at++) {
    const random = new Random(at);
    const form = random.of(wanted);
    const recorded = recordings.get(form);
    const inputs = recorded ? [damagedRecording(random, random.of(recorded))] : makeCase(random, seeds, form);
    const files = inputs.map((bytes, i) => {
      const file = path.join(dir, `case-${i}.txt`);
      writeFileSync(file, bytes);
      return file;
    });
    if (save !== undefined) break;
    process.send!({at, form});
    const bytes = files.reduce((sum, file) => sum + statSync(file).size, 0);
    const before = process.cpuUsage();
    try {
      const outcome = await check(files, at % 6, random);
      const {user, system} = process.cpuUsage(before);
      const ms = (user + system) / 1000;
      if (ms > FREE_MS + bytes * MS_A_BYTE) throw new Error(`${ms.toFixed(0)} ms of CPU for ${bytes} bytes`);
      process.send!({at, outcome});
    } catch (error) {
      process.send!({at, form, failure: error instanceof Error ? (error.stack ?? error.message) : String(error)});
    }
  }
  process.exit(0);
}
