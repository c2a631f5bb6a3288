/** `pinscope pins`: who pins, how many, for how long. */
import {basisOf, endingOf} from '../run/basis.js';
import {readTraces} from '../run/read.js';
import {checkKnown} from './known.js';
import {pinChoice} from '../readers/pins/choice.js';
import {PinCollector} from '../readers/pins/collector.js';
import {SOURCES} from '../proof/needs.js';
import {PINS_RENDERERS, type PinsForm} from '../report/pins/index.js';
import type {PinsReport} from '../results/pins.js';
import {readKallsyms} from './kallsyms.js';
import type {TraceOptions} from './base.js';
import {ExitCode, readingCodeOf} from './exit.js';
import {produce} from './run.js';

export async function runPins(options: TraceOptions<PinsForm>, version: string, kallsyms?: string): Promise<ExitCode> {
  const symbols = kallsyms === undefined ? undefined : await readKallsyms(kallsyms);
  return produce({...options, kallsyms}, PINS_RENDERERS[options.to], async (run) => {
    let pins!: PinCollector;
    const reading = await readTraces({...options, kallsyms: symbols, ...run}, (ledger) => {
      pins = new PinCollector(ledger, pinChoice(ledger, options.selection));
      return [pins];
    });
    if (reading.partial === undefined) checkKnown(reading, options);
    const result: PinsReport = {
      schema: 'pinscope.pins/1',
      ...basisOf(reading, {command: options.command, version}),
      ...(options.filters.length > 0 ? {filters: options.filters} : {}),
      ...pins.result(),
      ...endingOf(reading),
    };
    if (pins.unexplained > 0) {
      result.quality.push({
        id: 'unpins-unexplained',
        severity: 'note',
        count: pins.unexplained,
        message: 'drops that no pin in view explains',
        advice: 'see the rule unpin-without-pin',
      });
    }
    if (pins.pagesNotCounted > 0) {
      result.quality.push({
        id: 'pages-not-counted',
        severity: 'note',
        count: pins.pagesNotCounted,
        message: 'pins whose page was not counted, to bound memory',
        advice: 'the numbers of pages are too small; restrict with --pfn, --time or --comm',
      });
    }
    if (!SOURCES.pins.has(reading.ledger)) {
      const remark = 'this trace does not show pins being taken; see pinscope info for what to record';
      return {result, code: ExitCode.usage, remark};
    }
    return {result, code: readingCodeOf(result, options)};
  });
}
