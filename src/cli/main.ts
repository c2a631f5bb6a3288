/**
 * Starts oclif from the bundle (bin/run.js) or from the sources (bin/dev.js), and turns whatever comes out into one
 * clear line and an exit status.
 */
// oxlint-disable-next-line import/no-unassigned-import -- for what it does to the environment, before oclif is loaded
import './user.js';
import {readFileSync} from 'node:fs';
import path from 'node:path';
import {fileURLToPath} from 'node:url';
import {setFlagsFromString} from 'node:v8';
import type {Interfaces} from '@oclif/core';
import {run} from '@oclif/core/run';
import {settings} from '@oclif/core/settings';
import {endWith} from './failure.js';

/** The package's root: two levels up from src/cli/main.ts, one from dist/main.js. */
function packageRoot(development: boolean): string {
  const here = path.dirname(fileURLToPath(import.meta.url));
  return path.resolve(here, development ? '../..' : '..');
}

/** Runs the command line in `process.argv`; sets the exit status, never throws. */
export async function main(options: {development?: boolean} = {}): Promise<void> {
  process.on('uncaughtException', (error) => {
    endWith(error);
    process.exit();
  });
  // An analysis is many small functions. V8's own budget for inlining them into one another costs CPU time on its compiler
  // threads, most of it in the first hundred MB of a trace, for code that is hardly faster (docs/performance.md).
  setFlagsFromString('--max-inlined-bytecode-size-cumulative=200');
  const development = options.development === true;
  const root = packageRoot(development);
  // oclif would look for ts-node or tsx by itself and then silently run an old dist/
  settings.enableAutoTranspile = false;
  try {
    const pjson = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as Interfaces.PJSON;
    if (development) pjson.oclif.commands = './commands';
    await run(words(process.argv.slice(2)), {root, pjson, ignoreManifest: true});
  } catch (error) {
    endWith(error);
  }
}

/** `pinscope help analyze` as people know it from git. */
function words(argv: string[]): string[] {
  return argv[0] === 'help' ? [...argv.slice(1), '--help'] : argv;
}
