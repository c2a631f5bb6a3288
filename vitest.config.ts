import {defineConfig} from 'vitest/config';
import {BaseSequencer, type TestSpecification} from 'vitest/node';

/** Where CI wants the counts. */
const reportFile = process.env['PINSCOPE_TEST_REPORT'];

/** They take longest. Started last, as vitest does with small files, they would leave the other CPUs idle at the end. */
const FIRST = ['samples', 'cli/follow', 'cli/process', 'fleet/fleet', 'io/compression', 'fuzz/fuzz'];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({moduleId}: TestSpecification): number => {
      const at = FIRST.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`));
      return at < 0 ? FIRST.length : at;
    };
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: './test/build.ts',
    // else vitest swallows what oclif prints
    disableConsoleIntercept: true,
    testTimeout: 60_000,
    // a page draws when it comes to it, which on a busy machine is late
    expect: {poll: {timeout: 10_000}},
    // test files share a process and the modules in it, which then are loaded and compiled once; the program's keep nothing
    // from one run to the next
    isolate: false,
    sequence: {sequencer: LongestFirst},
    // one short of all by default, which on two is half
    maxWorkers: '100%',
    reporters: reportFile === undefined ? ['default'] : ['default', ['json', {outputFile: reportFile}]],
  },
});
