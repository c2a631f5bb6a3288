/**
 * Text that looks like a trace, the same on every machine: what the compressed files in fixtures/ unpack to.
 *
 * They were made from it with xz 5.4 and zstd 1.5:
 *   xz -9                                           plain.xz
 *   xz --lzma2=dict=64KiB,lc=0,lp=2,pb=0 -C crc32   small-dictionary.xz (its window moves on more than once)
 *   xz --block-size=300000 -T2                      blocks.xz
 *   xz -C sha256 of the first half, 4 zero bytes, xz -C none -0 of the second half    streams.xz
 *   xz --delta=dist=4 --lzma2                       delta.xz (not read)
 *   zstd -19                                        plain.zst
 *   zstd --no-check of the first half, a skippable frame, zstd -1 --no-content-size of the second half    frames.zst
 */
export function sampleText(bytes = 3_000_000): Buffer {
  const lines: string[] = [];
  let length = 0;
  let random = 12345;
  for (let i = 0; length < bytes; i++) {
    // few surprises, so that the compressed files stay small
    if (i % 24 === 0) random = (Math.imul(random, 1103515245) + 12345) >>> 0;
    const pfn = (random >>> 16) & 31;
    const count = (random >>> 24) & 3;
    const line = `  fio-309 [00${i & 1}] d..1. 12.${String(i >> 4).padStart(6, '0')}: page_ref_mod: pfn=0x${pfn.toString(16)} count=${count}\n`;
    lines.push(line);
    length += line.length;
  }
  return Buffer.from(lines.join('')).subarray(0, bytes);
}
