/** From options to the text of a script. */
import {choose, type RecordOptions, type Recorder} from './options.js';
import {tracefsScript} from './tracefs.js';
import type {Choice} from './options.js';

const WRITERS: Partial<Record<Recorder, (options: RecordOptions, choice: Choice) => string>> = {
  tracefs: tracefsScript,
};

/** A stand-alone script for a machine without Node. */
export function recordingScript(options: RecordOptions): string {
  const write = WRITERS[options.recorder];
  if (write === undefined) throw new Error(`no ${options.recorder} recorder`);
  return write(options, choose(options));
}
