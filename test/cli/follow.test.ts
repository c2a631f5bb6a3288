/** `analyze --follow` as a shell sees it: what it tells while the trace is still being written, and how it ends. */
import {type ChildProcessWithoutNullStreams, spawn} from 'node:child_process';
import {once} from 'node:events';
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {gzipSync} from 'node:zlib';
import {Ajv, type AnySchemaObject} from 'ajv';
import {afterAll, beforeAll, describe, expect, inject, it} from 'vitest';
import type {Finding} from '../../src/results/report.js';
import {SmallKernel} from '../rules/small-kernel.js';

const P = 0x2fb0;

/** A page unpinned while it was mapped, `at_s` after the beginning, and something else much later. */
function mistake(at_s: number, pfn = P): string {
  const k = new SmallKernel();
  k.wait(at_s * 1e6);
  k.anon(pfn);
  k.pin(pfn);
  k.map(pfn);
  k.unpin(pfn);
  k.unmap(pfn);
  k.munmap(pfn);
  k.wait(100_000);
  k.anon(0x700 + at_s);
  return k.text();
}

/** Without the header and what SmallKernel begins with. */
function later(text: string): string {
  // without the lines of the kernel's start, which would go back in time
  return text
    .split('\n')
    .slice(2)
    .filter((line) => !line.includes(' bash-77 '))
    .join('\n');
}

class Run {
  readonly child: ChildProcessWithoutNullStreams;
  stdout = '';
  stderr = '';

  constructor(args: string[], node: string[] = []) {
    this.child = spawn(process.execPath, [...node, path.resolve('bin/run.js'), 'analyze', '--follow', ...args]);
    this.child.stdout.on('data', (data: Buffer) => (this.stdout += data.toString()));
    this.child.stderr.on('data', (data: Buffer) => (this.stderr += data.toString()));
    this.child.stdin.on('error', () => undefined);
    running.push(this.child);
  }

  /** Waits until the output has it; fails after a while. */
  async until(wanted: RegExp): Promise<void> {
    const began = Date.now();
    while (!wanted.test(this.stdout)) {
      if (Date.now() - began > 40_000) throw new Error(`no ${String(wanted)} in ${this.stdout}${this.stderr}`);
      await new Promise((done) => setTimeout(done, 20));
    }
  }

  async ended(): Promise<number | null> {
    if (this.child.exitCode === null && this.child.signalCode === null) await once(this.child, 'close');
    return this.child.exitCode;
  }

  lines(): {type: string; [key: string]: unknown}[] {
    return this.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as {type: string});
  }
}

const running: ChildProcessWithoutNullStreams[] = [];

beforeAll(() => expect(inject('buildFailure')).toBe(''));
afterAll(() => {
  for (const child of running) child.kill('SIGKILL');
});

