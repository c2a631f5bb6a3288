/**
 * What a full `pinscope analyze` costs, against what people would use instead, in one run on one machine.
 *
 *   npm run bench                             a sample of this project grown to 700 MB (needs 3 GB in the temporary folder)
 *   npm run bench -- --quick                  the same at 40 MB, one run each
 *   npm run bench -- FILE                     a trace as it is; with --size, grown to so many MB
 *   --size MB  --runs N
 *   --also FILE                               another line form of a trace, measured by the byte (repeatable)
 *   --recording FILE                          a trace.dat or perf.data, grown to a million events: against its own tool printing it, and
 *                                             that text analyzed (repeatable; by default two of this project's samples). PERF and
 *                                             TRACE_CMD name a tool of another version
 *   --only-recordings                         nothing else
 *   --write                                   put the tables into docs/performance.md
 */
import {spawnSync} from 'node:child_process';
import {closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {cpus, tmpdir, totalmem} from 'node:os';
import path from 'node:path';
import {fileURLToPath} from 'node:url';
import {parseArgs} from 'node:util';
import {grow} from './grow.mjs';
import {growRecording} from './grow-recording.mjs';
import {has, measure, measureInTurn, requireTime} from './measure.mjs';
import {restate} from './restate.mjs';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
const PINSCOPE = [process.execPath, path.join(root, 'bin/run.js')];
const SAMPLE = path.join(root, 'sample-traces/ftrace/io_uring-fixed-buffers.txt.gz');
/** Recordings that are always measured; with --recording those instead. */
const RECORDINGS = ['trace-dat/empty-instance.dat.xz', 'perf-data/early-unpins-6.12.data.xz'].map((file) =>
  path.join(root, 'sample-traces', file),
);
const DOCUMENT = path.join(root, 'docs/performance.md');
/** Sums val= by pfn=: the quickest of the usual ways to write it for mawk. */
const AWK =
  'match($0, /pfn=[^ ]+/) {p = substr($0, RSTART + 4, RLENGTH - 4); ' +
  'if (match($0, /val=[^ ]+/)) s[p] += substr($0, RSTART + 4, RLENGTH - 4)} END {for (p in s) print p, s[p]}';
/** statuses of an analyze that worked: 1 says that there are findings */
const ANALYZED = [0, 1];

const {values: opt, positionals} = parseArgs({
  allowPositionals: true,
  options: {
    quick: {type: 'boolean', default: false},
    size: {type: 'string'},
    runs: {type: 'string'},
    also: {type: 'string', multiple: true, default: []},
    recording: {type: 'string', multiple: true, default: []},
    'only-recordings': {type: 'boolean', default: false},
    write: {type: 'boolean', default: false},
  },
});
requireTime();
const runs = Number(opt.runs ?? (opt.quick ? 1 : 3));
const megabytes = Number(opt.size ?? (opt.quick ? 40 : 700));
if (!(runs > 0 && megabytes > 0)) {
  console.error('bench: --runs and --size take a number');
  process.exit(2);
}
const dir = mkdtempSync(path.join(tmpdir(), 'pinscope-bench-'));
process.on('SIGINT', () => process.exit(130));
process.on('exit', () => rmSync(dir, {recursive: true, force: true}));

if (opt['only-recordings']) {
  process.stdout.write(recordings().join('\n'));
  process.exit(0);
}

const [given] = positionals;
const source = given ?? SAMPLE;
const asIs = given !== undefined && opt.size === undefined;
const trace = asIs ? given : path.join(dir, 'trace.txt');
if (!asIs) {
  progress(`growing ${path.basename(source)} to ${megabytes} MB`);
  grow(source, trace, megabytes * 1e6);
}
const bytes = statSync(trace).size;

const tables = [machine(), against(), compressed(), length(), startUp(), ...forms(), ...recordings()].join('\n');
process.stdout.write(tables);
if (opt.write) {
  const text = readFileSync(DOCUMENT, 'utf8');
  const [begin, end] = ['<!-- bench -->\n', '<!-- /bench -->'];
  if (!text.includes(begin) || !text.includes(end)) throw new Error(`${DOCUMENT} has no place for the tables`);
  const [head] = text.split(begin, 1);
  writeFileSync(DOCUMENT, `${head}${begin}\n${tables}\n${text.slice(text.indexOf(end))}`);
}

function progress(text) {
  process.stderr.write(`bench: ${text}\n`);
}

function analysisOf(file, more = []) {
  return {command: [...PINSCOPE, 'analyze', file, '--json', '--quiet', ...more], accept: ANALYZED};
}

function analyze(file, more = []) {
  progress(`pinscope analyze ${path.basename(file)}`);
  return measureInTurn([analysisOf(file, more)], runs)[0];
}

function machine() {
  const [cpu] = cpus();
  const load = readFileSync('/proc/loadavg', 'utf8').split(' ')[0];
  return (
    `Measured on ${new Date().toISOString().slice(0, 10)}: ${cpus().length} CPUs (${cpu.model.trim()}), ` +
    `${Math.round(totalmem() / 2 ** 30)} GiB, Linux, Node ${process.versions.node}; load ${load} when it began; the middle of ` +
    `${runs} ${runs === 1 ? 'run' : 'runs'}. Input: ${path.basename(source)}${asIs ? '' : ' grown'}, ` +
    `${(bytes / 1e6).toFixed(0)} MB, ${lines(trace)} lines.\n`
  );
}

function lines(file) {
  return spawnSync('wc', ['-l', file]).stdout.toString().trim().split(' ')[0];
}

/** A table; `base` is the result that ratios are to. */
function table(title, rows, base) {
  let out = `\n### ${title}\n\n| | CPU s | wall s | peak MB | CPU ratio |\n|---|---:|---:|---:|---:|\n`;
  for (const [name, r] of rows) {
    const ratio = base && base.cpu > 0 ? (r.cpu / base.cpu).toFixed(2) : '';
    out += `| ${name} | ${r.cpu.toFixed(2)} | ${r.wall.toFixed(2)} | ${(r.rss / 1e6).toFixed(0)} | ${ratio} |\n`;
  }
  return out;
}

function against() {
  const C = {LC_ALL: 'C'};
  const rows = [];
  const add = (name, program, args, options = {}) => {
    if (!has(program)) return undefined;
    progress(name);
    const result = measure([program, ...args, trace], {runs, ...options});
    rows.push([`\`${name}\``, result]);
    return result;
  };
  add('wc -l', 'wc', ['-l']);
  add('grep -c pfn=', 'grep', ['-c', 'pfn='], {env: C});
  const mawk = add('mawk', 'mawk', [AWK]);
  add('gawk', 'gawk', [AWK]);
  add('LC_ALL=C gawk', 'gawk', [AWK], {env: C});
  const own = analyze(trace);
  rows.push(['**`pinscope analyze --json`**', own]);
  add('sha256sum', 'sha256sum', []);
  return table('Against other programs (ratios to mawk)', rows, mawk ?? own);
}

/** gzip input against plain input. */
function compressed() {
  const packed = path.join(dir, 'trace.gz');
  progress('gzip');
  const fd = openSync(packed, 'w');
  spawnSync('gzip', ['-1', '-c', trace], {stdio: ['ignore', fd, 'ignore']});
  closeSync(fd);
  const plain = analyze(trace);
  const rows = [
    ['plain', plain],
    ['gzip', analyze(packed)],
    ['`gzip -dc` alone', measure(['gzip', '-dc', packed], {runs})],
  ];
  rmSync(packed);
  return table('Compressed input (ratios to plain)', rows, plain);
}

/** Ten times the length over the same pages. */
function length() {
  const short = path.join(dir, 'short.txt');
  const long = path.join(dir, 'long.txt');
  const size = opt.quick ? 4e6 : 30e6;
  grow(SAMPLE, short, size, true);
  grow(SAMPLE, long, 10 * size, true);
  const [a, b] = [analyze(short), analyze(long)];
  return `${table('Ten times the length over the same pages', [
    [`${size / 1e6} MB`, a],
    [`${(10 * size) / 1e6} MB`, b],
  ])}\nPeak memory grows by a factor of ${(b.rss / a.rss).toFixed(2)}.\n`;
}

function startUp() {
  const [node, own] = measureInTurn(
    [{command: [process.execPath, '-e', '0']}, {command: [...PINSCOPE, '--version']}],
    5 * runs,
  );
  return table(
    'Start (ratio to node)',
    [
      ['`node -e 0`', node],
      ['`pinscope --version`', own],
    ],
    node,
  );
}

/** Line forms by the byte: the same events as other tools write them, and traces given by hand, grown to the same size. */
function forms() {
  const size = opt.quick ? 20e6 : 100e6;
  const grown = path.join(dir, 'form.txt');
  const restated = path.join(dir, 'restated.txt');
  let out =
    '\n### Line forms by the byte (ratios to tracefs text)\n\n| | MB | CPU s | CPU s per 100 MB | ratio |\n|---|---:|---:|---:|---:|\n';
  let base;
  const row = (name, file) => {
    const bytes = statSync(file).size;
    const {cpu} = analyze(file);
    const each = (cpu / bytes) * 1e8;
    base ??= each;
    out += `| ${name} | ${(bytes / 1e6).toFixed(0)} | ${cpu.toFixed(2)} | ${each.toFixed(2)} | ${(each / base).toFixed(2)} |\n`;
  };
  grow(source, grown, size);
  row(path.basename(source), grown);
  for (const form of ['trace-cmd', 'perf-script']) {
    restate(grown, restated, form);
    row(`the same events, as ${form.replace('-', ' ')} writes them`, restated);
  }
  rmSync(restated);
  for (const file of opt.also) {
    grow(file, grown, size);
    row(path.basename(file), grown);
  }
  rmSync(grown);
  return [out];
}

/** Recordings grown to a million events: analyzed as they are, printed by their own tool, and that text analyzed. */
function recordings() {
  const out = [];
  const events = opt.quick ? 100_000 : 1_000_000;
  const grown = path.join(dir, 'recording');
  const text = path.join(dir, 'printed.txt');
  for (const file of opt.recording.length > 0 ? opt.recording : RECORDINGS) {
    const name = path.basename(file);
    const perf = /\.data(\.|$)/.test(name);
    // of another version than the one of this machine, where that does not read the file
    const program = perf ? (process.env.PERF ?? 'perf') : (process.env.TRACE_CMD ?? 'trace-cmd');
    const print = perf ? [program, 'script', '-f', '-i', grown] : [program, 'report', '-i', grown];
    progress(`growing ${name} to ${events} events`);
    let count;
    try {
      count = growRecording(file, grown, events);
    } catch (error) {
      progress(`${file} is left out: ${error.message}`);
      continue;
    }
    const said = printed(program, print, text);
    progress(said === undefined ? 'analyzing it, printing it, analyzing the text' : 'analyzing it');
    const commands = [analysisOf(grown)];
    if (said === undefined) commands.push({command: print}, analysisOf(text));
    const [own, tool, ofText] = measureInTurn(commands, runs);
    const shown = `\`${perf ? 'perf script' : 'trace-cmd report'}\``;
    const rows = [];
    if (tool) rows.push([`${shown} of it`, tool], ['`pinscope analyze` of that text', ofText]);
    rows.push(['**`pinscope analyze` of the recording**', own]);
    out.push(table(`${name}, grown to ${count} events (ratios to printing them)`, rows, tool));
    if (!tool) out.push(`\nNot printed here: ${said}.\n`);
    else {
      const both = tool.cpu + ofText.cpu;
      out.push(`\nOf printing and analyzing the text together: ${(own.cpu / both).toFixed(2)}.\n`);
    }
  }
  return out;
}

/** Prints a recording into a file; answers why that cannot be done here. */
function printed(program, print, text) {
  if (!has(program)) return `there is no ${program} on this machine`;
  const fd = openSync(text, 'w');
  const {status, stderr} = spawnSync(program, print.slice(1), {stdio: ['ignore', fd, 'pipe'], maxBuffer: 1 << 26});
  closeSync(fd);
  if (status === 0) return undefined;
  return `this machine's ${program} does not read it (${String(stderr).trim().split('\n').at(-1)})`;
}
