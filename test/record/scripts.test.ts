import {spawnSync} from 'node:child_process';
import {chmodSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, describe, expect, test} from 'vitest';
import {payloadOf} from '../../parsers/bpftrace/events.js';
import {EventTable} from '../../parsers/events/table.js';
import {recordOptions} from '../../src/cli/record.js';
import {EventKind} from '../../src/events/event.js';
import {clauses, clauseText} from '../../src/record/bpftrace-program.js';
import {groupsFor, RULE_IDS} from '../../src/record/groups.js';
import {defaultOptions, type Recorder, RECORDERS, type RecordOptions} from '../../src/record/options.js';
import {PROBES, TRACEPOINTS} from '../../src/record/probes.js';
import {recordingScript} from '../../src/record/script.js';
import {RULES} from '../../src/rules/registry.js';

const dir = mkdtempSync(join(tmpdir(), 'pinscope-test.'));
afterAll(() => rmSync(dir, {recursive: true, force: true}));

function script(options: Partial<RecordOptions> & Pick<RecordOptions, 'recorder'>): string {
  return recordingScript({...defaultOptions(options.recorder, '1.2.3'), ...options});
}

/** Recorded for whoever reads the trace; no parser asks for them yet. */
const KEPT_FOR_PEOPLE = new Set([
  'swiotlb/swiotlb_bounced',
  'iommu/io_page_fault',
  'nvme/nvme_setup_cmd',
  'nvme/nvme_complete_rq',
]);

const flags = {print: true, with: 'tracefs', rules: [], stacks: false, pid: [], words: []};

describe('what is recorded', () => {
  test('every rule has its needs, and no other', () => {
    expect([...RULE_IDS].sort()).toEqual(RULES.map((rule) => rule.meta.id).sort());
  });

  test('every probe and tracepoint is one that the parsers read', () => {
    const table = new EventTable();
    for (const {event} of TRACEPOINTS.filter((tracepoint) => !KEPT_FOR_PEOPLE.has(tracepoint.event))) {
      expect(table.named(event.slice(event.indexOf('/') + 1)).kind, event).not.toBe(EventKind.Other);
    }
    for (const {event} of PROBES) expect(table.named(event).probeByName, event).toBeDefined();
  });

  test('every line of the bpftrace program is one that its parser reads', () => {
    const table = new EventTable();
    const names = [...script({recorder: 'bpftrace'}).matchAll(/comm=%s (\S+?)(?: |\\n)/g)].map((match) => match[1]!);
    expect(names.length).toBeGreaterThan(30);
    for (const name of names) expect(payloadOf(table.named(name)).read, name).not.toBe('nothing');
  });

  test('fewer rules mean fewer probes', () => {
    expect(groupsFor(['long-pin'])).not.toContain('dma');
    const text = script({recorder: 'tracefs', rules: ['long-pin']});
    expect(text).toContain('gup_put_folio');
    expect(text).not.toContain('dma_map_page');
    expect(text).not.toContain('folio_mark_dirty folio_mark_dirty');
  });

  test('a named kernel leaves out what it cannot have', () => {
    const old = script({recorder: 'bpftrace', kernel: {major: 6, minor: 1}});
    expect(old).toContain('kprobe:try_grab_page {');
    expect(old).toContain('kprobe:dma_map_page_attrs {');
    expect(old).not.toContain('try_grab_folio_fast');
    expect(old).not.toContain('tracepoint:dma:');
    expect(old).not.toContain('set_page_dirty');
    const newer = script({recorder: 'bpftrace', kernel: {major: 6, minor: 12}});
    expect(newer).toContain('kprobe:try_grab_folio_fast {');
    expect(newer).toContain('tracepoint:dma:dma_map_page {');
    expect(newer).not.toContain('kprobe:try_grab_page');
    expect(newer).not.toContain('kprobe:dma_map_page_attrs');
    expect(script({recorder: 'tracefs', kernel: {major: 6, minor: 12}})).not.toContain('grab_takes_page p');
  });

  test('the bpftrace program probes DMA functions only in place of dma events, and each mapping once', () => {
    const lines = script({recorder: 'bpftrace'}).split('\n');
    const probed = lines.filter((line) => / k(?:ret)?probe:dma_(?:un)?map_(?:page_attrs|phys)/.test(line));
    expect(probed).toHaveLength(6);
    for (const line of probed) {
      expect(line).toMatch(/^(?:\S+_page_attrs dma\/dma_map_sg,dma_map_phys|\S+_phys dma\/dma_map_sg) /);
    }
  });

  test('requests are recorded with the rules whose DMA they end', () => {
    for (const recorder of RECORDERS) {
      expect(script({recorder, rules: ['unpin-while-dma']})).toMatch(/block.block_rq_complete/);
      expect(script({recorder, rules: ['long-pin']})).not.toContain('block/block_rq_complete');
    }
  });

  test('trace-cmd and perf hand over what they recorded, and print nothing', () => {
    for (const recorder of ['trace-cmd', 'perf'] as const) {
      const text = script({recorder});
      expect(text).toMatch(/^recording=1$/m);
      expect(text).not.toMatch(/trace-cmd report|perf script/);
    }
    expect(script({recorder: 'tracefs'})).toMatch(/^recording=$/m);
  });

  test('nothing that goes on in the background keeps the pipe open whose end the guard waits for', () => {
    // A shell that calls a function with 9 closed keeps a copy of it for after the call: seen with dash and busybox.
    for (const recorder of RECORDERS) {
      const background = script({recorder})
        .split('\n')
        .filter((line) => / &(?: fi)?$/.test(line) && !line.includes('guard'));
      expect(background.length).toBeGreaterThan(0);
      for (const line of background.filter((one) => one.includes('9>&-')))
        expect(line).toMatch(/\) (?:3<&- )?9>&-|^ *sleep /);
    }
  });

  test('the reader of tracefs keeps what it allocates out of the trace, and not what is freed in its hands', () => {
    const text = script({recorder: 'tracefs'});
    const filtered = /case \$1:\$2 in\n +(.*)\)\n/.exec(text)![1]!;
    expect(filtered).toBe('life:*/mm_page_alloc | file:* | dirty:*');
    expect(text).toMatch(/^life kmem\/mm_page_alloc$/m);
  });

  test('nothing is recorded with tracefs before every event is on', () => {
    const text = script({recorder: 'tracefs'});
    const start = text.slice(text.indexOf('start_recorder() {'), text.indexOf('# unread:'));
    const order = ['printf 0 >"$inst/tracing_on"', '"$inst/events/$event/enable"', 'printf 1 >"$inst/tracing_on"'];
    expect(order.map((words) => start.indexOf(words))).toEqual(
      order.map((words) => start.indexOf(words)).sort((a, b) => a - b),
    );
    expect(start.indexOf(order[0]!)).toBeGreaterThan(0);
  });

  test('stacks are asked for where they were wanted only', () => {
    expect(script({recorder: 'bpftrace', kernel: {major: 6, minor: 1}})).not.toContain('kstack');
    expect(script({recorder: 'bpftrace', kernel: {major: 6, minor: 1}, stacks: true})).toContain('kstack(perf');
    expect(script({recorder: 'tracefs', stacks: true})).toMatch(/^stacks=1$/m);
  });
});

