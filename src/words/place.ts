/** What an event of an input is: a line of text, or a record of a recording, which has a number but no line. */
export type Noun = 'line' | 'record';

const RECORDINGS = new Set(['trace-dat', 'perf-data']);

export function nounOf(input: {format: string} | undefined): Noun {
  return input !== undefined && RECORDINGS.has(input.format) ? 'record' : 'line';
}

/** Of the events that decide a finding: a record's line was rendered. */
export function nounOfFinding(finding: {evidence: readonly {rendered?: true}[]}): Noun {
  return finding.evidence.length > 0 && finding.evidence.every(({rendered}) => rendered === true) ? 'record' : 'line';
}

/** For columns that hold the numbers of all inputs. */
export function nounOfAll(inputs: readonly {format: string}[]): Noun {
  return inputs.length > 0 && inputs.every((input) => nounOf(input) === 'record') ? 'record' : 'line';
}

/** Words that point to lines; of a recording they are records. */
export function placed(words: string, noun: Noun): string {
  return noun === 'line' ? words : words.replace(/\bline(s?) (?=\d)/g, `${noun}$1 `);
}
