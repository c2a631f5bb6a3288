/** Properties that are made when they are read, of a source that is smaller than they are. */

/**
 * Answers what gives an object such properties, in the order of `makers`. They are its own and enumerable: JSON and spreading read
 * them like others. Of each the one read last is kept: reading it again makes nothing anew, and nobody changes what they read.
 */
export function madeWhenRead<Source, Made extends object>(makers: {
  [Key in keyof Made]: (source: Source) => Made[Key];
}): <Target extends object>(target: Target, source: Source) => Target & Readonly<Made> {
  const from = Symbol('source');
  const shared: PropertyDescriptorMap = {};
  for (const [key, make] of Object.entries(makers) as [string, (source: Source) => unknown][]) {
    let last: {source: Source; made: unknown} | undefined;
    shared[key] = {
      enumerable: true,
      configurable: true,
      get(this: {[from]: Source}) {
        const source = this[from];
        if (last?.source !== source) last = {source, made: make(source)};
        return last.made;
      },
    };
  }
  return (target, source) =>
    Object.defineProperties(Object.defineProperty(target, from, {value: source}), shared) as never;
}
