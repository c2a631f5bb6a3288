/**
 * The man page and the completions for bash, zsh and fish, made from the commands' own help: a flag that exists is in them, one
 * that does not is not. `node scripts/shell-docs.mjs [FOLDER]` writes pinscope.1, pinscope.bash, _pinscope and pinscope.fish there.
 */
import {mkdir, readFile, readdir, writeFile} from 'node:fs/promises';
import path from 'node:path';
import {fileURLToPath, pathToFileURL} from 'node:url';
import {register} from 'tsx/esm/api';
import {manPage} from './shell-docs/man.mjs';
import {bashCompletion, zshCompletion} from './shell-docs/completion.mjs';
import {fishCompletion} from './shell-docs/fish.mjs';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');

/** What the three are made from: commands with their texts, arguments and flags, and the words that flags take. */
export async function readProgram() {
  const pjson = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8'));
  const load = (file) => import(pathToFileURL(path.join(root, file)).href);
  // not tsImport: several of them in one process keep each other resolving for ever (tsx 4.21.1)
  const unregister = register();
  const {RULES} = await load('src/rules/registry.ts');
  const rules = RULES.map((rule) => rule.meta.id);
  const saved = (await load('src/query/saved.ts')).SAVED.map(({name}) => name);
  const tables = (await load('src/readers/export/schema.ts')).TABLE_NAMES;
  const severities = ['error', 'warning', 'note'];
  const commands = [];
  for (const file of (await readdir(path.join(root, 'commands'))).sort()) {
    if (file.endsWith('.ts'))
      commands.push(describe(path.basename(file, '.ts'), (await load(`commands/${file}`)).default));
  }
  await unregister();
  const shared = {
    ...{rule: rules, rules, saved, tables},
    'fail-on': severities.flatMap((severity) => [severity, `${severity}:sure`]),
  };
  for (const command of commands) {
    for (const flag of command.flags) flag.words = wordsOf(flag, shared);
    for (const arg of command.args) arg.words = arg.name === 'RULE' ? rules : listed(arg.text);
  }
  return {
    name: pjson.oclif.bin,
    version: pjson.version,
    summary: pjson.description,
    commands,
    rules,
    /** flags whose value is a file */
    files: ['output', 'suppress', 'kallsyms'],
  };
}

/** The words that a flag takes: of rules and tables, or those that its help lists: `output form: table, json`, `auto, always or never`. */
function wordsOf(flag, shared) {
  if (flag.value === undefined) return undefined;
  return flag.options ?? shared[flag.name] ?? listed(flag.text);
}

function listed(text) {
  const bare = text.replace(/ \([^)]*\)/g, '');
  const list = /(?:^|: )([a-z][a-z-]*(?:, [a-z][a-z-]*)*(?:,? or [a-z][a-z-]*)?)$/.exec(bare)?.[1];
  const words = list?.split(/, | or /);
  return words !== undefined && words.length > 1 ? words : undefined;
}

/** `<%= config.bin %>` and `<%= command.id %>` in examples, as oclif's help fills them in. */
function filled(text, id) {
  return text.replaceAll('<%= config.bin %>', 'pinscope').replaceAll('<%= command.id %>', id);
}

function describe(id, command) {
  const flags = Object.entries({...command.baseFlags, ...command.flags})
    .filter(([, flag]) => flag.hidden !== true)
    .map(([name, flag]) => ({
      name,
      char: flag.char,
      text: flag.summary ?? flag.description ?? '',
      value: flag.type === 'option' ? (flag.helpValue ?? 'VALUE') : undefined,
      group: flag.helpGroup ?? 'OTHER',
      default: typeof flag.default === 'string' ? flag.default : undefined,
      // a list with commas
      multiple: flag.multiple === true || /\[,/.test(flag.helpValue ?? ''),
      options: flag.options,
    }));
  return {
    id,
    summary: filled(command.summary ?? '', id),
    description: filled(command.description ?? '', id),
    usage: command.usage === undefined ? undefined : [command.usage].flat(),
    args: Object.entries(command.args ?? {}).map(([name, arg]) => ({
      name: name.toUpperCase(),
      text: arg.description ?? '',
      required: arg.required === true,
      multiple: arg.multiple === true,
      options: arg.options,
    })),
    flags,
    examples: (command.examples ?? []).map((example) =>
      typeof example === 'string'
        ? {text: '', command: filled(example, id)}
        : {text: filled(example.description, id), command: filled(example.command, id)},
    ),
  };
}

/** The texts by file name. */
export async function shellDocs() {
  const program = await readProgram();
  return {
    'pinscope.1': manPage(program),
    'pinscope.bash': bashCompletion(program),
    _pinscope: zshCompletion(program),
    'pinscope.fish': fishCompletion(program),
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const out = path.resolve(process.argv[2] ?? path.join(root, 'dist', 'shell'));
  await mkdir(out, {recursive: true});
  for (const [name, text] of Object.entries(await shellDocs())) await writeFile(path.join(out, name), text);
}
