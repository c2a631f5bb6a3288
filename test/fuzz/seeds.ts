/**
 * Real captures as text, by form. There are samples of ftrace, bpftrace, dmesg and mail; those of the other forms are
 * made of the ftrace samples, line by line, as the tools would have printed the same events.
 *
 * Texts are latin1 strings: a character is a byte, so invalid UTF-8 goes through unharmed.
 */
import {execFileSync} from 'node:child_process';
import {readdirSync, readFileSync} from 'node:fs';
import path from 'node:path';
import {gunzipSync} from 'node:zlib';
import {INPUT_FORMS, type InputForm} from '../../src/cli/flags.js';

export const FUZZ_FORMS = INPUT_FORMS;
/** Forms whose cases are bytes. */
export const RECORDINGS = ['trace-dat', 'perf-data'] as const satisfies readonly InputForm[];
export type FuzzForm = InputForm;

/** Most lines of one capture that are used. */
const LINES_MAX = 20_000;

export function readSeeds(folder: string): Map<FuzzForm, string[][]> {
  const lines = FUZZ_FORMS.filter((form) => !(RECORDINGS as readonly FuzzForm[]).includes(form));
  const seeds = new Map<FuzzForm, string[][]>(lines.map((form) => [form, []]));
  for (const form of readdirSync(folder)) {
    const list = seeds.get(form as FuzzForm);
    if (!list) continue;
    for (const file of readdirSync(path.join(folder, form)).toSorted()) {
      if (/\.txt(\.gz)?$/.test(file)) list.push(linesOf(path.join(folder, form, file)));
    }
  }
  for (const lines of seeds.get('ftrace')!) {
    seeds.get('trace-cmd')!.push(asTraceCmd(lines));
    seeds.get('perf-script')!.push(asPerfScript(lines));
    seeds.get('dmesg')!.push(asDmesg(lines));
    seeds.get('mail')!.push(asMail(lines));
  }
  return seeds;
}

/** Recordings, unpacked. */
export function readRecordings(folder: string): Map<FuzzForm, Buffer[]> {
  return new Map(
    RECORDINGS.map((form) => [
      form,
      readdirSync(path.join(folder, form))
        .filter((file) => file.endsWith('.xz'))
        .toSorted()
        .map((file) => execFileSync('xz', ['-dc', path.join(folder, form, file)], {maxBuffer: 1 << 28})),
    ]),
  );
}

function linesOf(file: string): string[] {
  const bytes = readFileSync(file);
  const text = (file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('latin1');
  return text.split('\n').slice(0, LINES_MAX);
}

/** `            wl-309   [000] .....    17.231918: page_ref_mod: pfn=...` */
const EVENT = /^ *(.+)-(\d+) +\[(\d+)\] (\S+) +(\d+\.\d+): ([\w.]+): ?(.*)$/;

function eventsOf(lines: readonly string[], write: (m: RegExpExecArray) => string): string[] {
  const out: string[] = [];
  for (const line of lines) {
    const m = EVENT.exec(line);
    if (m) out.push(write(m));
  }
  return out;
}

function asTraceCmd(lines: readonly string[]): string[] {
  const events = eventsOf(
    lines,
    ([, comm, pid, cpu, flags, t, name, rest]) =>
      `${`${comm}-${pid}`.padStart(20)}   [${cpu}] ${flags}    ${t}: ${`${name}:`.padEnd(21)} ${rest}`,
  );
  return ['cpus=2', ...events];
}

function asPerfScript(lines: readonly string[]): string[] {
  return eventsOf(
    lines,
    ([, comm, pid, cpu, , t, name, rest]) =>
      `${comm!.padStart(16)} ${pid!.padStart(7)} [${cpu}] ${t!.padStart(12)}: ${`gup:${name}`.padStart(34)}: ${rest}`,
  );
}

function asDmesg(lines: readonly string[]): string[] {
  const events = eventsOf(lines, ([, comm, pid, cpu, flags, t, name, rest]) => {
    const us = Math.round(Number(t) * 1e6);
    return `[   30.000001] ${`${comm}-${pid}`.padStart(8)} ${cpu!.padStart(7)}${flags} ${us}us : ${name}: ${rest}`;
  });
  return ['[   30.000000] Dumping ftrace buffer:', '[   30.000000] ---------------------------------', ...events];
}

function asMail(lines: readonly string[]): string[] {
  const head = ['From: a@example.org', 'Subject: Re: unpinned', 'Content-Type: text/plain; charset=utf-8', ''];
  return [
    ...head,
    'Here is the trace:',
    '',
    ...lines.slice(0, 400).map((line, i) => (i % 7 === 3 ? `> > ${line}` : `> ${line}`)),
  ];
}
