/** The decoder of packed pieces: what it takes to be made. */
import {expect, it, vi} from 'vitest';
import {unpackerReady} from '../../parsers/records/unpack.js';

it('is ready without a request to anybody, and leaves fetch as it was', async () => {
  const asked = vi.spyOn(globalThis, 'fetch');
  const {fetch} = globalThis;
  await unpackerReady();
  expect(globalThis.fetch).toBe(fetch);
  expect(asked).not.toHaveBeenCalled();
  asked.mockRestore();
});
