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

/** Every file with its text as it should be. `print` gives what a command prints. */
export async function examples(print) {
  const files = EXAMPLES.map(([name, words]) => [`${folder}/${name}`, withoutTiming(print(words))]);
  // The report that the readme's first command prints.
  const readme = await readFile(path.join(root, 'README.md'), 'utf8');
  const [, first] = /npx pinscope (analyze \S+)/.exec(readme);
  const report = print(first.split(' '));
  files.push(['README.md', readme.replace(/^```text\n.*?^```$/ms, () => `\`\`\`text\n${report}\`\`\``)]);
  return files;
}

/** Names of the files that are not as they should be. */
export async function different(print) {
  const names = [];
  for (const [name, text] of await examples(print))
    if ((await readFile(path.join(root, name), 'utf8').catch(() => '')) !== text) names.push(name);
  return names;
}

async function main() {
  if (!process.argv.includes('--check')) {
    for (const [name, text] of await examples(printed)) await writeFile(path.join(root, name), text);
    return;
  }
  const names = await different(printed);
  if (names.length === 0) return;
  console.error(
    `not what the program prints any more: ${names.join(', ')}\nlook at the change, then: node scripts/examples.mjs`,
  );
  process.exitCode = 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
