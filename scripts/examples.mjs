/**
 * The same real capture in every output form, for docs/examples/, and the report in README.md. `node scripts/examples.mjs` writes them,
 * `--check` compares and fails when one differs: what the docs show is what the program prints.
 */
import {spawnSync} from 'node:child_process';
import {readFile, writeFile} from 'node:fs/promises';
import path from 'node:path';
import {fileURLToPath} from 'node:url';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
const folder = 'docs/examples';
const trace = `${folder}/writeback-6.12.txt.gz`;

/** File to write, and the words of the command that prints it. */
const EXAMPLES = [
  ['report.txt', ['analyze', trace]],
  ['report.mail.txt', ['analyze', trace, '--to', 'mail', '--limit', '3']],
  ['report.md', ['analyze', trace, '--to', 'markdown', '--limit', '3']],
  ['report.json', ['analyze', trace, '--to', 'json']],
  ['report.ndjson', ['analyze', trace, '--to', 'ndjson']],
  ['report.html', ['analyze', trace, '--to', 'html']],
  ['history.txt', ['history', trace, '--pfn', '0x5c0f5']],
  ['pins.txt', ['pins', trace]],
];

/** How long a run took and what memory it had is the machine's, not the report's. */
function withoutTiming(text) {
  return text
    .replace(/"(seconds|events_per_second|bytes_per_second|peak_rss_bytes)":( ?)[\d.e+-]+/g, '"$1":$20')
    .replace(/"version":( ?)"[^"]*"/g, '"version":$1"0.0.0"')
    .replace(/\bpinscope \d+\.\d+\.\d+\S*/g, 'pinscope 0.0.0');
}

/** The program as built, else from its sources. */
const launcher = process.env.PINSCOPE_EXAMPLES_DEV === '1' ? ['--import', 'tsx', 'bin/dev.js'] : ['bin/run.js'];

const check = process.argv.includes('--check');
const different = [];

/** What a command prints. */
function printed(words) {
  const run = spawnSync(process.execPath, [...launcher, ...words], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    env: {...process.env, NO_COLOR: '1', COLUMNS: ''},
  });
  if (run.status !== 0 && run.status !== 1)
    throw new Error(`pinscope ${words.join(' ')}: status ${run.status}\n${run.stderr}`);
  return run.stdout;
}

async function settle(name, text) {
  const file = path.join(root, name);
  if (!check) await writeFile(file, text);
  else if ((await readFile(file, 'utf8').catch(() => '')) !== text) different.push(name);
}

for (const [name, words] of EXAMPLES) await settle(`${folder}/${name}`, withoutTiming(printed(words)));

// The report that the readme's first command prints.
const readme = await readFile(path.join(root, 'README.md'), 'utf8');
const [, first] = /npx pinscope (analyze \S+)/.exec(readme);
const report = printed(first.split(' '));
await settle(
  'README.md',
  readme.replace(/^```text\n.*?^```$/ms, () => `\`\`\`text\n${report}\`\`\``),
);
if (different.length > 0) {
  console.error(
    `not what the program prints any more: ${different.join(', ')}\nlook at the change, then: node scripts/examples.mjs`,
  );
  process.exitCode = 1;
}
