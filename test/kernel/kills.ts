/** The round that ends recordings in every rude way, and looks whether tracing is as it was. */
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {defaultOptions, type Recorder} from '../../src/record/options.js';
import {recordingScript} from '../../src/record/script.js';
import {analyze, guestFile, result} from './check.js';
import type {Kernel} from './packages.js';
import {runGuest} from './qemu.js';

/** `moments`: after how many ms to end a recording with tracefs. The other recorders are ended early, and at work. */
export async function testKills(
  kernel: Kernel,
  moments: readonly number[],
  recorders: readonly Recorder[],
  tools: string | undefined,
): Promise<void> {
  const others = recorders.filter((recorder) => recorder !== 'tracefs');
  const guest = await runGuest({
    kernel,
    name: `kill-${kernel.target}`,
    files: {
      'scenario.sh': `MOMENTS='${moments.join(' ')}'\nTOOLS='${others.join(' ')}'\n${guestFile('kill.sh')}`,
      'common.sh': guestFile('common.sh'),
      ...Object.fromEntries(
        ['tracefs' as const, ...others].map((recorder) => [
          `record-${recorder}.sh`,
          recordingScript(defaultOptions(recorder, 'test')),
        ]),
      ),
    },
    patience: 1800 + 900 * others.length,
    ...(tools === undefined ? {} : {tools}),
  });
  console.log(`${kernel.release}: killed recordings in ${guest.seconds.toFixed(0)} s`);
  const log = readFileSync(join(guest.out, 'scenario.log'), 'utf8');
  const lines = log.split('\n');
  const restored = lines.filter((line) => line.startsWith('restored '));
  const wrong = lines.flatMap((line, i) => (/^(CHANGED|HUNG) /.test(line) ? lines.slice(i, i + 8) : []));
  const whole = others.filter((recorder) => recorder !== 'bpftrace');
  // two shells and four signals; three signals at two moments; then the swept one, the limits, the duration
  const expected = 2 * 4 * moments.length + 3 * 2 * others.length + 3 + whole.length;
  result(
    wrong.length === 0 && restored.length === expected,
    `${kernel.target}: tracing is as it was after ${expected} ways to end`,
    [...(restored.length === expected ? [] : [`only ${restored.length} were checked`]), ...wrong],
  );
  const limited = /^limit: (\d+) bytes, 1 end mark.*the command went on$/m.exec(log);
  result(limited !== null && Number(limited[1]) < (1 << 20) + 65536, `${kernel.target}: the size limit holds`, [
    lines.find((line) => line.startsWith('limit:')) ?? 'no word of it',
  ]);
  for (const recorder of whole) {
    const {inputs, quality} = analyze(join(guest.out, `limited-${recorder}.trace`));
    result(
      lines.includes(`limit of ${recorder}: 1 end mark`) &&
        inputs[0]!.events > 0 &&
        !quality.some(({id}) => id === 'cut-last-line'),
      `${kernel.target} ${recorder}: the size limit leaves a whole recording`,
      [`${inputs[0]!.events} events`],
    );
  }
  result(lines.includes('duration: 1 end mark'), `${kernel.target}: the duration holds`);
  result(
    /^orphans: 1 instance, [1-9]/m.test(log),
    `${kernel.target}: a killed guard leaves what the next start sweeps`,
  );
}
