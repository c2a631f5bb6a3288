/** The round that tries the options of a recording script: stacks, processes, a time, rules, a dry run, and buffers too small. */
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {defaultOptions, type Recorder} from '../../src/record/options.js';
import {recordingScript} from '../../src/record/script.js';
import type {Report} from '../../src/results/report.js';
import {checkRecording, guestFile, result} from './check.js';
import {concerns, parseDeeds} from './judge.js';
import type {Kernel} from './packages.js';
import {READS_PER_SECOND, runGuest} from './qemu.js';

const RULE = 'unpin-while-dma';

/** Every early unpin must be shown with the stack that the test module made it in. */
function checkStacks(report: Report, title: string): void {
  const early = report.findings.filter((finding) => finding.rule === RULE);
  const without = early.filter(
    (finding) => !finding.stacks.some(({frames}) => frames.some((frame) => /pinbad/.test(frame))),
  );
  result(early.length > 0 && without.length === 0, `${title}: stacks lead to the driver`, [
    ...without.slice(0, 2).map((finding) => `${finding.id}: ${JSON.stringify(finding.stacks).slice(0, 300)}`),
  ]);
}

/** What was lost must be counted in the report as in the recording, and leave nothing sure that it concerns. */
function checkLosses(out: string, report: Report, title: string): void {
  const text = (file: string) => readFileSync(join(out, `lossy-tracefs.${file}`), 'utf8');
  const lost = Number(/^# pinscope-record: lost=(\d+)$/m.exec(text('trace'))?.[1] ?? 0);
  const told = report.quality.filter(({id}) => id === 'lost-events').reduce((sum, {count}) => sum + count, 0);
  result(lost > 0 && told === lost, `${title}: the report counts what was lost`, [`${told} of ${lost} events`]);
  const across = parseDeeds(text('deeds')).find(({name}) => name === 'ACROSS_LOSS');
  const finding = report.findings.find(
    (one) => one.rule === RULE && across !== undefined && concerns(one, across).length > 0,
  );
  result(finding?.verdict === 'possible', `${title}: a pin before the loss and its unpin after it are only possible`, [
    `${finding?.verdict}: ${finding?.reason}`,
  ]);
}

/** One guest for the options of each recorder. */
export async function testOptions(
  kernel: Kernel,
  recorders: readonly Recorder[],
  tools: string | undefined,
): Promise<void> {
  const files = Object.fromEntries(
    recorders.map((recorder) => [`record-${recorder}.sh`, recordingScript(defaultOptions(recorder, 'test'))]),
  );
  const guest = await runGuest({
    kernel,
    name: `options-${kernel.target}`,
    files: {
      'scenario.sh': `RECORDERS='${recorders.join(' ')}'\n${guestFile('variants.sh')}`,
      'common.sh': guestFile('common.sh'),
      ...files,
    },
    readsPerSecond: READS_PER_SECOND,
    patience: 1200 + 600 * recorders.length,
    ...(tools === undefined ? {} : {tools}),
  });
  console.log(`${kernel.release}: tried the options in ${guest.seconds.toFixed(0)} s`);
  const log = readFileSync(join(guest.out, 'scenario.log'), 'utf8');
  const outcome = {kernel, out: guest.out, log};
  for (const recorder of recorders) {
    const dry = readFileSync(join(guest.out, `dry-${recorder}.said`), 'utf8');
    result(
      log.includes(`status dry-${recorder} 0`) && !log.includes(`dry-${recorder}: left`) && /would record: /.test(dry),
      `${kernel.target} dry-${recorder}: says what could be recorded, and records nothing`,
      dry.split('\n').slice(-3),
    );
    const stacks = checkRecording(outcome, `stacks-${recorder}`);
    if (stacks !== undefined) checkStacks(stacks, `${kernel.target} stacks-${recorder}`);
    checkRecording(outcome, `pid-${recorder}`, {part: 'process'});
  }
  checkRecording(outcome, 'rules-tracefs', {rules: [RULE]});
  const lossy = checkRecording(outcome, 'lossy-tracefs');
  if (lossy !== undefined) checkLosses(guest.out, lossy, `${kernel.target} lossy-tracefs`);
}
