/**
 * Looks for inputs that break pinscope: parts of real captures, damaged, through the whole pipeline.
 *
 *   npm run fuzz -- [--minutes N] [--seed S] [--cases N] [--form FORM[,FORM]] [--traces DIR] [--save DIR]
 *
 * A case is wrong when something else than a UserError is thrown, when it takes longer than CASE_MS, when a JSON form
 * breaks its schema, or when a form for people lets a control character through. Each failure is printed with the seed
 * that repeats it; --save writes that case's inputs into a folder. The exit status is 1 if there was any.
 */
import {fork} from 'node:child_process';
import {mkdirSync, readFileSync} from 'node:fs';
import path from 'node:path';
import {fileURLToPath} from 'node:url';
import {parseArgs} from 'node:util';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
/** Longest CPU time for one case. A case is a few MB at most: real work on it takes a fraction of that. */
const CASE_MS = 20_000;
/** Longest time, where CPUs are shared by many, or the case waits for ever. */
const CASE_WALL_MS = 300_000;
/** Memory of the JavaScript heap that a case of that size must do with. */
const HEAP_MB = 1024;
/** Failures after which it is not worth going on. */
const FAILURES_MAX = 50;

const {values} = parseArgs({
  options: {
    minutes: {type: 'string'},
    seed: {type: 'string'},
    cases: {type: 'string'},
    form: {type: 'string'},
    traces: {type: 'string', default: path.join(root, 'sample-traces')},
    save: {type: 'string'},
  },
});
const started = Date.now();
const until = values.minutes === undefined ? Infinity : started + Number(values.minutes) * 60_000;
const first = values.seed === undefined ? started % 2 ** 31 : Number(values.seed);
const last =
  first + (values.cases === undefined ? (values.minutes === undefined ? 1000 : 2 ** 31) : Number(values.cases));
const forms = values.form === undefined ? [] : values.form.split(',');
if (values.save !== undefined) mkdirSync(values.save, {recursive: true});

let done = 0;
let refused = 0;
let failures = 0;
let slowest = {ms: 0, at: first};

function failed(at, form, why) {
  failures++;
  const only = [values.form && `--form ${values.form}`, values.traces && `--traces ${values.traces}`];
  console.log(`FAILED seed ${at} (${form}): ${why}`);
  console.log(`  again: npm run fuzz -- --seed ${at} --cases 1 ${only.filter(Boolean).join(' ')}\n`);
}

/** CPU time of a process so far, in ms (proc_pid_stat(5): utime and stime, in ticks of 10 ms); 0 where nothing tells. */
function cpuOf(pid) {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * 10;
  } catch {
    return 0;
  }
}

/** Runs a child from a seed on; answers the seed at which the next one has to begin. */
function runFrom(seed) {
  return new Promise((resolve) => {
    const child = fork(path.join(root, 'test/fuzz/child.ts'), {
      execArgv: ['--import', 'tsx', `--max-old-space-size=${HEAP_MB}`],
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    });
    let at = seed;
    let form = '?';
    let began = 0;
    let cpuBefore = 0;
    let errors = '';
    child.stderr.on('data', (data) => (errors = (errors + data).slice(-2000)));
    const timer = setInterval(() => {
      if (Date.now() > until) {
        at = last;
        child.kill('SIGKILL');
      } else if (began > 0 && (cpuOf(child.pid) - cpuBefore > CASE_MS || Date.now() - began > CASE_WALL_MS)) {
        failed(at, form, `still running after ${((cpuOf(child.pid) - cpuBefore) / 1000).toFixed(0)} s of CPU`);
        at++;
        began = 0;
        form = '?';
        child.kill('SIGKILL');
      }
    }, 200);
    child.on('message', (m) => {
      if (m.outcome === undefined && m.failure === undefined) {
        ({at, form} = m);
        began = Date.now();
        cpuBefore = cpuOf(child.pid);
        return;
      }
      done++;
      if (m.outcome === 'refused') refused++;
      if (m.failure !== undefined) failed(m.at, m.form, m.failure);
      if (Date.now() - began > slowest.ms) slowest = {ms: Date.now() - began, at: m.at};
      at = m.at + 1;
      began = 0;
    });
    child.on('close', (code) => {
      clearInterval(timer);
      if (code !== null && code !== 0) {
        failed(at, form, `the process ended with ${code}: ${errors}`);
        at++;
      } else if (code === null && began > 0 && at < last) {
        failed(at, form, `the process was killed: ${errors}`);
        at++;
      }
      resolve(at);
    });
    child.send({seed, cases: last - seed, forms, traces: values.traces, save: values.save});
  });
}

console.log(`seeds from ${first}, forms ${forms.length > 0 ? forms.join(', ') : 'all'}, captures in ${values.traces}`);
let next = first;
while (next < last && Date.now() < until && failures < FAILURES_MAX) {
  next = await runFrom(next);
  if (values.save !== undefined) break;
}
const minutes = ((Date.now() - started) / 60_000).toFixed(1);
console.log(
  `${done} cases in ${minutes} min from seed ${first}: ${failures} failed, ${refused} refused with a clear line, ` +
    `slowest ${slowest.ms} ms (seed ${slowest.at})`,
);
if (failures > 0) process.exitCode = 1;
