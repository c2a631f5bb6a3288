/**
 * Recorders on real kernels: boots Debian's stock kernels in QEMU, records right and wrong work there with what
 * `pinscope record --print` writes, and checks that pinscope finds exactly the wrong deeds.
 *
 *   npm run test:kernel                     both kernels, every recorder, and recordings that are killed
 *   npm run test:kernel -- --ci             one kernel, tracefs only, a few kills
 *   npm run test:kernel -- --kernel 6.12 --with tracefs,perf
 *   npm run test:kernel -- --cost           only measures what a recording costs (docs/recording.md)
 *
 * Status 0: all as it must be; 1: not; 77: what it needs cannot be had here (said in the last line).
 */
import {spawnSync} from 'node:child_process';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {parseArgs} from 'node:util';
import {defaultOptions, RECORDERS, type Recorder} from '../../src/record/options.js';
import {recordingScript} from '../../src/record/script.js';
import type {Report} from '../../src/report/types.js';
import {buildDisk} from './image.js';
import {judge, parseDeeds} from './judge.js';
import {needHostTools, Skip, stockKernel, toolsRoot, type Kernel} from './packages.js';
import {runGuest} from './qemu.js';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const ROOT = join(HERE, '../..');

let failures = 0;
function result(ok: boolean, what: string, more: string[] = []): void {
  if (!ok) failures++;
  console.log(`${ok ? 'ok    ' : 'FAILED'} ${what}`);
  for (const line of more) console.log(`         ${line}`);
}

function guestFile(name: string): string {
  return readFileSync(join(HERE, 'guest', name), 'utf8');
}

function scripts(recorders: readonly Recorder[]): Record<string, string> {
  return Object.fromEntries(
    recorders.map((recorder) => [`record-${recorder}.sh`, recordingScript(defaultOptions(recorder, 'test'))]),
  );
}

function analyze(trace: string): {report: Report; stderr: string} {
  const run = spawnSync(
    process.execPath,
    ['--import', 'tsx', 'bin/dev.js', 'analyze', '--json', '--severity', 'note', trace],
    {
      cwd: ROOT,
      encoding: 'utf8',
      maxBuffer: 1 << 28,
    },
  );
  if (run.status !== 0 && run.status !== 1) throw new Error(`pinscope analyze ended with ${run.status}: ${run.stderr}`);
  return {report: JSON.parse(run.stdout) as Report, stderr: run.stderr};
}

/** One guest that records with each recorder in turn. */
async function testRecorders(kernel: Kernel, recorders: readonly Recorder[], tools: string | undefined): Promise<void> {
  const guest = await runGuest({
    kernel,
    name: `record-${kernel.series}`,
    files: {
      'scenario.sh': `RECORDERS='${recorders.join(' ')}'\n${guestFile('record.sh')}`,
      'common.sh': guestFile('common.sh'),
      ...scripts(recorders),
    },
    patience: 120 + 240 * recorders.length,
    ...(tools === undefined ? {} : {tools}),
  });
  console.log(`${kernel.release}: recorded in ${guest.seconds.toFixed(0)} s`);
  const log = readFileSync(join(guest.out, 'scenario.log'), 'utf8');
  for (const recorder of recorders) {
    const name = `${kernel.series} ${recorder}`;
    const text = (file: string) => readFileSync(join(guest.out, `${recorder}.${file}`), 'utf8');
    const status = new RegExp(`^status ${recorder} (\\d+)`, 'm').exec(log)?.[1];
    if (status !== '0') {
      result(false, `${name}: the recording`, [`status ${status}`, ...text('said').trim().split('\n').slice(-5)]);
      continue;
    }
    result(log.includes(`restored after ${recorder}`), `${name}: tracing is left as it was`);
    try {
      const deeds = parseDeeds(text('deeds'));
      const {report} = analyze(join(guest.out, `${recorder}.txt`));
      const {by_rule: counts, pins, dma_windows: windows} = report.summary;
      const wrong = judge(report, deeds, kernel.series);
      const seen = Object.entries(counts).filter(([, n]) => n > 0);
      result(wrong.length === 0, `${name}: found what ${deeds.length} deeds did, and nothing else`, [
        `${report.inputs[0]?.events} events, ${pins} pins, ${windows} DMA mappings; ${seen.map(([rule, n]) => `${rule} ${n}`).join(', ')}`,
        ...wrong,
      ]);
      result(report.inputs[0]?.unrecognised.count === 0, `${name}: every line was understood`, [
        ...(report.inputs[0]?.unrecognised.first ?? [])
          .slice(0, 3)
          .map((line) => `line ${line.line}: ${line.text.slice(0, 120)}`),
      ]);
    } catch (error) {
      result(false, `${name}: the analysis`, [String(error).slice(0, 600)]);
    }
  }
}