// most of their time they wait
describe.concurrent('--follow', () => {
  it('tells a finding while the stream goes on, and a summary on Ctrl-C', async () => {
    const run = new Run([]);
    run.child.stdin.write(mistake(0));
    await run.until(/^F1 error unpin-while-dma \(sure\)\n.*PFN 0x2fb0/m);
    expect(run.stdout).not.toContain('lines,');
    run.child.stdin.write(later(mistake(60, P + 1)));
    await run.until(/^F2 error unpin-while-dma \(sure\)\n.*PFN 0x2fb1/m);
    run.child.kill('SIGINT');
    expect(await run.ended()).toBe(130);
    expect(run.stdout).toMatch(/^stopped by SIGINT: what came after is not in this summary\n\d+ lines, \d+ events\n/m);
    expect(run.stdout).toMatch(/^findings: unpin-while-dma 2$/m);
    expect(run.stderr).toMatch(/^pinscope: SIGINT: stopping;/);
  });

  it('puts names to addresses by a kallsyms file', async () => {
    const dir = mkdtempSync(path.join(tmpdir(), 'pinscope-follow-'));
    const symbols = path.join(dir, 'kallsyms');
    writeFileSync(symbols, 'ffffffff81a3c2e0 T vendor_done\n');
    const k = new SmallKernel();
    k.anon(P);
    k.pin(P);
    k.map(P);
    k.unpin(P);
    k.stack('gup_put_folio', '0xffffffff81a3c2f2');
    k.unmap(P);
    k.munmap(P);
    const run = new Run(['--to', 'ndjson', '--kallsyms', symbols]);
    run.child.stdin.end(k.text());
    expect(await run.ended()).toBe(1);
    rmSync(dir, {recursive: true});
    const finding = run.lines().find(({type}) => type === 'finding') as unknown as Finding;
    expect(finding.stacks.flatMap(({frames}) => frames)).toContain('vendor_done+0x12');
  });

  it('gives ndjson that keeps to the published schema, and says in the last line that it was stopped', async () => {
    const file = new URL('../../schema/pinscope.report.lines.2.json', import.meta.url);
    const schema = JSON.parse(readFileSync(file, 'utf8')) as AnySchemaObject;
    const valid = new Ajv({strictTypes: false, allowUnionTypes: true}).compile(schema);
    const run = new Run(['--to', 'ndjson']);
    run.child.stdin.write(mistake(0));
    await run.until(/"type":"finding"/);
    run.child.kill('SIGTERM');
    expect(await run.ended()).toBe(143);
    const lines = run.lines();
    for (const line of lines) expect(valid(line), JSON.stringify(valid.errors)).toBe(true);
    expect(lines[0]).toMatchObject({type: 'finding', id: 'F1', rule: 'unpin-while-dma', verdict: 'sure'});
    expect(lines.at(-1)).toMatchObject({
      type: 'summary',
      by_rule: {'unpin-while-dma': 1},
      by_verdict: {sure: 1, possible: 0},
      partial: 'stopped by SIGTERM',
    });
  });

  it('ends with the stream, with nothing said to be missing', async () => {
    const run = new Run(['--to', 'ndjson']);
    run.child.stdin.end(mistake(0));
    expect(await run.ended()).toBe(1);
    expect(run.lines().at(-1)).not.toHaveProperty('partial');
    expect(run.lines().map((line) => line.type)).toEqual(['finding', 'summary']);
  });

  it('finds what analyze finds', async () => {
    const text = mistake(0) + later(mistake(1, P + 1)) + later(mistake(2, P));
    const run = new Run(['--to', 'ndjson']);
    run.child.stdin.end(text);
    await run.ended();
    const once_ = spawn(process.execPath, [path.resolve('bin/run.js'), 'analyze', '--to', 'ndjson', '-']);
    let out = '';
    once_.stdout.on('data', (data: Buffer) => (out += data.toString()));
    once_.stdin.end(text);
    await once(once_, 'close');
    const pages = (lines: {type: string; [key: string]: unknown}[]): unknown[] =>
      lines
        .filter((line) => line.type === 'finding')
        .map((line) => [line['rule'], line['verdict'], line['pages'], line['evidence']])
        .toSorted();
    const whole = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as {type: string});
    expect(pages(run.lines())).toEqual(pages(whole));
    expect(pages(whole)).toHaveLength(3);
  });

  it('doubts a finding when a loss that reaches back to it is told right after it', async () => {
    const run = new Run([]);
    const k = new SmallKernel();
    k.anon(P);
    k.pin(P);
    k.map(P);
    k.unpin(P);
    k.unmap(P);
    run.child.stdin.write(`${k.text()}CPU:0 [LOST 9 EVENTS]\n${later(mistake(1, P + 1))}`);
    await run.until(/^F1 error unpin-while-dma \(possible: 9 events of CPU 0 were lost \(line \d+\)\)$/m);
    await run.until(/^F2 error unpin-while-dma \(sure\)$/m);
    run.child.kill('SIGINT');
    await run.ended();
    expect(run.stdout).toMatch(/; 9 events lost in 1 gap$/m);
  });

  it('ends with 3 under --strict when events were lost, and with what was found when none were', async () => {
    const lossy = new Run(['--strict']);
    lossy.child.stdin.end(`${mistake(0)}CPU:0 [LOST 9 EVENTS]\n${later(mistake(1, P + 1))}`);
    expect(await lossy.ended()).toBe(3);
    const whole = new Run(['--strict']);
    whole.child.stdin.end(mistake(0));
    expect(await whole.ended()).toBe(1);
  });

  it('ends with 2 when nothing that came can be judged', async () => {
    const run = new Run([]);
    const wakeup = (at: number): string =>
      `            bash-123     [000] d....    17.1000${at}: sched_wakeup: comm=wl pid=12 prio=120 target_cpu=000\n`;
    run.child.stdin.end(Array.from({length: 30}, (_, i) => wakeup(10 + i)).join(''));
    expect(await run.ended()).toBe(2);
    expect(run.stdout).toMatch(/^no findings$/m);
    expect(run.stderr).toBe(
      'pinscope: standard input: nothing that came can be judged; pinscope info says what to record\n',
    );
  });

  it('says that it reads nothing compressed', async () => {
    const run = new Run([]);
    run.child.stdin.end(gzipSync(mistake(0)));
    expect(await run.ended()).toBe(2);
    expect(run.stderr).toBe(
      'pinscope: standard input: is compressed (gzip), and not read as it comes; analyse it without --follow\n',
    );
  });

  it('does not wait for more lines than come', async () => {
    const run = new Run([]);
    // its last event ends the finding: nothing later says that time goes on
    run.child.stdin.write(mistake(0).split('\n').slice(0, -2).join('\n'));
    run.child.stdin.write('\n');
    await run.until(/^F1 error unpin-while-dma/m);
  });

  it('puts what bpftrace prints out of order into order, without waiting for thousands of events', async () => {
    const run = new Run([]);
    const k = readFileSync('sample-traces/bpftrace/mixed-6.12.txt', 'utf8');
    run.child.stdin.write(k);
    await run.until(/^F1 /m);
  });

  it('ends when the one who read its findings has gone', async () => {
    const run = new Run([]);
    run.child.stdin.write(mistake(0));
    await run.until(/^F1 /m);
    run.child.stdout.destroy();
    run.child.stdin.write(later(mistake(60, P + 1)));
    expect(await run.ended()).toBe(1);
    expect(run.stderr).toBe('');
  });

  it('ends with a clear line when its output cannot be written', async () => {
    const run = new Run(['-o', '/dev/full']);
    run.child.stdin.write(mistake(0));
    expect(await run.ended()).toBe(2);
    expect(run.stderr).toMatch(/^pinscope: \/dev\/full: cannot write: no space left on the device/);
  });

  it('says so when what comes is no trace, and when nothing comes', async () => {
    const text = new Run([]);
    text.child.stdin.end('hello\n'.repeat(500));
    expect(await text.ended()).toBe(2);
    expect(text.stderr).toMatch(/^pinscope: standard input: no known form of trace/);
    const nothing = new Run([]);
    nothing.child.stdin.end();
    expect(await nothing.ended()).toBe(2);
    expect(nothing.stderr).toMatch(/^pinscope: standard input: no event came/);
    expect(nothing.stdout).toBe('');
  });

  it('says so when it cannot be read', async () => {
    const run = new Run(['/proc/self/mem']);
    expect(await run.ended()).toBe(2);
    expect(run.stderr).toBe(
      'pinscope: /proc/self/mem: nothing could be read: read error after 0 bytes: the device reports a read error\n',
    );
  });

  it('counts lines that are too long, and goes on', async () => {
    const run = new Run(['--to', 'ndjson']);
    run.child.stdin.write(mistake(0));
    run.child.stdin.write(`${'x'.repeat(2 << 20)}\n${'x'.repeat(20 << 20)}\n`);
    run.child.stdin.end(later(mistake(1, P + 1)));
    expect(await run.ended()).toBe(1);
    const last = run.lines().at(-1);
    const lines = (mistake(0) + later(mistake(1, P + 1))).split('\n').length - 1;
    expect(last).toMatchObject({type: 'summary', lines: lines + 2, unrecognised: 2, by_rule: {'unpin-while-dma': 2}});
  });

  it('reads no form that needs the whole trace', async () => {
    const run = new Run(['--to', 'html']);
    expect(await run.ended()).toBe(2);
    expect(run.stderr).toMatch(/--to html needs the whole trace/);
  });

  it('stays flat: two and a half times the length over the same pages needs hardly more memory', async () => {
    // garbage that V8 has not collected yet is not what is asked about
    const run = new Run(['--to', 'ndjson'], ['--max-old-space-size=64']);
    const rss_mib = (): number =>
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${run.child.pid}/status`, 'utf8'))?.[1]) / 1024;
    // every second piece is the seconds of a time
    const pieces = `${later(mistake(0))}\n`.split(/(\d+)(?=\.\d{6}:)/);
    let sent = 0;
    let second = 0;
    const send = async (until: number): Promise<number> => {
      while (sent < until) {
        let block = '';
        for (const end = second + 100; second < end; second++)
          block += pieces.map((piece, i) => (i % 2 === 0 ? piece : Number(piece) + second)).join('');
        sent += block.length;
        if (!run.child.stdin.write(block)) await once(run.child.stdin, 'drain');
      }
      return rss_mib();
    };
    run.child.stdin.write('# tracer: nop\n#\n');
    // V8 lets its heap grow to its working size first
    const early = await send(8e6);
    expect(await send(20e6)).toBeLessThan(early + 35);
    run.child.kill('SIGINT');
    await run.ended();
  }, 60_000);
});
