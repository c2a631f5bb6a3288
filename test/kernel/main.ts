/**
 * Recorders on real kernels: boots Debian's stock kernels in QEMU, records right and wrong work there with what
 * `pinscope record --print` writes, and checks that pinscope finds exactly the wrong deeds.
 *
 *   npm run test:kernel                     Debian's 6.1, 6.12 and 7.3 on x86-64 and 6.12 on arm64, every recorder, every round
 *   npm run test:kernel -- --ci             one kernel, tracefs only, a few kills
 *   npm run test:kernel -- --kernel 7.3,6.12-arm64 --with tracefs,perf --round record
 *   npm run test:kernel -- --cost           only measures what a recording costs (docs/recording.md)
 *
 * Rounds: `record` (the whole work with each recorder), `kill` (recordings that are ended in every rude way), `options`
 * (stacks, one process, a time, some rules, too small buffers), `node` (pinscope record itself), `scsi` (as record, on a
 * virtio and a MegaRAID host), `bounce` (as record, with swiotlb=force), `retry` (as record, with reads
 * that fail and are issued again), `storm` (random correct work of several threads with each recorder and each
 * seed of --seed).
 *
 * Kernels: 5.10, 6.1, 6.12, 6.16, 6.18, 7.2, 7.3, 6.12-rt, 7.3-rt (PREEMPT_RT), 6.12-arm64, 6.12-arm64-16k (pages of 16 KiB), 7.3-arm64.
 *
 * Status 0: all as it must be; 1: not; 77: something could not be tried here (said in the last lines), the rest is right.
 */
import {spawnSync} from 'node:child_process';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {parseArgs} from 'node:util';
import {defaultOptions, RECORDERS, type Recorder} from '../../src/record/options.js';
import {recordingScript} from '../../src/record/script.js';
import {failures, guestFile, result} from './check.js';
import {buildDisk, testModule} from './image.js';
import {testKills} from './kills.js';
import {testNode} from './node.js';
import {testOptions} from './option-round.js';
import {needHostTools, Skip, stockKernel, TARGETS, toolsRoot, type Kernel, type Target} from './packages.js';
import {runGuest} from './qemu.js';
import {BOUNCE, RETRY, SCSI, testRecorders} from './recorders.js';
import {testStorm} from './storm.js';

const ROUNDS = ['record', 'kill', 'options', 'node', 'scsi', 'bounce', 'retry', 'storm'] as const;
type Round = (typeof ROUNDS)[number];

/** What could not be tried here, and why. */
const wanting: string[] = [];

/** Prints instructions for one pin, DMA mapping and unpin of a page, without and with a recording. */
async function measureCost(kernel: Kernel): Promise<void> {
  const all = defaultOptions('tracefs', 'test');
  const guest = await runGuest({
    kernel,
    name: `cost-${kernel.target}`,
    files: {
      'scenario.sh': guestFile('cost.sh'),
      'common.sh': guestFile('common.sh'),
      'record-all.sh': recordingScript(all),
      'record-one-rule.sh': recordingScript({...all, rules: ['long-pin']}),
      'record-stacks.sh': recordingScript({...all, stacks: true}),
    },
    counted: true,
    patience: 500,
  });
  console.log(`${kernel.release}, instructions:\n${readFileSync(join(guest.out, 'scenario.log'), 'utf8')}`);
}

/** `sh -n`, dash and busybox read every script; shellcheck too where it is installed. */
function testSyntax(): void {
  for (const recorder of RECORDERS) {
    const input = recordingScript({...defaultOptions(recorder, 'test'), stacks: true, pids: [1], seconds: 5});
    const wrong: string[] = [];
    for (const [shell, ...args] of [
      ['sh', '-n'],
      ['dash', '-n'],
      ['busybox', 'sh', '-n'],
      ['shellcheck', '-s', 'sh', '-'],
    ]) {
      const run = spawnSync(shell!, args, {input, encoding: 'utf8'});
      if (run.error !== undefined) continue; // not installed
      if (run.status !== 0) wrong.push(`${shell}: ${(run.stderr + run.stdout).trim().slice(0, 500)}`);
    }
    result(wrong.length === 0, `${recorder}: clean under the shells that are here`, wrong);
  }
}

