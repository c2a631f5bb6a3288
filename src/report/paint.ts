/** Colour that means something: severities and the verdict. Without colour every function returns its text. */
import type {Severity} from '../results/report.js';

export interface Paint {
  severity(severity: Severity, text: string): string;
  good(text: string): string;
  bad(text: string): string;
  strong(text: string): string;
  faint(text: string): string;
  /** what a change is about */
  change(kind: keyof typeof CHANGES, text: string): string;
}

/** Blue, cyan, yellow and magenta: none of them a severity's weight. */
const CHANGES = {pin: '34', get: '36', dma: '33', writeback: '35'} as const;

const CODES: Record<Severity, string> = {error: '1;31', warning: '33', note: '36'};

export function paint(color: boolean): Paint {
  const as = (code: string) => (text: string) => (color && text !== '' ? `\u001b[${code}m${text}\u001b[0m` : text);
  return {
    severity: (severity, text) => as(CODES[severity])(text),
    good: as('32'),
    bad: as('1;31'),
    strong: as('1'),
    faint: as('2'),
    change: (kind, text) => as(CHANGES[kind])(text),
  };
}
