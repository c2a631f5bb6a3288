/**
 * Imports point down only, and no files import each other in a circle; imports of types count. The floors are those of
 * CONTRIBUTING.md. What is not so yet is listed in scripts/floors.json, which may only get shorter: nothing new is let in,
 * what is mended must be taken out, and a list that grew since the last commit is an error.
 *
 *   node scripts/floors.mjs           checks
 *   node scripts/floors.mjs --write   takes out of the list what is mended
 */
import {execFileSync} from 'node:child_process';
import {readdirSync, readFileSync, writeFileSync} from 'node:fs';
import path from 'node:path';
import {fileURLToPath} from 'node:url';
import ts from 'typescript';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
const LIST = 'scripts/floors.json';

/** Rooms by floor, the lowest first. Rooms of one floor do not import each other. */
const FLOORS = [
  ['src/base'],
  ['src/events', 'src/io', 'src/record'],
  ['parsers', 'src/order'],
  ['src/capture', 'src/results'],
  ['src/ledger'],
  ['src/claims'],
  ['src/words'],
  ['src/rules', 'src/proof', 'src/readers', 'src/report'],
  ['src/findings', 'src/export', 'src/query'],
  ['src/diff'],
  ['src/run'],
  ['src/cli'],
  ['commands'],
];
/** Imports that no floor forbids, and that are wrong all the same. */
const NEVER = [
  ['src/rules', 'src/capture'],
  ['src/findings', 'src/ledger/tables'],
];

const floorOf = new Map(FLOORS.flatMap((rooms, floor) => rooms.map((room) => [room, floor])));
const files = ['src', 'parsers', 'commands'].flatMap((top) =>
  readdirSync(path.join(root, top), {recursive: true, encoding: 'utf8'})
    .filter((name) => name.endsWith('.ts'))
    .map((name) => path.posix.join(top, name.split(path.sep).join('/'))),
);
const known = new Set(files);
const imports = new Map(files.map((file) => [file, importsOf(file)]));

const problems = [];
const wrong = [...upward(), ...circles()].toSorted();
const listed = JSON.parse(readFileSync(path.join(root, LIST), 'utf8'));
for (const text of wrong) if (!listed.includes(text)) problems.push(`${text}: not allowed`);
const mended = listed.filter((text) => !wrong.includes(text));
if (process.argv.includes('--write')) {
  writeFileSync(
    path.join(root, LIST),
    `${JSON.stringify(
      listed.filter((text) => wrong.includes(text)),
      null,
      2,
    )}\n`,
  );
} else for (const text of mended) problems.push(`${text}: is mended; run node scripts/floors.mjs --write`);
const before = committed();
if (before)
  for (const text of listed) if (!before.includes(text)) problems.push(`${text}: ${LIST} may only get shorter`);

for (const text of problems) console.error(`floors: ${text}`);
if (problems.length > 0) process.exitCode = 1;
else console.log(`floors: ${files.length} files, ${wrong.length} exceptions left`);

/** Files of ours that a file imports, for values or types, at once or later. */
function importsOf(file) {
  const {importedFiles} = ts.preProcessFile(readFileSync(path.join(root, file), 'utf8'), true, true);
  return importedFiles
    .map(({fileName}) => fileName)
    .filter((name) => name.startsWith('.'))
    .map((name) => path.posix.join(path.posix.dirname(file), name).replace(/\.js$/, '.ts'))
    .filter((name) => known.has(name));
}

function roomOf(file) {
  const parts = file.split('/');
  return parts[0] === 'src' ? parts.slice(0, 2).join('/') : parts[0];
}

function upward() {
  const found = [];
  for (const [file, targets] of imports) {
    const from = roomOf(file);
    if (!floorOf.has(from)) found.push(`${from} has no floor`);
    for (const target of targets) {
      const to = roomOf(target);
      const never = NEVER.some(([a, b]) => file.startsWith(`${a}/`) && target.startsWith(`${b}/`));
      if (never || (from !== to && floorOf.get(to) >= floorOf.get(from))) found.push(`${file} -> ${target}`);
    }
  }
  return [...new Set(found)];
}

/** Files that reach themselves: each circle as the files that are in it (Tarjan's strongly connected components). */
function circles() {
  const index = new Map();
  const low = new Map();
  const stack = [];
  const found = [];
  const visit = (file) => {
    index.set(file, index.size);
    low.set(file, index.get(file));
    stack.push(file);
    for (const target of imports.get(file)) {
      if (!index.has(target)) {
        visit(target);
        low.set(file, Math.min(low.get(file), low.get(target)));
      } else if (stack.includes(target)) low.set(file, Math.min(low.get(file), index.get(target)));
    }
    if (low.get(file) !== index.get(file)) return;
    const circle = stack.splice(stack.indexOf(file));
    if (circle.length > 1 || imports.get(file).includes(file))
      for (const member of circle) found.push(`${member} is in a circle`);
  };
  for (const file of files) if (!index.has(file)) visit(file);
  return found;
}

/** The list as last committed, or before that if this is it; undefined where there is none to compare with. */
function committed() {
  for (const commit of ['HEAD', 'HEAD~1']) {
    try {
      const text = execFileSync('git', ['show', `${commit}:${LIST}`], {
        cwd: root,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      const list = JSON.parse(text);
      if (commit !== 'HEAD' || list.join('\n') !== listed.join('\n')) return list;
    } catch {
      return undefined;
    }
  }
  return undefined;
}
