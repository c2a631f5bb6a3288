import {defineConfig} from 'vitest/config';

/** Where CI wants the counts. */
const reportFile = process.env['PINSCOPE_TEST_REPORT'];

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: './test/build.ts',
    // else vitest swallows what oclif prints
    disableConsoleIntercept: true,
    testTimeout: 30_000,
    // test files share a process and the modules in it, which then are loaded and compiled once; the program's keep nothing
    // from one run to the next
    isolate: false,
    // one short of all by default, which on two is half
    maxWorkers: '100%',
    reporters: reportFile === undefined ? ['default'] : ['default', ['json', {outputFile: reportFile}]],
  },
});