/** The words of a comma list that are among those that there are; a word that is not is an error. */
function pick<T extends string>(list: string, all: readonly T[]): T[] {
  return list.split(',').map((word) => {
    const known = all.find((one) => one === word);
    if (known === undefined) throw new Error(`"${word}" is none of ${all.join(', ')}`);
    return known;
  });
}

const {values} = parseArgs({
  options: {
    ci: {type: 'boolean', default: false},
    cost: {type: 'boolean', default: false},
    kernel: {type: 'string', default: '6.1,6.12,7.3,6.12-arm64'},
    with: {type: 'string', default: RECORDERS.join(',')},
    round: {type: 'string', default: ROUNDS.join(',')},
    seed: {type: 'string', default: '1,2'},
  },
});

/** A disk with the tools that these recorders are, for the guest; undefined if they need none. */
function toolsDisk(target: Target, recorders: readonly Recorder[]): string | undefined {
  const packages = recorders
    .filter((name) => name !== 'tracefs')
    .map((name) => (name === 'perf' ? 'linux-perf' : name));
  return packages.length > 0 ? buildDisk('tools', 1500, toolsRoot(target, packages)) : undefined;
}

/** All rounds on one kernel. */
async function testKernel(
  target: Target,
  recorders: readonly Recorder[],
  rounds: readonly Round[],
  moments: readonly number[],
): Promise<void> {
  const kernel = stockKernel(target);
  if (values.cost) return measureCost(kernel);
  const tools = toolsDisk(target, recorders);
  const module = testModule(kernel);
  if (typeof module !== 'string') wanting.push(`${target}: only right work, for ${module.message}`);
  /* eslint-disable no-await-in-loop */
  for (const round of rounds) {
    if (round === 'storm') await testStorm(kernel, recorders, tools, values.seed.split(',').map(Number));
    else if (round === 'record') await testRecorders(kernel, recorders, tools);
    else if (round === 'bounce') await testRecorders(kernel, recorders, tools, BOUNCE);
    else if (round === 'retry') await testRecorders(kernel, recorders, tools, RETRY);
    else if (round === 'scsi') for (const host of SCSI) await testRecorders(kernel, recorders, tools, host);
    // what follows is of the scripts, and wants mistakes of the module's to be found or lost
    else if (typeof module !== 'string') wanting.push(`${target}: not the round ${round}`);
    else if (round === 'kill') await testKills(kernel, moments, recorders, tools);
    else if (round === 'options') await testOptions(kernel, recorders, tools);
    // the Node that there is runs on this machine's architecture only
    else if (kernel.arch === 'amd64') await testNode(kernel);
  }
  /* eslint-enable no-await-in-loop */
}

try {
  // 6.12 has the dma tracepoints and pins direct I/O: more of what users record is tried by it than by 6.1
  const targets = values.ci ? (['6.12'] as const) : pick(values.kernel, Object.keys(TARGETS) as Target[]);
  const recorders = values.ci ? (['tracefs'] as const) : pick(values.with, RECORDERS);
  const rounds = values.ci ? (['record', 'kill'] as const) : pick(values.round, ROUNDS);
  const moments = values.ci ? [300, 2500] : [100, 600, 1200, 2500];
  needHostTools(targets);
  testSyntax();
  // one guest at a time: each has as many CPUs as there may be here
  for (const target of targets) {
    try {
      // eslint-disable-next-line no-await-in-loop
      await testKernel(target, recorders, rounds, moments);
    } catch (error) {
      if (!(error instanceof Skip)) throw error;
      wanting.push(`${target}: ${error.message}`);
    }
  }
  for (const line of wanting) console.log(`test:kernel: not tried: ${line}`);
  console.log(failures() === 0 ? 'test:kernel: all as it must be' : `test:kernel: ${failures()} failed`);
  if (failures() > 0) process.exitCode = 1;
  else process.exitCode = wanting.length > 0 ? 77 : 0;
} catch (error) {
  if (!(error instanceof Skip)) throw error;
  console.log(`test:kernel: skipped: ${error.message}`);
  process.exitCode = 77;
}
