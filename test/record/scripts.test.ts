import {spawnSync} from 'node:child_process';
import {chmodSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {afterAll, describe, expect, test} from 'vitest';
import {payloadOf} from '../../parsers/bpftrace/events.js';
import {EventTable} from '../../parsers/events/table.js';
import {recordOptions} from '../../src/cli/record.js';
import {EventKind} from '../../src/events/event.js';
import {groupsFor, RULE_IDS} from '../../src/record/groups.js';
import {defaultOptions, RECORDERS, type RecordOptions} from '../../src/record/options.js';
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
    expect(help.stdout).toContain('-d  stop after so many seconds');
    const unknown = spawnSync('sh', [file, '--nonsense'], {env, encoding: 'utf8'});
    expect(unknown.stderr).toContain('unknown option --nonsense');
    const noNumber = spawnSync('sh', [file, '-d', '1;reboot'], {env, encoding: 'utf8'});
    expect(noNumber.stderr).toContain('-d needs a whole number');
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
