/** The round that records the whole work with each recorder. */
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {defaultOptions, type Recorder} from '../../src/record/options.js';
import {recordingScript} from '../../src/record/script.js';
import {checkRecording, guestFile} from './check.js';
import {testModule} from './image.js';
import type {Kernel} from './packages.js';
import {READS_PER_SECOND, runGuest} from './qemu.js';

/** One guest that records with each recorder in turn. */
export async function testRecorders(
  kernel: Kernel,
  recorders: readonly Recorder[],
  tools: string | undefined,
): Promise<void> {
  const guest = await runGuest({
    kernel,
    name: `record-${kernel.target}`,
    files: {
      'scenario.sh': `RECORDERS='${recorders.join(' ')}'\n${guestFile('record.sh')}`,
      'common.sh': guestFile('common.sh'),
      ...Object.fromEntries(
        recorders.map((recorder) => [`record-${recorder}.sh`, recordingScript(defaultOptions(recorder, 'test'))]),
      ),
    },
    readsPerSecond: READS_PER_SECOND,
    patience: 600 + 600 * recorders.length,
    ...(tools === undefined ? {} : {tools}),
  });
  console.log(`${kernel.release}: recorded in ${guest.seconds.toFixed(0)} s`);
  const log = readFileSync(join(guest.out, 'scenario.log'), 'utf8');
  for (const recorder of recorders) {
    const part = typeof testModule(kernel) === 'string' ? 'all' : 'right';
    checkRecording({kernel, out: guest.out, log}, recorder, {part});
  }
}
