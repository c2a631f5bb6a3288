/**
 * Payloads by pattern and string, for the slow reader: the same answers as events/ by other means. It shares with it
 * the tables of names, and nothing that scans.
 */

import {EventKind, type TraceEvent} from '../../../src/events/event.js';
import {readCommand} from './commands.js';
import {readDma} from './dma.js';
import {readFileIo} from './file-io.js';
import {readMemory} from './memory.js';
import {isPageRef, readPageRef} from './page-ref.js';
import {readProbe} from './probe.js';
import {fieldsOf} from './values.js';

const FAMILIES = [readMemory, readDma, readCommand, readFileIo];

/** Reads the payload `line[pos..]` of the event `name` into `ev`; `since612` as DecodeContext has it. Answers `since612`. */
export function readPayload(name: string, line: string, pos: number, ev: TraceEvent, since612: boolean): boolean {
  ev.begin(EventKind.Other);
  ev.deviceStart = ev.deviceEnd = ev.textStart = ev.textEnd = 0;
  while (line[pos] === ' ') pos++;
  if (readProbe(name, line, pos, ev, since612)) return since612;
  const fields = fieldsOf(line, pos);
  if (isPageRef(name)) return readPageRef(name, line, fields, ev, since612);
  if (name === 'tracing_mark_write') {
    ev.begin(EventKind.Marker);
    [ev.textStart, ev.textEnd] = [pos, line.length];
  } else FAMILIES.some((read) => read(name, line, pos, fields, ev));
  return since612;
}
