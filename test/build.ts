/**
 * Builds dist/ once before the tests: some start bin/run.js as a user does. When the build fails, those fail, and the
 * rest still tell what they know.
 */
import {spawnSync} from 'node:child_process';
import type {TestProject} from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** what the build printed if it failed, else empty */
    buildFailure: string;
  }
}

export default function setup(project: TestProject): void {
  const failures = ['scripts/build.mjs', 'scripts/shell-docs.mjs'].map((script) => {
    const {status, stderr} = spawnSync(process.execPath, [script], {encoding: 'utf8'});
    return status === 0 ? '' : stderr;
  });
  project.provide('buildFailure', failures.join(''));
}
