// Where the things of a picture go: its two scales, the rows of its lanes, and which labels have room.
'use strict';

/** Rows of overlapping spans in one lane before the rest is only counted. */
const ROWS = 6;
const ROW = 20;
const SMALL = 6.4; // px that a letter of a label takes

/**
 * A scale is a map from offsets to a line `u` and back: true to time, or with equal steps between the deciding events, for deeds
 * whose first microseconds matter as much as their last milliseconds.
 */
ui.scaleOf = (picture, kind) => {
  const length = Math.max(1, picture.to - picture.from);
  const knots = ui.knotsOf(picture);
  if (kind === 'time' || knots.length < 3)
    return {
      kind: 'time',
      to: (at) => at,
      back: (u) => u,
      from: picture.from - length * 0.06,
      end: picture.to + length * 0.06,
    };
  const room = length * 0.06;
  const last = knots.length - 1;
  const to = (at) => {
    if (at <= knots[0]) return (at - knots[0]) / room;
    if (at >= knots[last]) return last + (at - knots[last]) / room;
    const next = knots.findIndex((knot) => knot > at);
    return next - 1 + (at - knots[next - 1]) / (knots[next] - knots[next - 1]);
  };
  const back = (u) => {
    if (u <= 0) return knots[0] + u * room;
    if (u >= last) return knots[last] + (u - last) * room;
    const part = Math.floor(u);
    return knots[part] + (u - part) * (knots[part + 1] - knots[part]);
  };
  return {kind: 'steps', to, back, from: -0.35, end: last + 0.45};
};
/** The moments that equal steps lie between: deciding events, and the ends of the windows that decide. */
ui.knotsOf = (picture) => {
  const ends = picture.lanes.flatMap((lane) =>
    lane.spans.filter((one) => one.decides).flatMap((one) => [one.from, one.to]),
  );
  const all = [...picture.marks.map((mark) => mark.at), ...ends].filter((at) => at !== null);
  return [...new Set(all)].sort((a, b) => a - b);
};
/** Whether a picture of that width would lay two deciding events on each other. */
ui.crowded = (picture, width) => {
  const knots = ui.knotsOf(picture);
  const px = (width * 0.9) / Math.max(1, picture.to - picture.from);
  return knots.length > 2 && knots.some((knot, at) => at > 0 && (knot - knots[at - 1]) * px < 26);
};

/** Lanes with their rows: spans that overlap stand below each other. Answers lanes with `y` and `height`, and the height of all. */
ui.stack = (lanes, top, named) => {
  let y = top;
  const placed = lanes.map((lane) => {
    const head = named ? 16 : 0;
    const ends = [];
    let more = 0;
    const spans = [...lane.spans]
      .sort((a, b) => (a.from ?? -Infinity) - (b.from ?? -Infinity))
      .flatMap((span) => {
        let row = ends.findIndex((end) => end <= (span.from ?? -Infinity));
        if (row < 0) row = ends.length;
        if (row >= ROWS) {
          more++;
          return [];
        }
        ends[row] = span.to ?? Infinity;
        return [{...span, y: y + head + 5 + row * ROW}];
      });
    const rows = Math.max(1, ends.length);
    const height = head + rows * ROW + 8 + (more > 0 ? 14 : 0);
    const out = {...lane, y, head, height, spans, more, middle: y + head + rows * ROW};
    y += height;
    return out;
  });
  return {lanes: placed, bottom: y};
};

/** How many letters fit. */
ui.fits = (text, px) => text.length * SMALL <= px;
ui.clipped = (text, px) => {
  const most = Math.floor(px / SMALL);
  if (text.length <= most) return text;
  return most < 4 ? '' : text.slice(0, most - 1) + '…';
};
