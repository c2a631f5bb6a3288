/**
 * What a perf.data lacks because of how it was asked for: events of which perf took samples, CPUs and tasks it was not told to
 * record, filters. No record tells of these; the attrs and the command line do (perf-record(1)).
 */
import type {EventSink} from '../../src/events/event.js';
import {leftOut, options, TASKS, told} from '../perf-command.js';
import type {Attr} from './attr.js';
import type {PerfDataFile} from './file.js';

/** Tells what was left out. `threads`: of the THREAD_MAP record, -1 the whole system; undefined where there is none. */
export function tellScope(
  file: PerfDataFile,
  sink: EventSink,
  input: number,
  threads: readonly number[] | undefined,
): void {
  const tracepoints = file.attrs.filter(({isTracepoint, isCounted}) => isTracepoint && !isCounted);
  const asked = options(file.words);
  const left: string[] = [];
  const sampled = tracepoints.find((attr) => attr.isSampled);
  if (sampled) left.push(`perf took samples of the events only (-F or -c): ${nameOf(file, sampled)}`);
  const user = tracepoints.find((attr) => attr.excludesKernel);
  if (user) left.push(`what the kernel does was left out (:u, --all-user): ${nameOf(file, user)}`);

  // perf before 4.17 or so has no THREAD_MAP; without -a it records the command that it starts
  const commandOnly = tracepoints.some((attr) => attr.fromExecOn);
  const task = asked.find(([option]) => TASKS[option] !== undefined);
  if (threads !== undefined ? !threads.includes(-1) : commandOnly || task !== undefined) {
    const pids = threads?.slice(0, 20).join(' ') ?? (task ? `${TASKS[task[0]]} ${task[1]}` : "the command's");
    sink.fact(input, 'pid_filter', pids);
  } else {
    if (threads !== undefined) sink.fact(input, 'system_wide', 'yes');
    const online = file.cpusOnline ?? 0;
    const fewest = Math.min(...tracepoints.map(({ids}) => (ids.length > 0 ? ids.length : online)));
    if (fewest < online) left.push(`perf recorded ${fewest} of ${online} CPUs`);
    else {
      const cpus = asked.find(([option]) => option === '-C' || option === '--cpu');
      if (cpus && tracepoints.some(({ids}) => ids.length === 0))
        left.push(`perf recorded some CPUs only (${cpus.join(' ')})`);
    }
  }
  left.push(...leftOut(asked));
  // pinscope's own recorder leaves itself out, and says so
  const filter = asked.find(([option]) => option === '--filter');
  if (filter && !file.meta.recorder.some(({name}) => name === 'filter'))
    left.push(`events were filtered (${filter.join(' ')})`);
  if (left.length > 0) sink.fact(input, 'left_out', told(left));
}

function nameOf({meta}: PerfDataFile, {config, name}: Attr): string {
  return meta.formats.get(config)?.title ?? name;
}
