/** A trace as lines that can be taken away, moved and blurred: what a mutation needs of each, and nothing else. */
import {readFileSync} from 'node:fs';
import {gunzipSync} from 'node:zlib';

export interface Line {
  /** with the call stack below it */
  text: string;
  /** of the event; empty for heads and marks, which no mutation takes away */
  name: string;
  /** ns */
  t: number;
  cpu: number;
  pid: number;
  irq: boolean;
}

/** `          wl-309     [000] d.h1.    17.231918: page_ref_mod: pfn=...` (the flags are optional) */
const FTRACE =
  /^ *(?<comm>.{1,40})-(?<pid>\d+) +(?:\([ \d-]+\) +)?\[(?<cpu>\d+)\] (?:(?<flags>\S{4,6}) )? *(?<time>\d+\.\d+): (?<name>[\w.]+)/;
/** `61000030000 cpu=0 pid=5 tid=5 comm=app gup_put_folio pfn=...` */
const BPFTRACE =
  /^(?<time>\d+) cpu=(?<cpu>\d+) pid=\d+ tid=(?<pid>\d+) comm=(?<comm>.{0,40}?) (?<name>[a-z_]\w+)(?: |$)/;
const STACK = /^ => |^\s+\S+\+0x|: <(?:user )?stack trace>/;

export function linesOf(file: string): Line[] {
  const bytes = readFileSync(file);
  return linesIn((file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('latin1'));
}

export function linesIn(text: string): Line[] {
  const lines: Line[] = [];
  for (const line of text.replace(/\n$/, '').split('\n')) {
    const last = lines.at(-1);
    if (last !== undefined && last.name !== '' && STACK.test(line)) last.text += `\n${line}`;
    else lines.push(lineOf(line));
  }
  return lines;
}

function lineOf(text: string): Line {
  const groups = text.startsWith('#') ? undefined : (FTRACE.exec(text) ?? BPFTRACE.exec(text))?.groups;
  if (groups === undefined) return {text, name: '', t: 0, cpu: -1, pid: -1, irq: false};
  const {time, name, cpu, pid, comm, flags} = groups as Record<string, string>;
  return {
    text,
    name: name!,
    t: nanoseconds(time!),
    cpu: Number(cpu),
    pid: Number(pid),
    irq: flags === undefined ? /^<idle>|^swapper/.test(comm!) : /[hHsz]/.test(flags[2]!),
  };
}

function nanoseconds(time: string): number {
  const [s, fraction] = time.split('.');
  return fraction === undefined ? Number(s) : Number(s) * 1e9 + Number(fraction.padEnd(9, '0'));
}

/** The line at another time, in as many digits as it had. */
export function at(line: Line, t: number): Line {
  const m = /(?<= )(\d+)\.(\d+)(?=: )|^\d+(?= cpu=)/.exec(line.text);
  if (m === null) return line;
  const time = m[2] === undefined ? String(t) : seconds(t, m[2].length);
  const {index} = m;
  return {...line, t, text: line.text.slice(0, index) + time + line.text.slice(index + m[0].length)};
}

function seconds(t: number, digits: number): string {
  const s = Math.floor(t / 1e9);
  return `${s}.${String(t - s * 1e9)
    .padStart(9, '0')
    .slice(0, digits)}`;
}

export const textOf = (lines: readonly Line[]): string => `${lines.map((line) => line.text).join('\n')}\n`;
