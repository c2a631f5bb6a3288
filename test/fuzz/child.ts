/**
 * Runs cases for scripts/fuzz.mjs, which watches and ends it when one takes too long. The first message tells what to
 * do; before and after each case one goes back.
 */
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {check} from './check.js';
import {makeCase} from './mutate.js';
import {Random} from './random.js';
import {FUZZ_FORMS, type FuzzForm, readSeeds} from './seeds.js';

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
  const wanted = forms.length > 0 ? forms : FUZZ_FORMS;
  const dir = save ?? mkdtempSync(path.join(tmpdir(), 'pinscope-fuzz-'));
  process.once('exit', () => save ?? rmSync(dir, {recursive: true, force: true}));
  for (let at = seed; at < seed + cases; at++) {
    const random = new Random(at);
    const form = random.of(wanted);
    const files = makeCase(random, seeds, form).map((bytes, i) => {
      const file = path.join(dir, `case-${i}.txt`);
      writeFileSync(file, bytes);
      return file;
    });
    if (save !== undefined) break;
    process.send!({at, form});
    try {
      process.send!({at, outcome: await check(files, at % 6)});
    } catch (error) {
      process.send!({at, form, failure: error instanceof Error ? (error.stack ?? error.message) : String(error)});
    }
  }
  process.exit(0);
}
