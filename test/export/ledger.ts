/** A ledger of a sample in a folder of its own, removed after the test. */
import {existsSync, mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import path from 'node:path';
import {fileURLToPath} from 'node:url';
import {onTestFinished} from 'vitest';
import {type TableFormId, tableForm} from '../../src/export/forms.js';
import {type LedgerOptions, writeLedger, type WrittenLedger} from '../../src/run/write-tables.js';

export const SAMPLES = fileURLToPath(new URL('../../sample-traces/', import.meta.url));

/** `small`: of many small files, each synced: in memory where there is such a place. */
export function temporaryFolder(small = false): string {
  const folder = mkdtempSync(path.join(small && existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'pinscope-test-'));
  onTestFinished(() => rmSync(folder, {recursive: true, force: true}));
  return folder;
}

export function sample(name: string): string {
  return path.join(SAMPLES, name);
}

export async function ledgerOf(
  trace: string,
  folder: string,
  form: TableFormId = 'parquet',
  more: Partial<LedgerOptions> = {},
): Promise<WrittenLedger> {
  return writeLedger({
    traces: [trace],
    from: undefined,
    kernel: undefined,
    pageShift: undefined,
    vmemmap: undefined,
    longPin_ns: 1e9,
    suppressions: undefined,
    command: ['pinscope', 'export'],
    version: 'test',
    folder,
    form: await tableForm(form),
    partitions: [],
    tables: [],
    ...more,
  });
}
