/** What the command line of perf record asks for, and what is not recorded because of it (perf-record(1)). */

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
const VALUED_LETTERS = 'eFcoptrCDGmukj';

/** What words of a command line ask for: option, as it is written, and its value. `rest` gets the words of the command that is recorded. */
export function options(words: readonly string[], rest: string[] = []): [option: string, value: string][] {
  const found: [string, string][] = [];
  for (let i = 2; i < words.length; i++) {
    const word = words[i]!;
    if (!word.startsWith('-') || word === '--') {
      rest.push(...words.slice(word === '--' ? i + 1 : i));
      break;
    }
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

export const TASKS: Readonly<Record<string, string>> = {
  '-p': 'process',
  '--pid': 'process',
  '-t': 'thread',
  '--tid': 'thread',
};
const USERS = new Set(['-u', '--uid']);
const CGROUPS = new Set(['-G', '--cgroup']);
const DELAYS = new Set(['-D', '--delay']);
/** With one of these perf does not record just a command that it starts; what it leaves out is told otherwise. */
export const BEYOND_TASKS: ReadonlySet<string> = new Set([...USERS, ...CGROUPS]);
/** Most characters that are told of it. */
const TEXT_MAX = 300;

/** In words: what these options leave out, beside tasks and what depends on how many CPUs there are. */
export function leftOut(asked: readonly (readonly [option: string, value: string])[]): string[] {
  const left: string[] = [];
  const given = (names: ReadonlySet<string>): readonly [string, string] | undefined =>
    asked.find(([option]) => names.has(option));
  const ofUser = given(USERS);
  if (ofUser) left.push(`perf recorded the processes of one user only (${ofUser.join(' ')})`);
  const ofGroup = given(CGROUPS);
  if (ofGroup) left.push(`perf recorded control groups only (${ofGroup.join(' ')})`);
  // several spans of time: nothing marks what is between them
  const spans = asked.find(([option, value]) => DELAYS.has(option) && /\d-\d/.test(value));
  if (spans) left.push(`perf recorded spans of time only (${spans.join(' ')})`);
  const control = asked.find(([option]) => option === '--control');
  if (control) left.push(`perf's events may have been switched off for a while (${control.join(' ')})`);
  if (asked.some(([option]) => option === '--exclude-perf'))
    left.push("perf's own events were left out (--exclude-perf)");
  return left;
}

/** The same, as one fact. */
export function told(left: readonly string[]): string {
  return left.join('; ').slice(0, TEXT_MAX);
}
