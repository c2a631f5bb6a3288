import {spawnSync} from 'node:child_process';
import {mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, describe, expect, test} from 'vitest';
import {FACTS} from '../../src/record/facts.js';

const dir = mkdtempSync(join(tmpdir(), 'pinscope-test.'));
afterAll(() => rmSync(dir, {recursive: true, force: true}));

// dash counts to 2^63 - 1 only, busybox wraps
const SHELLS = [['sh'], ['dash'], ['busybox', 'sh']].filter(
  ([shell, ...args]) => spawnSync(shell!, [...args, '-c', ':']).status === 0,
);

/** Runs the functions of a script after these stand-ins for what is set up before them. */
function run(shell: readonly string[], text: string): string {
  const [command, ...args] = shell;
  const done = spawnSync(command!, [...args, '-u', '-s'], {input: `${text}\n`, encoding: 'utf8'});
  expect(done.stderr).toBe('');
  return done.stdout;
}

describe.each(SHELLS)('where struct pages start, asked with %s', (...shell) => {
  const base = (lines: string[]) => {
    const inst = mkdtempSync(join(dir, 'instance.'));
    for (const event of ['mm_page_alloc', 'mm_page_free']) {
      mkdirSync(join(inst, 'events/kmem', event), {recursive: true});
      writeFileSync(join(inst, 'events/kmem', event, 'enable'), '');
    }
    mkdirSync(join(inst, 'options'));
    writeFileSync(join(inst, 'options/hash-ptr'), '1');
    writeFileSync(join(inst, 'trace'), ['# tracer: nop', ...lines, ''].join('\n'));
    const out = run(
      shell,
      `inst='${inst}' work='${inst}'\nhas_event() { :; }\n${FACTS}\nstruct_page_base || echo none`,
    );
    expect(readFileSync(join(inst, 'trace'), 'utf8')).toBe('');
    return {out: out.trim(), hashed: readFileSync(join(inst, 'options/hash-ptr'), 'utf8')};
  };
  const line = (page: string, pfn: string) =>
    `             cat-216     [001] .....    11.413417: mm_page_alloc: page=${page} pfn=${pfn} order=0 migratetype=1 gfp_flags=GFP_KERNEL`;

  test('agrees with three pairs, also with a borrow between the halves', () => {
    // 0xffffff709d000000 + 64 * pfn: a base of arm64 with KASLR, on no round address
    const lines = [
      line('ffffff709e111900', '0x44464'),
      line('ffffff709e111940', '0x44465'),
      line('ffffff71010c8d80', '0x1903236'),
    ];
    expect(base(lines)).toEqual({out: '0xffffff709d000000', hashed: '1'});
  });

  test('reads decimal numbers of 5.10', () => {
    const lines = [line('ffffe8f380000080', '2'), line('ffffe8f3800000c0', '3'), line('ffffe8f380011940', '1125')];
    expect(base(lines).out).toBe('0xffffe8f380000000');
  });

  test.each([
    ['two pairs only', [line('ffffff709e111900', '0x44464'), line('ffffff709e111940', '0x44465')]],
    [
      'a pair that says otherwise',
      [
        line('ffffff709e111900', '0x44464'),
        line('ffffff709e111940', '0x44465'),
        line('ffffff709e111980', '0x44466'),
      ].concat(line('ffffff709e111a00', '0x44467')),
    ],
    ['hashes', [1, 2, 3].map((n) => line(`00000000abcdef0${n}`, `0x4446${n}`))],
    ['no pair', []],
  ])('does not answer on %s, and leaves pointers plain', (_, lines) => {
    expect(base(lines)).toEqual({out: 'none', hashed: '0'});
  });
});
