/** The round of random correct work: nothing that pinscope says of it for sure may be a mistake. */
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {defaultOptions, type Recorder} from '../../src/record/options.js';
import {recordingScript} from '../../src/record/script.js';
import type {Finding} from '../../src/results/report.js';
import {analyze, guestFile, result} from './check.js';
import type {Kernel} from './packages.js';
import {runGuest} from './qemu.js';

/** How long each storm lasts, in the guest's seconds. */
const SECONDS = 20;

/** What the work does do: its files are written back, and synced, while pages of them are pinned for reads. */
const OF_FILES = new Set([
  'writeback-while-pinned',
  'writeback-while-dma',
  'dirty-after-writeback',
  'dirty-after-unpin',
]);
/** Notes on what is long, and on 6.1 and before direct I/O under plain references. */
const SAID = new Set(['long-pin', 'dma-without-pin']);

function wrong({verdict, rule, kind}: Finding): boolean {
  return verdict === 'sure' && !SAID.has(rule) && !(OF_FILES.has(rule) && kind !== 'anonymous');
}

/** One guest that records the storms of all seeds with each recorder in turn. */
export async function testStorm(
  kernel: Kernel,
  recorders: readonly Recorder[],
  tools: string | undefined,
  seeds: readonly number[],
): Promise<void> {
  const settings = [`RECORDERS='${recorders.join(' ')}'`, `SEEDS='${seeds.join(' ')}'`, `SECONDS_EACH=${SECONDS}`];
  const guest = await runGuest({
    kernel,
    name: `storm-${kernel.target}`,
    files: {
      'scenario.sh': `${settings.join('\n')}\n${guestFile('storm.sh')}`,
      'common.sh': guestFile('common.sh'),
      ...Object.fromEntries(
        recorders.map((recorder) => [`record-${recorder}.sh`, recordingScript(defaultOptions(recorder, 'test'))]),
      ),
    },
    patience: 300 + 600 * seeds.length * recorders.length,
    ...(tools === undefined ? {} : {tools}),
  });
  const log = readFileSync(join(guest.out, 'scenario.log'), 'utf8');
  for (const name of recorders.flatMap((recorder) => seeds.map((seed) => `${recorder}-${seed}`))) {
    const title = `${kernel.target} storm ${name}`;
    if (!log.includes(`status ${name} 0\n`)) {
      const said = readFileSync(join(guest.out, `${name}.said`), 'utf8');
      result(false, `${title}: the recording`, said.trim().split('\n').slice(-3));
      continue;
    }
    const {findings, summary, inputs} = analyze(join(guest.out, `${name}.trace`));
    const told = findings.filter(wrong);
    result(told.length === 0, `${title}: nothing is wrong for sure`, [
      `${inputs[0]?.events} events, ${summary.pins} pins, ${summary.dma_windows} DMA mappings; ${findings.length} findings`,
      ...told.slice(0, 10).map((f) => `${f.id} ${f.rule} on ${f.pages[0]?.pfn}: ${f.message.slice(0, 160)}`),
    ]);
  }
}
