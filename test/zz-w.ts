// @ts-nocheck
import {execFileSync} from 'node:child_process';
import {ledgerOf, temporaryFolder} from './export/ledger.js';
