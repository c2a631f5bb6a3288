/**
 * Where the CPU time of an analysis goes: each stage with all before it, in a process of its own, and what it adds. The
 * last is the whole command, with its findings and its JSON.
 *
 *   node bench/stages.mjs FILE [--runs N]
 */
import {execFileSync} from 'node:child_process';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {fileURLToPath} from 'node:url';
import {parseArgs} from 'node:util';
import {build} from 'esbuild';
import {measure, requireTime} from './measure.mjs';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
const STAGES = [
  ['start', 'Node'],
  ['read', 'reading the file'],
  ['lines', 'lines or records: columns, decoding'],
  ['ledger', 'ledger without listeners'],
  ['rules', 'rules as listeners'],
  ['near-misses', 'near misses'],
];
/** As the command line sets it (src/cli/main.ts). */
const V8 = '--max-inlined-bytecode-size-cumulative=200';

const {values: opt, positionals} = parseArgs({allowPositionals: true, options: {runs: {type: 'string', default: '3'}}});
const [file] = positionals;
if (file === undefined) {
  console.error('usage: node bench/stages.mjs FILE [--runs N]');
  process.exit(2);
}
requireTime();
const dir = mkdtempSync(path.join(tmpdir(), 'pinscope-stages-'));
process.on('exit', () => rmSync(dir, {recursive: true, force: true}));
const script = path.join(dir, 'stage.mjs');
await build({
  entryPoints: [path.join(root, 'bench/stage.ts')],
  outfile: script,
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  logLevel: 'warning',
  banner: {js: "import {createRequire} from 'node:module';const require=createRequire(import.meta.url);"},
});

const runs = Number(opt.runs);
const rows = STAGES.map(([stage, what]) => [what, least(stage)]);
const whole = measure([process.execPath, path.join(root, 'bin/run.js'), 'analyze', file, '--json', '--quiet'], {
  runs,
  accept: [0, 1],
});
rows.push(['findings and report', whole.cpu]);
console.log('| stage | CPU s with all before | of its own |\n|---|---:|---:|');
let before = 0;
for (const [what, cpu] of rows) {
  console.log(`| ${what} | ${cpu.toFixed(2)} | ${(cpu - before).toFixed(2)} |`);
  before = cpu;
}
console.log(`\npeak memory of the whole: ${(whole.rss / 1e6).toFixed(0)} MB`);

/** CPU seconds of a stage, the least of all runs. */
function least(stage) {
  let best = Infinity;
  for (let i = 0; i < runs; i++) {
    const us = Number(execFileSync(process.execPath, [V8, script, stage, path.resolve(file)], {encoding: 'utf8'}));
    best = Math.min(best, us / 1e6);
  }
  return best;
}
