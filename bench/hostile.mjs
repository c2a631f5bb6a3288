/**
 * Whether any input makes an analysis slower than linear: inputs made to be slow (hostile-shapes.mjs), each at sizes n,
 * 2n and 4n, with CPU seconds, peak memory, and how the time grows with the size.
 *
 *   npm run bench:hostile -- [--only TEXT] [--scale X] [--seconds N] [--write]
 *
 * The exponent is that of time ~ size^x from the smallest to the largest size, start-up taken off: 1 is linear. A shape fails
 * with an exponent above EXPONENT_MAX, when it takes longer than --seconds, more than MEMORY_MAX, or ends by a crash.
 * `--write` puts the table into docs/performance.md.
 */
import {closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync, writeSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {fileURLToPath} from 'node:url';
import {parseArgs} from 'node:util';
import {gzipSync} from 'node:zlib';
import {SHAPES} from './hostile-shapes.mjs';
import {measure, requireTime} from './measure.mjs';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
const PINSCOPE = [process.execPath, path.join(root, 'bin/run.js')];
const DOCUMENT = path.join(root, 'docs/performance.md');
/** Clearly worse than linear. Caches and the collector make large inputs a little dearer by the line than small ones. */
const EXPONENT_MAX = 1.35;
/** Below this many seconds the exponent says nothing. */
const SECONDS_MIN = 0.6;
const MEMORY_MAX = 2.5e9;
/** 2: nothing that a rule could judge, which is a right answer */
const ANSWERS = [0, 1, 2];

const {values: opt} = parseArgs({
  options: {
    only: {type: 'string'},
    scale: {type: 'string', default: '1'},
    seconds: {type: 'string', default: '60'},
    write: {type: 'boolean', default: false},
  },
});
requireTime();
const dir = mkdtempSync(path.join(tmpdir(), 'pinscope-hostile-'));
process.on('SIGINT', () => process.exit(130));
process.on('exit', () => rmSync(dir, {recursive: true, force: true}));

const start = run(path.join(root, 'sample-traces/dmesg/console-6.12.txt')).cpu;
const rows = [];
let failed = 0;
console.log(`start-up and a small trace: ${start.toFixed(2)} s\n`);
for (const shape of SHAPES.filter(({name}) => opt.only === undefined || name.includes(opt.only)))
  rows.push(judge(shape));

const table =
  '| shape | size n | CPU s at n | CPU s at 4n | growth | peak MB at 4n |\n|---|---:|---:|---:|---:|---:|\n' +
  rows.map((r) => `| ${r.name} | ${r.size} | ${r.first} | ${r.last} | ${r.growth} | ${r.peak} |`).join('\n');
console.log(`\n${rows.length} shapes, ${failed} failed`);
if (opt.write) {
  const text = readFileSync(DOCUMENT, 'utf8');
  const [begin, end] = ['<!-- hostile -->\n', '<!-- /hostile -->'];
  if (!text.includes(begin) || !text.includes(end)) throw new Error(`${DOCUMENT} has no place for the table`);
  writeFileSync(DOCUMENT, `${text.split(begin, 1)[0]}${begin}\n${table}\n\n${text.slice(text.indexOf(end))}`);
}
if (failed > 0) process.exitCode = 1;

function judge(shape) {
  const results = [];
  let why = '';
  for (const times of [1, 2, 4]) {
    const file = path.join(dir, 'trace');
    const bytes = write(shape, Math.round(shape.n * times * Number(opt.scale)), file);
    try {
      results.push({bytes, ...run(file)});
    } catch (error) {
      why = `at ${times} n: ${error.message.split('\n')[0].slice(-300)}`;
      break;
    }
  }
  const [small] = results;
  const large = results.at(-1);
  const growth = results.length === 3 ? exponentOf(small, large) : undefined;
  if (growth !== undefined && growth > EXPONENT_MAX) why = 'worse than linear';
  if (large && large.rss > MEMORY_MAX) why = 'too much memory';
  const times = results.map((r) => `${r.cpu.toFixed(2)} s`).join(', ');
  const megabytes = large ? (large.rss / 1e6).toFixed(0) : '?';
  const text = growth === undefined ? '' : growth.toFixed(2);
  console.log(
    `${why ? 'FAILED' : 'ok    '} ${shape.name}: ${times}; growth ${text || '-'}; ${megabytes} MB${why && `; ${why}`}`,
  );
  if (why) failed++;
  return {
    name: shape.name,
    size: small ? `${(small.bytes / 1e6).toFixed(small.bytes < 1e6 ? 2 : 0)} MB` : '',
    first: small ? small.cpu.toFixed(2) : '',
    last: large ? large.cpu.toFixed(2) : '',
    growth: text || 'too quick to tell',
    peak: megabytes,
  };
}

function exponentOf(small, large) {
  if (large.cpu - start < SECONDS_MIN) return undefined;
  return Math.log(Math.max(0.01, large.cpu - start) / Math.max(0.15, small.cpu - start)) / Math.log(4);
}

function run(file) {
  const command = ['timeout', '-s', 'KILL', opt.seconds, ...PINSCOPE, 'analyze', file, '--json', '--quiet'];
  return measure(command, {accept: ANSWERS});
}

/** Writes a shape into a file; answers the bytes that a reader of it gets to see. */
function write(shape, n, file) {
  const fd = openSync(file, 'w');
  let bytes = 0;
  let held = [];
  let waiting = 0;
  const flush = () => {
    writeSync(fd, gzipSync(Buffer.concat(held), {level: 9}));
    held = [];
    waiting = 0;
  };
  for (const piece of shape.make(n)) {
    const data = typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece;
    bytes += data.length;
    if (shape.gzip !== true) {
      writeSync(fd, data);
      continue;
    }
    held.push(data);
    waiting += data.length;
    if (waiting > 1 << 26) flush();
  }
  if (held.length > 0) flush();
  closeSync(fd);
  return shape.gzip === true ? bytes : statSync(file).size;
}