/** One guest whose recordings are ended in every rude way. */
async function testKills(kernel: Kernel, moments: string): Promise<void> {
  const guest = await runGuest({
    kernel,
    name: `kill-${kernel.series}`,
    files: {
      'scenario.sh': `MOMENTS='${moments}'\n${guestFile('kill.sh')}`,
      'common.sh': guestFile('common.sh'),
      ...scripts(['tracefs']),
    },
    patience: 900,
  });
  console.log(`${kernel.release}: killed recordings in ${guest.seconds.toFixed(0)} s`);
  const lines = readFileSync(join(guest.out, 'scenario.log'), 'utf8').split('\n');
  const restored = lines.filter((line) => line.startsWith('restored '));
  const changed = lines.flatMap((line, i) => (line.startsWith('CHANGED ') ? lines.slice(i, i + 8) : []));
  const expected = 2 * 4 * moments.split(' ').length + 3;
  result(
    changed.length === 0 && restored.length === expected,
    `${kernel.series}: tracing is as it was after ${expected} ways to end`,
    [...(restored.length === expected ? [] : [`only ${restored.length} were checked`]), ...changed],
  );
  const limited = /^limit: (\d+) bytes, 1 end mark.*the command went on$/m.exec(lines.join('\n'));
  result(limited !== null && Number(limited[1]) < (1 << 20) + 65536, `${kernel.series}: the size limit holds`, [
    lines.find((line) => line.startsWith('limit:')) ?? 'no word of it',
  ]);
  result(lines.includes('duration: 1 end mark'), `${kernel.series}: the duration holds`);
  result(
    /^orphans: 1 instance, [1-9]/m.test(lines.join('\n')),
    `${kernel.series}: a killed guard leaves what the next start sweeps`,
  );
}

/** Prints instructions for one pin, DMA mapping and unpin of a page, without and with a recording. */
async function measureCost(kernel: Kernel): Promise<void> {
  const all = defaultOptions('tracefs', 'test');
  const guest = await runGuest({
    kernel,
    name: `cost-${kernel.series}`,
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

const {values} = parseArgs({
  options: {
    ci: {type: 'boolean', default: false},
    cost: {type: 'boolean', default: false},
    kernel: {type: 'string', default: '6.1,6.12'},
    with: {type: 'string', default: RECORDERS.join(',')},
  },
});

try {
  const series = values.ci ? ['6.1'] : values.kernel.split(',');
  const recorders = values.ci
    ? (['tracefs'] as const)
    : RECORDERS.filter((name) => values.with.split(',').includes(name));
  needHostTools();
  testSyntax();
  const others = values.cost
    ? []
    : recorders.filter((name) => name !== 'tracefs').map((name) => (name === 'perf' ? 'linux-perf' : name));
  const tools = others.length > 0 ? buildDisk('tools', 1000, toolsRoot(others)) : undefined;
  for (const one of series) {
    const kernel = stockKernel(one);
    if (values.cost) {
      // eslint-disable-next-line no-await-in-loop
      await measureCost(kernel);
      continue;
    }
    // eslint-disable-next-line no-await-in-loop -- guests share two emulated CPUs with everything else
    await testRecorders(kernel, recorders, tools);
    // eslint-disable-next-line no-await-in-loop
    await testKills(kernel, values.ci ? '300 2500' : '100 600 1200 2500');
  }
  console.log(failures === 0 ? 'test:kernel: all as it must be' : `test:kernel: ${failures} failed`);
  process.exitCode = failures === 0 ? 0 : 1;
} catch (error) {
  if (!(error instanceof Skip)) throw error;
  console.log(`test:kernel: skipped: ${error.message}`);
  process.exitCode = 77;
}
