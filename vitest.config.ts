import {defineConfig} from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // else vitest swallows what oclif prints
    disableConsoleIntercept: true,
    testTimeout: 30_000,
  },
});
