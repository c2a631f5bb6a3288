/**
 * A fact of the machine and the recording, as `pinscope record` writes it before and behind what it recorded:
 *
 *     # pinscope-record: kernel=6.12.117-gupl
 */
const FACT = /^# pinscope-record: ([A-Za-z0-9_.-]+)=(.*)$/;

export interface RecorderFact {
  name: string;
  value: string;
}

/** What a line without its newline states; undefined if it is no such line. */
export function recorderFact(line: string): RecorderFact | undefined {
  const m = FACT.exec(line);
  return m ? {name: m[1]!, value: m[2]!.trim()} : undefined;
}
