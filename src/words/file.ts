/** A page of a file as reports name it. */

/** `dev`: major * 2^20 + minor. */
export function fileText(file: {dev: number; ino: number; index: number}): {dev: string; ino: string; index: string} {
  return {dev: deviceText(file.dev), ino: String(file.ino), index: String(file.index)};
}

/** `259:0` */
export function deviceText(dev: number): string {
  return `${Math.floor(dev / 2 ** 20)}:${dev % 2 ** 20}`;
}
