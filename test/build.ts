/** Builds dist/ once before the tests: some start bin/run.js as a user does. */
import {execFileSync} from 'node:child_process';

export default function setup(): void {
  execFileSync(process.execPath, ['scripts/build.mjs'], {stdio: 'inherit'});
}
