/** The events of a tracefs text in the columns that other tools print, so that line forms are measured on equal work. */
import {closeSync, openSync, readFileSync, writeSync} from 'node:fs';

const LINE = /^ *(.+)-(\d+) +\[(\d+)\] (\S+) +(\d+\.\d+): (\w+): (.*)$/;
const SYSTEMS = [
  ['page_ref', 'page_ref'],
  ['mm_page', 'kmem'],
  ['mm_filemap', 'filemap'],
  ['dma_', 'dma'],
  ['block_', 'block'],
];

/** Writes the events of the trace `from` to `to`, as `trace-cmd report` or `perf script` prints them; stacks are left out. */
export function restate(from, to, form) {
  const fd = openSync(to, 'w');
  let text = '';
  for (const line of readFileSync(from, 'latin1').split('\n')) {
    const m = LINE.exec(line);
    if (!m) continue;
    const [, comm, pid, cpu, flags, time, name, payload] = m;
    if (form === 'perf-script') {
      const event = `${SYSTEMS.find(([start]) => name.startsWith(start))?.[1] ?? 'gup'}:${name}`;
      text += `${comm.padStart(16)} ${pid.padStart(7)} [${cpu}] ${time.padStart(12)}: ${event.padStart(32)}: ${payload}\n`;
    } else
      text += `${comm.padStart(16)}-${pid.padEnd(5)} [${cpu}] ${flags} ${time.padStart(12)}: ${`${name}:`.padEnd(21)} ${payload}\n`;
    if (text.length > 1 << 20) {
      writeSync(fd, text, null, 'latin1');
      text = '';
    }
  }
  writeSync(fd, text, null, 'latin1');
  closeSync(fd);
}
