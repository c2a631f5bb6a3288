/**
 * What a perf.data lacks because of how it was asked for: events of which perf took samples, CPUs and tasks it was not told to
 * record, filters. No record tells of these; the attrs and the command line do (perf-record(1)).
 */
import type {EventSink} from '../../src/events/event.js';
import type {Attr} from './attr.js';
import type {PerfDataFile} from './file.js';

/** Options of perf record whose value is the next word, of perf 3.x to 7.x. */
const VALUED = new Set([
  '--event',
  '--filter',
  '--freq',
  '--count',
  '--output',
  '--pid',
  '--tid',
  '--realtime',
  '--cpu',
  '--delay',
  '--cgroup',
  '--mmap-pages',
  '--mmap-flush',
  '--uid',
  '--clockid',
  '--call-graph',
  '--branch-filter',
  '--proc-map-timeout',
  '--affinity',
  '--control',
  '--max-size',
  '--switch-max-files',
  '--switch-output-event',
  '--num-thread-synthesize',
  '--synth',
  '--vmlinux',
]);
/** Most characters that are told of it. */
const TEXT_MAX = 300;
const VALUED_LETTERS = 'eFcoptrCDGmukj';

/** What words of a command line ask for, up to the command that is recorded: option, as it is written, and its value. */
function options(words: readonly string[]): [option: string, value: string][] {
  const found: [string, string][] = [];
  for (let i = 2; i < words.length; i++) {
    const word = words[i]!;
    if (!word.startsWith('-') || word === '--') break;
    const equals = word.indexOf('=');
    if (word.startsWith('--')) {
      if (equals > 0) found.push([word.slice(0, equals), word.slice(equals + 1)]);
      else found.push([word, VALUED.has(word) ? (words[++i] ?? '') : '']);
      continue;
    }
    // letters together, the last of which may have a value: -agF99
    for (let at = 1; at < word.length; at++) {
      const letter = word[at]!;
      const valued = VALUED_LETTERS.includes(letter);
      const rest = word.slice(at + 1);
      found.push([`-${letter}`, !valued ? '' : rest === '' ? (words[++i] ?? '') : rest]);
      if (valued) break;
    }
  }
  return found;
}

const TASKS: Readonly<Record<string, string>> = {
  '-p': 'process',
  '--pid': 'process',
  '-t': 'thread',
  '--tid': 'thread',
};
const USERS = new Set(['-u', '--uid']);
const CGROUPS = new Set(['-G', '--cgroup']);
const DELAYS = new Set(['-D', '--delay']);

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
  const ofUser = asked.find(([option]) => USERS.has(option));
  if (ofUser) left.push(`perf recorded the processes of one user only (${ofUser.join(' ')})`);
  const ofGroup = asked.find(([option]) => CGROUPS.has(option));
  if (ofGroup) left.push(`perf recorded control groups only (${ofGroup.join(' ')})`);
  // several spans of time: nothing marks what is between them
  const spans = asked.find(([option, value]) => DELAYS.has(option) && /\d-\d/.test(value));
  if (spans) left.push(`perf recorded spans of time only (${spans.join(' ')})`);
  const control = asked.find(([option]) => option === '--control');
  if (control) left.push(`perf's events may have been switched off for a while (${control.join(' ')})`);
  if (asked.some(([option]) => option === '--exclude-perf'))
    left.push("perf's own events were left out (--exclude-perf)");
  // pinscope's own recorder leaves itself out, and says so
  const filter = asked.find(([option]) => option === '--filter');
  if (filter && !file.meta.recorder.some(({name}) => name === 'filter'))
    left.push(`events were filtered (${filter.join(' ')})`);
  if (left.length > 0) sink.fact(input, 'left_out', left.join('; ').slice(0, TEXT_MAX));
}

function nameOf({meta}: PerfDataFile, {config, name}: Attr): string {
  return meta.formats.get(config)?.title ?? name;
}
