/**
 * An error that the user can do something about. Printed as `pinscope: WHERE: WHAT; NEXT` (or `WHAT. NEXT` where that is a
 * sentence of its own), on one line, without a stack trace, and the exit status is 2.
 */
export class UserError extends Error {
  override readonly name = 'UserError';
  /** What to do about it, in the imperative; may be empty. */
  readonly next: string;
  /** File, or file:line, where it happened; may be empty. */
  readonly where: string;

  constructor(what: string, options: {where?: string; next?: string; cause?: unknown} = {}) {
    super(what, options.cause === undefined ? undefined : {cause: options.cause});
    this.where = options.where ?? '';
    this.next = options.next ?? '';
  }

  /** The whole line, without the program's name. */
  get line(): string {
    const where = this.where === '' ? '' : `${this.where}: `;
    const next = this.next === '' ? '' : `${/^\p{Lu}/u.test(this.next) ? '.' : ';'} ${this.next}`;
    return `${where}${this.message}${next}`;
  }
}

/** The code of a system error (`ENOENT`), or undefined for anything else. */
export function systemCode(error: unknown): string | undefined {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return undefined;
}
