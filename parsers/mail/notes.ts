/** What was found in a mail, for sniffing. */
export interface MailNotes {
  headerFields: number;
  headerLine: number;
  /** first event behind quote marks, and their number */
  quotedLine: number;
  quoted: number;
  /** first line put together from pieces, and their number */
  joinedLine: number;
  joined: number;
  /** events without a time */
  untimed: number;
  encodedLine: number;
  encoding: string;
  /** lines of other text */
  prose: number;
  /** events of perf script that nobody decodes */
  others: number;
  /** lines that stand there for the second time */
  repeated: number;
}

export function noNotes(): MailNotes {
  return {
    headerFields: 0,
    headerLine: 0,
    quotedLine: 0,
    quoted: 0,
    joinedLine: 0,
    joined: 0,
    untimed: 0,
    encodedLine: 0,
    encoding: '',
    prose: 0,
    others: 0,
    repeated: 0,
  };
}
