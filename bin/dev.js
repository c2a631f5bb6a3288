// Runs the TypeScript sources without a build: node --import tsx bin/dev.js analyze TRACE
import {main} from '../src/cli/main.js';
await main({development: true});
