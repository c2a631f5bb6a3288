/** The round of random correct work: nothing that pinscope says of it for sure may be a mistake. */
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {defaultOptions} from '../../src/record/options.js';
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
/** Notes on what is long, and on 6.1 direct I/O under plain references. */
const SAID = new Set(['long-pin', 'dma-without-pin']);

function wrong({verdict, rule, kind}: Finding): boolean {
  return verdict === 'sure' && !SAID.has(rule) && !(OF_FILES.has(rule) && kind !== 'anonymous');
}

export async function testStorm(kernel: Kernel, seeds: readonly number[]): Promise<void> {
  const guest = await runGuest({
    kernel,
    name: `storm-${kernel.target}`,
    files: {
      'scenario.sh': `SEEDS='${seeds.join(' ')}'\nSECONDS_EACH=${SECONDS}\n${guestFile('storm.sh')}`,
      'common.sh': guestFile('common.sh'),
      'record.sh': recordingScript(defaultOptions('tracefs', 'test')),
    },
    patience: 300 + 200 * seeds.length,
  });
  const log = readFileSync(join(guest.out, 'scenario.log'), 'utf8');
  for (const seed of seeds) {
    const title = `${kernel.target} storm ${seed}`;
    if (!log.includes(`status ${seed} 0\n`)) {
      result(false, `${title}: the recording`, log.trim().split('\n').slice(-3));
      continue;
    }
    const {findings, summary, inputs} = analyze(join(guest.out, `${seed}.trace`));
    const told = findings.filter(wrong);
    result(told.length === 0, `${title}: nothing is wrong for sure`, [
      `${inputs[0]?.events} events, ${summary.pins} pins, ${summary.dma_windows} DMA mappings; ${findings.length} findings`,
      ...told.slice(0, 10).map((f) => `${f.id} ${f.rule} on ${f.pages[0]?.pfn}: ${f.message.slice(0, 160)}`),
    ]);
  }
}
