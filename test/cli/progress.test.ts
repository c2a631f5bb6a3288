import {describe, expect, it} from 'vitest';
import {progressLine, showProgress} from '../../src/cli/progress.js';

describe('progress', () => {
  it('tells bytes, share, rate and time left', () => {
    const line = progressLine([{bytesRead: 100e6, size: 700e6}], 2000);
    expect(line).toBe('100.0 MB of 700.0 MB (14%), 50 MB/s, 12 s left');
  });

  it('adds up inputs', () => {
    const inputs = [
      {bytesRead: 10e6, size: 10e6},
      {bytesRead: 0, size: 90e6},
    ];
    expect(progressLine(inputs, 1000)).toBe('10.0 MB of 100.0 MB (10%), 10 MB/s, 9 s left');
  });

  it('promises nothing when the length is unknown', () => {
    const inputs = [
      {bytesRead: 5e6, size: null},
      {bytesRead: 1e6, size: 1e6},
    ];
    expect(progressLine(inputs, 1000)).toBe('6.0 MB read, 6.0 MB/s');
  });

  it('has no division by nothing', () => {
    expect(progressLine([{bytesRead: 0, size: 100}], 0)).toBe('0.0 MB of 0.0 MB (0%), 0.0 MB/s');
    expect(progressLine([], 10)).toBe('0.0 MB read, 0.0 MB/s');
  });

  it('is shown on a terminal only, after a while, and cleared', async () => {
    let now = 0;
    let written = '';
    const stream = {isTTY: true, columns: 40, write: (text: string) => (written += text)};
    const options = {quiet: false, stream: stream as unknown as NodeJS.WriteStream, now: () => now};
    const progress = showProgress([{bytesRead: 1e9, size: 2e9}], options);
    await new Promise((done) => setTimeout(done, 250));
    expect(written).toBe('');
    now = 10_000;
    await new Promise((done) => setTimeout(done, 250));
    progress.stop();
    // once or twice, as the machine's load has it; cut at the terminal's width
    expect(written).toMatch(/^(?:\r\u{1b}\[K1000\.0 MB of 2000\.0 MB \(50%\), 100 MB\/s,){1,2}\r\u{1b}\[K$/u);
    written = '';
    showProgress([], {...options, quiet: true}).stop();
    showProgress([], {...options, stream: {...stream, isTTY: false} as unknown as NodeJS.WriteStream}).stop();
    expect(written).toBe('');
  });
});