describe('the scripts', () => {
  const everything = {stacks: true, pids: [1, 23], seconds: 5};

  test.each(RECORDERS)('%s is read by sh', (recorder) => {
    for (const options of [{}, everything]) {
      const run = spawnSync('sh', ['-n'], {input: script({recorder, ...options}), encoding: 'utf8'});
      expect(run.stderr).toBe('');
      expect(run.status).toBe(0);
    }
  });

  test.each(RECORDERS)('%s never opens kprobe_events in a way that would delete the probes of others', (recorder) => {
    const writes = script({recorder}).match(/>+ *"\$tracefs\/kprobe_events"/g) ?? [];
    expect(writes.length).toBeGreaterThan(0);
    for (const write of writes) expect(write).toMatch(/^>>/);
  });

  test.each(RECORDERS)('%s says that it needs root, and what it can do', (recorder) => {
    const file = join(dir, `${recorder}.sh`);
    writeFileSync(file, script({recorder}));
    const id = join(dir, 'id');
    writeFileSync(id, '#!/bin/sh\necho 1000\n');
    chmodSync(id, 0o755);
    const env = {...process.env, PATH: `${dir}:${process.env['PATH']}`};
    const refused = spawnSync('sh', [file, '-o', join(dir, 'never')], {env, encoding: 'utf8'});
    expect(refused.status).toBe(2);
    expect(refused.stderr).toMatch(/^pinscope-record: only root/);
    const help = spawnSync('sh', [file, '--help'], {env, encoding: 'utf8'});
    expect(help.status).toBe(0);
    const listed = [...help.stdout.matchAll(/^ {2}(-\w), (--[a-z-]+)/gm)].flatMap((match) => match.slice(1));
    expect(listed).toHaveLength(22);
    for (const option of listed) if (!/^--?h/.test(option)) expect(script({recorder}), option).toContain(` ${option}`);
  });

  /** What sh makes of options, as a user who may not record: nothing is changed. */
  const parsed = (recorder: Recorder, ...args: string[]): string => {
    const id = join(dir, 'id');
    writeFileSync(id, '#!/bin/sh\necho 1000\n');
    chmodSync(id, 0o755);
    const shown = ['seconds', 'pids', 'stacks', 'rules', 'limit', 'buffer', 'dry_run', 'gzip', 'out', 'wanted_groups'];
    const show = shown.map((name) => `printf '%s\\n' "${name}=$${name}"`).join('\n');
    const text = script({recorder}).replace('# ---- may it run here?', `${show}\nexit 0\n`);
    const run = spawnSync('sh', ['-s', '--', ...args], {input: text, encoding: 'utf8'});
    return run.stdout + run.stderr;
  };

  test.each(RECORDERS)('%s takes its options short and long', (recorder) => {
    const short = parsed(
      recorder,
      '-d',
      '1500ms',
      '-p',
      '7,8',
      '-s',
      '-n',
      '-z',
      '-r',
      'long-pin',
      '-b',
      '64',
      '-o',
      'x',
    );
    expect(short).toContain(
      'seconds=2\npids=7 8\nstacks=1\nrules=long-pin\nlimit=2048\nbuffer=64\ndry_run=1\ngzip=1\nout=./x\n',
    );
    expect(short).toMatch(/^wanted_groups= take drop refs life owner$/m);
    const long = ['--duration=1500ms', '--pid', '7,8', '--stacks', '--dry-run', '--gzip', '--rules=long-pin'];
    expect(parsed(recorder, ...long, '--buffer', '64', '--output=x')).toBe(short);
    for (const [time, seconds] of [
      ['30', 30],
      ['30s', 30],
      ['0.2s', 1],
      ['5min', 300],
      ['2h', 7200],
      ['08', 8],
    ])
      expect(parsed(recorder, '-d', String(time))).toContain(`seconds=${seconds}\n`);
  });

  test.each([
    [['--nonsense'], 'unknown option --nonsense'],
    [['-d', '1;reboot'], '-d needs a time'],
    [['-d', '0'], '-d needs a time'],
    [['-d'], '-d needs a value'],
    [['-m', 'much'], '-m needs a whole number'],
    [['-p', '1;reboot'], '-p needs numbers of processes'],
    [
      ['-r', 'unpin-while-dam'],
      '-r unpin-while-dam: not a rule that this script records for; these are: unpin-while-dma',
    ],
    [['-r', 'long-pin,*'], '-r *: not a rule'],
  ])('refuse %j', (args, message) => {
    expect(parsed('tracefs', ...args)).toContain(message);
  });

  test('bpftrace is asked for stacks and processes as by a program that was printed with them', () => {
    const text = script({recorder: 'bpftrace'});
    const [ours = ''] = /^ {2}ours\(\) \{.*?^ {2}\}$/ms.exec(text) ?? [];
    const candidates = text.slice(text.indexOf("<<'TABLE'\n") + 10, text.indexOf('\nTABLE')).split('\n');
    const clause = candidates.map((line) => line.split(' ').slice(5).join(' ')).join('\n');
    for (const options of [{}, {stacks: true}, {pids: [7, 8]}, {stacks: true, pids: [7]}]) {
      const own = {...defaultOptions('bpftrace', '1.2.3'), ...options};
      const variables = `stacks=${own.stacks ? 1 : ''}\npids='${own.pids.join(' ')}'`;
      const run = spawnSync('sh', ['-c', `${variables}\n${ours}\nours`], {input: clause, encoding: 'utf8'});
      expect(run.stdout).toBe(
        clauses(own)
          .map((one) => clauseText(one, own))
          .join('\n'),
      );
    }
  });
});

describe('the flags', () => {
  test('become options', () => {
    const options = recordOptions(
      {...flags, with: 'perf', rules: ['long-pin,pin-leak'], pid: ['7', '8'], duration: '1500ms', kernel: '6.1'},
      '1',
    );
    expect(options).toMatchObject({
      recorder: 'perf',
      rules: ['long-pin', 'pin-leak'],
      pids: [7, 8],
      seconds: 2,
      kernel: {major: 6, minor: 1},
    });
  });

  test('take a bare number for seconds, as the script does', () => {
    expect(recordOptions({...flags, duration: '30'}, '1').seconds).toBe(30);
  });

  test.each([
    [{with: 'strace'}, /--with "strace"/],
    [{rules: ['unpin-while-dam']}, /unpin-while-dam/],
    [{pid: ['1;reboot']}, /--pid/],
    [{duration: 'soon'}, /--duration/],
    [{kernel: 'six'}, /--kernel/],
  ])('%j is refused', (wrong, message) => {
    expect(() => recordOptions({...flags, ...wrong}, '1')).toThrow(message);
  });
});
