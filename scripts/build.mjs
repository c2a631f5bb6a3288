/**
 * Builds dist/: the launcher's module (main.js), the table of commands (commands.js), and one chunk for each module
 * that a command imports dynamically. Everything is bundled, because a start that resolves two hundred small files
 * costs more than most traces; types are checked elsewhere (npm run check:types).
 */
import {cp, readFile, readdir, rename, rm, writeFile} from 'node:fs/promises';
import path from 'node:path';
import {fileURLToPath} from 'node:url';
import {build} from 'esbuild';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
const out = path.join(root, 'dist');
/** Built beside its place and then moved there: a pinscope that is started meanwhile finds the old one whole. */
const fresh = path.join(root, `dist.${process.pid}.tmp`);

/** What may be part of a start that only prints help: bytes of JavaScript reached by static imports. */
const START_LIMIT_BYTES = 700_000;

/** `commands/*.ts` as the one table oclif's explicit strategy wants: a new command is one new file. */
const commandTable = {
  name: 'command-table',
  setup(plugin) {
    plugin.onResolve({filter: /^pinscope:commands$/}, () => ({path: 'commands', namespace: 'pinscope'}));
    plugin.onLoad({filter: /.*/, namespace: 'pinscope'}, async () => {
      const files = (await readdir(path.join(root, 'commands'))).filter((f) => f.endsWith('.ts')).toSorted();
      const ids = files.map((f) => path.basename(f, '.ts'));
      const imports = ids.map((id, i) => `import c${i} from './commands/${id}.ts';`).join('\n');
      const table = ids.map((id, i) => `${JSON.stringify(id)}: c${i}`).join(', ');
      return {contents: `${imports}\nexport default {${table}};`, resolveDir: root, loader: 'ts'};
    });
  },
};

const result = await build({
  absWorkingDir: root,
  entryPoints: {main: 'src/cli/main.ts', commands: 'pinscope:commands'},
  outdir: fresh,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: 'none', // the licences of what is bundled are written out whole, below
  metafile: true,
  define: {'process.env.NODE_ENV': '"production"'},
  // oclif and its friends are CommonJS and call require() for Node's own modules
  banner: {
    js: "import {createRequire as pinscopeRequire} from 'node:module';const require=pinscopeRequire(import.meta.url);",
  },
  // DuckDB is an optional peer, with a native part: it is looked for when it is asked for
  external: ['typescript', 'ts-node', 'tsx', '@duckdb/node-api'],
  loader: {'.css': 'text', '.html': 'text'},
  plugins: [commandTable],
  logLevel: 'warning',
});

// the HTML report's page: read when it is asked for, from beside the bundle
await cp(path.join(root, 'src/report/html/page'), path.join(fresh, 'page'), {recursive: true});

const start = startBytes(result.metafile);
if (start > START_LIMIT_BYTES) {
  console.error(
    `build: a bare start would load ${start} bytes of JavaScript, more than ${START_LIMIT_BYTES}; ` +
      'import what only a run needs with await import() inside run()',
  );
  process.exitCode = 1;
}
await writeFile(path.join(fresh, 'THIRD-PARTY-LICENSES.txt'), await licences(result.metafile));
const old = `${fresh}.old`;
await rename(out, old).catch((error) => {
  if (error.code !== 'ENOENT') throw error;
});
await rename(fresh, out);
await rm(old, {recursive: true, force: true});

/** Bytes of main.js, commands.js and all chunks they import statically. */
function startBytes(metafile) {
  const seen = new Set();
  const built = path.basename(fresh);
  const queue = [`${built}/main.js`, `${built}/commands.js`];
  let bytes = 0;
  while (queue.length > 0) {
    const file = queue.pop();
    const output = metafile.outputs[file];
    if (seen.has(file) || output === undefined) continue;
    seen.add(file);
    bytes += output.bytes;
    for (const i of output.imports) if (i.kind === 'import-statement') queue.push(i.path);
  }
  return bytes;
}

/** The licence text of every package whose code went into the bundle. */
async function licences(metafile) {
  const dirs = new Set();
  for (const input of Object.keys(metafile.inputs)) {
    const match = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input);
    if (match) dirs.add(match[1]);
  }
  const parts = ['The files in this folder contain code of these packages.\n'];
  for (const dir of [...dirs].toSorted()) {
    const at = path.join(root, dir);
    const pkg = JSON.parse(await readFile(path.join(at, 'package.json'), 'utf8'));
    const file = (await readdir(at)).find((f) => /^licen[cs]e/i.test(f));
    const text = file ? await readFile(path.join(at, file), 'utf8') : '(the package carries no licence file)\n';
    parts.push(`${'='.repeat(78)}\n${pkg.name} ${pkg.version} (${pkg.license ?? 'see below'})\n\n${text.trim()}\n`);
  }
  return parts.join('\n');
}
