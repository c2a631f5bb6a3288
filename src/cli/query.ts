/** `pinscope query`: SQL over the ledger of traces, or of folders of exported ones. */
import {existsSync} from 'node:fs';
import {UserError} from '../io/user-error.js';
import {Database} from '../query/database.js';
import {SAVED, type SavedQuestion} from '../query/saved.js';
import {type AnswerForm, answerPieces} from '../report/answer.js';
import type {TraceOptions} from './base.js';
import {codeAfter, ExitCode} from './exit.js';
import {watchInterrupts} from './interrupt.js';
import {outputFor} from './run.js';
import {Sources} from './sources.js';
import {nearest, parseDuration} from './values.js';

export interface Asked {
  sql: string | undefined;
  /** name of a saved question; empty: list them */
  saved: string | undefined;
  timeout: string | undefined;
}

/** Answers with the exit status. Throws UserError. */
export async function runQuery(options: TraceOptions<AnswerForm>, asked: Asked, version: string): Promise<number> {
  if (asked.saved === '') return listSaved(options);
  const sql = asked.saved === undefined ? asked.sql : savedNamed(asked.saved).sql;
  if (sql === undefined)
    throw new UserError('no question', {next: "give one: pinscope query 'SELECT ...' TRACE; --saved lists some"});
  if (asked.saved === undefined && existsSync(sql))
    throw new UserError('is a file, not a question', {
      where: sql,
      next: `to ask it: pinscope query 'SELECT ...' ${sql}`,
    });
  const timeout_ms = asked.timeout === undefined ? undefined : parseDuration('timeout', asked.timeout) / 1e6;
  const output = await outputFor(options);
  const interruption = watchInterrupts('stopping');
  const sources = new Sources(options, version, interruption.signal);
  let database: Database | undefined;
  let timer: NodeJS.Timeout | undefined;
  let late = false;
  const stop = (): void => database?.interrupt();
  try {
    database = await Database.open(await sources.files());
    if (interruption.signal.aborted) throw new UserError('stopped');
    interruption.signal.addEventListener('abort', stop);
    if (timeout_ms !== undefined)
      timer = setTimeout(() => {
        late = true;
        stop();
      }, timeout_ms);
    const answer = await database.ask(sql, {pfn: options.selection.pfn[0]?.first ?? null});
    for await (const piece of answerPieces(answer, options.to, options.limit)) {
      if (output.closed) break;
      await output.write(piece);
    }
    await output.commit();
    return ExitCode.clean;
  } catch (error) {
    await output.abort();
    if (late) throw new UserError(`the question took longer than ${asked.timeout}`, {next: 'give it more --timeout'});
    if (interruption.signal.aborted) return codeAfter(interruption.signal, ExitCode.usage);
    throw error;
  } finally {
    clearTimeout(timer);
    interruption.signal.removeEventListener('abort', stop);
    database?.close();
    sources.release();
    interruption.release();
  }
}

async function listSaved(options: TraceOptions<AnswerForm>): Promise<number> {
  const output = await outputFor(options);
  async function* rows(): AsyncIterable<unknown[]> {
    for (const {name, question, sql} of SAVED) yield options.to === 'table' ? [name, question] : [name, question, sql];
  }
  const columns = options.to === 'table' ? ['--saved', 'asks'] : ['name', 'question', 'sql'];
  const answer = {columns, numeric: columns.map(() => false), rows: rows()};
  for await (const piece of answerPieces(answer, options.to, 0)) await output.write(piece);
  await output.commit();
  return ExitCode.clean;
}

function savedNamed(name: string): SavedQuestion {
  const found = SAVED.find((one) => one.name === name);
  if (found !== undefined) return found;
  const near = nearest(
    name,
    SAVED.map((one) => one.name),
  );
  throw new UserError(`--saved: there is no question ${JSON.stringify(name)}`, {
    next: near === undefined ? 'pinscope query --saved lists them' : `did you mean ${near}?`,
  });
}
