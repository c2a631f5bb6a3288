/**
 * Flags that stand for every run: those of a configuration file, then those of PINSCOPE_OPTS; the command line comes after and wins.
 * A command takes those that it has; one that no command has is an error. The file has one flag a line, `--suppress=/etc/pinscope/known`
 * or with a blank, or as ripgrep's its value on the next; `#` begins a comment. It is PINSCOPE_CONFIG (empty: none), else pinscope/config in XDG_CONFIG_HOME, else in ~/.config.
 */
import {readFileSync} from 'node:fs';
import {homedir} from 'node:os';
import path from 'node:path';
import {UserError} from '../io/user-error.js';
import {nearest} from './values.js';

/** What is asked of a flag: whether a value follows it. */
export type KnownFlags = Record<string, {type: string; char?: string | undefined; multiple?: boolean | undefined}>;

/** A flag with the words that give it. */
interface Given {
  name: string;
  words: string[];
}

/**
 * The words to put before those of the command line. `known` are the command's flags, `anywhere` gives those of all commands.
 * Throws UserError for what is no flag, and for quotes that do not end.
 */
export function standingWords(
  known: KnownFlags,
  env: NodeJS.ProcessEnv,
  typed: readonly string[],
  anywhere: () => KnownFlags,
): string[] {
  const file = configFile(env);
  const given = [
    ...(file === undefined ? [] : taken(linesOf(file.text), known, anywhere, file.path)),
    ...taken(wordsOf(env['PINSCOPE_OPTS'] ?? ''), known, anywhere, 'PINSCOPE_OPTS'),
  ];
  const later = new Set(typed.map((word) => nameOf(word, known)?.name).map(sameAs));
  const words: string[] = [];
  for (const {name, words: own} of given.toReversed()) {
    if (later.has(sameAs(name))) continue;
    if (known[name]?.multiple !== true) later.add(sameAs(name));
    words.unshift(...own);
  }
  return words;
}

/** --json says what --to does. */
function sameAs(name: string | undefined): string | undefined {
  return name === 'json' ? 'to' : name;
}

/** The flag that a word names; its long name as typed where the command has none such. */
function nameOf(word: string, known: KnownFlags): {name: string; flag: KnownFlags[string] | undefined} | undefined {
  const name = /^--?([\w-]+)/.exec(word)?.[1];
  if (name === undefined) return undefined;
  const long = word.startsWith('--') ? name : Object.keys(known).find((one) => known[one]?.char === name);
  return {name: long ?? name, flag: long === undefined ? undefined : known[long]};
}

function configFile(env: NodeJS.ProcessEnv): {path: string; text: string} | undefined {
  const told = env['PINSCOPE_CONFIG'];
  if (told === '') return undefined;
  const home = env['XDG_CONFIG_HOME'] ?? path.join(homedir(), '.config');
  const file = told ?? path.join(home, 'pinscope', 'config');
  try {
    return {path: file, text: readFileSync(file, 'utf8')};
  } catch (error) {
    if (told === undefined) return undefined;
    throw new UserError('cannot be read', {where: file, next: 'correct PINSCOPE_CONFIG', cause: error});
  }
}

function linesOf(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .flatMap((line) => /^(--?[\w-]+)[ \t]+(.*)$/.exec(line)?.slice(1) ?? [line]);
}

/** Words as a shell splits them: blanks between, quotes around what has blanks. */
function wordsOf(text: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = '';
  for (const char of text) {
    if (quote !== '') {
      if (char === quote) quote = '';
      else word = `${word ?? ''}${char}`;
    } else if (char === '"' || char === "'") {
      quote = char;
      word ??= '';
    } else if (/\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = `${word ?? ''}${char}`;
  }
  if (quote !== '') throw new UserError(`a ${quote} is not closed`, {where: 'PINSCOPE_OPTS'});
  if (word !== undefined) words.push(word);
  return words;
}

/** Of these flags those that the command has, each with its value. */
function taken(words: readonly string[], known: KnownFlags, anywhere: () => KnownFlags, where: string): Given[] {
  const out: Given[] = [];
  const all = words.length === 0 ? {} : anywhere();
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    const named = nameOf(word, known);
    if (named === undefined)
      throw new UserError(`'${word}' is no flag`, {where, next: 'write flags, as --suppress=FILE'});
    const {name, flag} = named;
    const here = flag ?? nameOf(word, all)?.flag;
    if (here === undefined) {
      const near = nearest(name, Object.keys(all));
      const next = near === undefined ? 'pinscope COMMAND --help lists them' : `did you mean --${near}?`;
      throw new UserError(`unknown flag ${word}`, {where, next});
    }
    const [next] = words.slice(i + 1);
    const apart = !word.includes('=') && next !== undefined && !next.startsWith('-') && here.type !== 'boolean';
    if (flag !== undefined) out.push({name, words: [word, ...(apart ? [next] : [])]});
    if (apart) i++;
  }
  return out;
}
