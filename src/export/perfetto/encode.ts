/**
 * Packets of a Perfetto trace, encoded by protobufjs. The messages are the part of protos/perfetto/trace (google/perfetto,
 * August 2026) that is written here; field numbers are theirs.
 */
import protobuf from 'protobufjs';

export const PROTO = `
  syntax = "proto2";
  message Trace { repeated TracePacket packet = 1; }
  message TracePacket {
    optional uint64 timestamp = 8;
    oneof data { TrackEvent track_event = 11; TrackDescriptor track_descriptor = 60; }
    optional uint32 trusted_packet_sequence_id = 10;
    optional InternedData interned_data = 12;
    optional uint32 sequence_flags = 13;
  }
  message Named { optional uint64 iid = 1; optional string name = 2; }
  message InternedString { optional uint64 iid = 1; optional bytes str = 2; }
  message InternedData {
    repeated Named event_categories = 1; repeated Named event_names = 2; repeated Named debug_annotation_names = 3;
    repeated InternedString debug_annotation_string_values = 29;
  }
  message Counter { optional string unit_name = 6; }
  message TrackDescriptor {
    optional uint64 uuid = 1; optional string name = 2; optional uint64 parent_uuid = 5; optional Counter counter = 8;
    optional int32 child_ordering = 11; optional int32 sibling_order_rank = 12; optional string description = 14;
  }
  message DebugAnnotation { optional uint64 name_iid = 1; optional int64 int_value = 4; optional uint64 string_value_iid = 17; }
  message TrackEvent {
    repeated uint64 category_iids = 3; repeated DebugAnnotation debug_annotations = 4; optional int32 type = 9;
    optional uint64 name_iid = 10; optional uint64 track_uuid = 11; optional int64 counter_value = 30;
    repeated fixed64 flow_ids = 47; repeated fixed64 terminating_flow_ids = 48;
  }`;

const Trace = protobuf.parse(PROTO).root.lookupType('Trace');
/** 64-bit numbers as protobufjs has them. */
interface Long64 {
  add(other: Long64): Long64;
}
const Long = protobuf.util.Long as unknown as {fromString(text: string): Long64; fromNumber(value: number): Long64};

export const EventType = {begin: 1, end: 2, instant: 3, counter: 4} as const;

const STATE_CLEARED = 1;
const NEEDS_STATE = 2;
const SEQUENCE = 1;
/** Children of a group stand in the order of their rank. */
const EXPLICIT = 3;

export type Args = Record<string, string | number | null | undefined>;

export interface EventDetail {
  name?: string;
  category?: string;
  args?: Args;
  flow?: number;
  endsFlow?: number;
  value?: number;
}

type Interned = 'event_categories' | 'event_names' | 'debug_annotation_names' | 'debug_annotation_string_values';

/** Hands on the bytes of each packet. Times are distances from `base` ns. */
export class PerfettoWriter {
  private readonly known: Record<Interned, Map<string, number>> = {
    event_categories: new Map(),
    event_names: new Map(),
    debug_annotation_names: new Map(),
    debug_annotation_string_values: new Map(),
  };
  private fresh: Partial<Record<Interned, object[]>> | undefined;
  private tracks = 0;
  private first = true;
  private readonly base: Long64;

  constructor(
    base: bigint,
    private readonly out: (bytes: Uint8Array) => void,
  ) {
    this.base = Long.fromString(base.toString());
  }

  /** A track; answers its id. A `group`'s children keep the order of their `rank`. */
  track(name: string, more: {parent?: number; rank?: number; group?: boolean; unit?: string} = {}): number {
    const uuid = ++this.tracks;
    this.packet({
      trackDescriptor: {
        uuid,
        name,
        ...(more.parent === undefined ? {} : {parentUuid: more.parent}),
        ...(more.group === true ? {childOrdering: EXPLICIT} : {}),
        ...(more.rank === undefined ? {} : {siblingOrderRank: more.rank}),
        ...(more.unit === undefined ? {} : {counter: {unitName: more.unit}}),
      },
    });
    return uuid;
  }

  event(
    type: (typeof EventType)[keyof typeof EventType],
    trackUuid: number,
    t: number,
    detail: EventDetail = {},
  ): void {
    const {name, category, args, flow, endsFlow, value} = detail;
    this.packet({
      timestamp: this.base.add(Long.fromNumber(t)),
      trackEvent: {
        type,
        trackUuid,
        ...(category === undefined ? {} : {categoryIids: [this.intern('event_categories', category)]}),
        ...(name === undefined ? {} : {nameIid: this.intern('event_names', name)}),
        ...(args === undefined ? {} : {debugAnnotations: this.annotations(args)}),
        ...(flow === undefined ? {} : {flowIds: [flow]}),
        ...(endsFlow === undefined ? {} : {terminatingFlowIds: [endsFlow]}),
        ...(value === undefined ? {} : {counterValue: value}),
      },
    });
  }

  private annotations(args: Args): object[] {
    const out: object[] = [];
    for (const [key, value] of Object.entries(args)) {
      if (value === null || value === undefined) continue;
      const nameIid = this.intern('debug_annotation_names', key);
      if (typeof value === 'number') out.push({nameIid, intValue: value});
      else out.push({nameIid, stringValueIid: this.intern('debug_annotation_string_values', value)});
    }
    return out;
  }

  /** The number of a string; a new one is told in the packet that uses it first. */
  private intern(kind: Interned, text: string): number {
    const map = this.known[kind];
    const known = map.get(text);
    if (known !== undefined) return known;
    const iid = map.size + 1;
    map.set(text, iid);
    const entry = kind === 'debug_annotation_string_values' ? {iid, str: Buffer.from(text)} : {iid, name: text};
    ((this.fresh ??= {})[kind] ??= []).push(entry);
    return iid;
  }

  private packet(data: object): void {
    const {fresh} = this;
    const packet = {
      ...data,
      trustedPacketSequenceId: SEQUENCE,
      sequenceFlags: this.first ? STATE_CLEARED | NEEDS_STATE : NEEDS_STATE,
      ...(fresh === undefined
        ? {}
        : {
            internedData: {
              eventCategories: fresh.event_categories ?? [],
              eventNames: fresh.event_names ?? [],
              debugAnnotationNames: fresh.debug_annotation_names ?? [],
              debugAnnotationStringValues: fresh.debug_annotation_string_values ?? [],
            },
          }),
    };
    this.first = false;
    this.fresh = undefined;
    this.out(Trace.encode({packet: [packet]} as never).finish());
  }
}
