/** Printed times of any form as `TraceEvent.t`, and what they say about the clock. */

import type {EventSink} from '../src/events/event.js';
import type {TimeBase} from '../src/base/time.js';
import {decimal} from './bytes.js';

export class Clock {
  private ticksBase = -1;
  private ticksBaseTime = 0;
  private told = false;
  // a fraction first: V8 then computes with them as doubles, where integers would overflow after two seconds
  private firstSeconds = 0.5;
  private firstTime = 0.5;

  constructor(
    private readonly time: TimeBase,
    private readonly sink: EventSink,
    private readonly input: number,
  ) {}

  /** `s.ffffff`: seconds and the fraction in ns */
  fromSeconds(seconds: number, fraction_ns: number): number {
    if (this.firstSeconds === 0.5) {
      this.firstTime = this.time.fromSeconds(seconds, 0);
      this.firstSeconds = seconds;
    }
    return (seconds - this.firstSeconds) * 1e9 + (this.firstTime + fraction_ns);
  }

  /** The digits of a counting clock (x86-tsc, counter, uptime), which may outgrow a double. */
  fromTicks(buf: Uint8Array, start: number, end: number): number {
    this.tell('clock_unit', 'ticks');
    // 15 digits are below 2^53
    if (end - start <= 15 && this.ticksBase >= 0)
      return this.ticksBaseTime + (decimal(buf, start, end) - this.ticksBase);
    let digits = '';
    for (let i = start; i < end; i++) digits += String.fromCharCode(buf[i]!);
    const t = this.time.fromInteger(BigInt(digits), 'ticks');
    if (end - start <= 15 && this.ticksBase < 0) {
      this.ticksBase = decimal(buf, start, end);
      this.ticksBaseTime = t;
    }
    return t;
  }

  /** Latency format: the time since the buffer's start. */
  fromRelative(seconds: number, fraction_ns: number): number {
    this.tell('clock_origin', 'buffer start');
    return this.fromSeconds(seconds, fraction_ns);
  }

  private tell(name: string, value: string): void {
    if (this.told) return;
    this.told = true;
    this.sink.fact(this.input, name, value);
  }
}
