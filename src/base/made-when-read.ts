/** Properties that are made anew each time they are read, of a source that is smaller than they are. */

/**
 * Answers what gives an object such properties, in the order of `makers`. They are its own and enumerable: JSON and spreading read
 * them like others. Who changes what it reads changes a copy.
 */
export function madeWhenRead<Source, Made extends object>(makers: {
  [Key in keyof Made]: (source: Source) => Made[Key];
}): <Target extends object>(target: Target, source: Source) => Target & Readonly<Made> {
  const from = Symbol('source');
  const shared: PropertyDescriptorMap = {};
  for (const [key, make] of Object.entries(makers) as [string, (source: Source) => unknown][]) {
    shared[key] = {
      enumerable: true,
      configurable: true,
      get(this: {[from]: Source}) {
        return make(this[from]);
      },
    };
  }
  return (target, source) =>
    Object.defineProperties(Object.defineProperty(target, from, {value: source}), shared) as never;
}
