/** tracefs text: `trace` and `trace_pipe`. */

export {FtraceReader} from './reader.js';
