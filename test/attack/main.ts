/**
 * Attacks the promise that `sure` is never false, with the samples changed as reality changes traces:
 *
 *   npm run attack -- [--minutes N] [--runs N] [--seed S] [--only TEXT] [--save FILE]
 *   npm run attack -- --simulate [complete|any|changed] [--minutes N] [--runs N] [--seed S] [--only BUG] [--save FILE]
 *
 * TEXT is a part of a mutation's or a sample's name. What is sure of a changed trace and not of the whole one is printed with
 * the command that repeats it; --save keeps the last changed trace. The exit status is 1 if there was any.
 *
 * --simulate: instead of samples, the record of a machine whose truth is known (sim/), of correct work or with a planted bug
 * (BUG, none for correct work only), recorded whole, in any manner, or whole and changed. How many of the planted bugs were found is told at the end.
 */
import {parseArgs} from 'node:util';
import {Attack} from './attack.js';
import {Simulation} from './sim/simulation.js';

const {values} = parseArgs({
  options: {
    minutes: {type: 'string'},
    runs: {type: 'string'},
    seed: {type: 'string'},
    only: {type: 'string', default: ''},
    save: {type: 'string'},
    simulate: {type: 'string'},
  },
});
/** Pages told of one run: the rest is likely of the same kind. */
const TOLD_MAX = 5;

const started = Date.now();
const first = number('seed', started % 2 ** 31);
const until = values.minutes === undefined ? Infinity : started + number('minutes', 0) * 60_000;
const runs = number('runs', values.minutes === undefined ? 200 : Infinity);

const simulation = values.simulate === undefined ? undefined : new Simulation(values.simulate, values.only);
const attack = simulation ?? new Attack(values.only);
process.once('exit', () => attack.close());
console.log(`${attack.size}, seeds from ${first}`);

let done = 0;
let refused = 0;
let failures = 0;
for (let seed = first; seed < first + runs && Date.now() < until; seed++) {
  const {mutation, what, sample, read, falselySure} = await attack.run(seed, values.save);
  done++;
  if (!read) refused++;
  if (falselySure.length === 0) continue;
  failures++;
  console.log(`FALSELY SURE seed ${seed}: ${mutation}${what && ` (${what})`}, ${sample}: ${falselySure.length} pages`);
  for (const told of falselySure.slice(0, TOLD_MAX)) console.log(`  ${told}`);
  const only = values.only === '' ? '' : ` --only '${values.only}'`;
  const simulate = values.simulate === undefined ? '' : ` --simulate ${values.simulate}`;
  console.log(`  again: npm run attack --${simulate} --seed ${seed} --runs 1${only} --save changed.txt\n`);
}
const minutes = ((Date.now() - started) / 60_000).toFixed(1);
console.log(
  `${done} runs in ${minutes} min from seed ${first}: ${failures} falsely sure, ${refused} refused or not changed`,
);
if (simulation !== undefined) console.table(simulation.found);
if (failures > 0) process.exitCode = 1;

function number(name: 'seed' | 'minutes' | 'runs', otherwise: number): number {
  const text = values[name];
  if (text === undefined) return otherwise;
  const n = Number(text);
  if (text === '' || !(n >= 0)) throw new Error(`--${name} takes a number, not "${text}"`);
  return n;
}
