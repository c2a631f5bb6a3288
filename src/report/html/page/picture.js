// The picture of one page about the moment of a finding: lanes by kind, deciding events numbered across them, two markers.
'use strict';

const HEAD = 56; // room above the lanes: what happened, how long between, the numbers

/**
 * `view`: `{span: [from, to] | null, scale, a, b}` in offsets, changed in place; `on.changed()` when it was. Answers
 * `{node, point(line)}`: `point` shows where a line of the trace stands.
 */
ui.picture = (picture, view, on) => {
  const unit = picture.axis === 'time' ? 'ns' : 'line';
  const moment = picture.marks.find((mark) => mark.deciding !== null);
  const origin = moment === undefined ? picture.from : moment.at;
  const events = [
    ...picture.lanes.flatMap((lane) => [
      ...lane.spans.flatMap((one) => [one.from, one.to]),
      ...lane.ticks.map((tick) => tick.at),
    ]),
    ...picture.marks.map((mark) => mark.at),
  ].filter((at) => at !== null);
  const stops = [...new Set(events)].sort((a, b) => a - b);
  let width = 0;
  let left = 8;
  let scale = ui.scaleOf(picture, 'time');
  let shown = {from: scale.from, to: scale.end}; // in the scale's own measure
  let cursor = null;
  let next = 'a';

  const svg = ui.draw('svg', {class: 'picture', tabindex: '0', role: 'img', 'aria-label': picture.says});
  const readout = ui.make('span', {class: 'readout mono', 'aria-live': 'polite'});
  const right = () => width - 10;
  const x = (at) => left + ((scale.to(at) - shown.from) / (shown.to - shown.from)) * (right() - left);
  const atOf = (px) => scale.back(shown.from + ((px - left) / (right() - left)) * (shown.to - shown.from));

  // ---- painting
  function paint() {
    if (width === 0) return;
    const narrow = width < 560;
    left = narrow ? 8 : 128;
    const {lanes, bottom} = ui.stack(picture.lanes, HEAD, narrow);
    svg.setAttribute('viewBox', '0 0 ' + width + ' ' + (bottom + 40));
    svg.replaceChildren(
      ...lanes.flatMap((lane, at) => laneBack(lane, at, narrow)),
      ...axis(bottom),
      ...late(bottom),
      ...lanes.flatMap(laneBars),
      ...marks(bottom),
      ...markers(bottom),
    );
  }
  function laneBack(lane, at, narrow) {
    return [
      at % 2 === 0 ? ui.draw('rect', {class: 'band', x: 0, y: lane.y, width, height: lane.height}) : null,
      ui.draw(
        'text',
        {class: 'lane', x: 8, y: narrow ? lane.y + 13 : lane.y + 18},
        narrow ? lane.name : ui.clipped(lane.name, left - 12),
        ui.draw('title', {}, lane.name),
      ),
    ].filter((node) => node !== null);
  }
  function laneBars(lane) {
    const nodes = lane.spans.flatMap((span) => bar(lane, span));
    const other = lane.kind === 'other';
    const seen = lane.ticks.map((tick) => ({...tick, px: x(tick.at)})).filter(({px}) => px >= left && px <= right());
    seen.forEach(({px, what, text}, at) => {
      const y = lane.middle - (other ? 8 : -1);
      nodes.push(ui.draw('circle', {class: 'tick ' + lane.kind, cx: px, cy: y, r: 3.5}, ui.draw('title', {}, text)));
      const room = (seen[at + 1]?.px ?? right()) - px - 14;
      if (other && ui.fits(what, room)) nodes.push(ui.draw('text', {class: 'label small', x: px + 7, y: y + 4}, what));
    });
    if (lane.more > 0)
      nodes.push(
        ui.draw(
          'text',
          {class: 'axis', x: left + 4, y: lane.y + lane.height - 5},
          'and ' + lane.more + ' more at the same time',
        ),
      );
    return nodes;
  }
  function bar(lane, span) {
    const from = span.from === null ? left : Math.max(left, x(span.from));
    const to = span.to === null ? right() : Math.min(right(), x(span.to));
    if (to < left || from > right()) return [];
    const size = Math.max(3, to - from);
    const open = (span.from === null ? ' unbegun' : '') + (span.to === null ? ' unended' : '');
    const words =
      span.label + (span.to === null ? ', end not seen' : '') + (span.from === null ? ', begun before' : '');
    const inside = ui.fits(words, size - 12);
    const after = right() - to > from - left;
    const room = inside ? size - 12 : Math.max(right() - to, from - left) - 8;
    return [
      ui.draw(
        'rect',
        {
          class: 'bar ' + lane.kind + (span.decides ? '' : ' aside') + open,
          x: from,
          y: span.y,
          width: size,
          height: ROW - 4,
          rx: 2,
        },
        ui.draw('title', {}, span.text),
      ),
      ui.draw(
        'text',
        {
          class: 'label' + (inside ? ' inside' : ''),
          x: inside ? from + 6 : after ? to + 5 : from - 5,
          y: span.y + 12,
          'text-anchor': inside || after ? 'start' : 'end',
        },
        ui.clipped(words, room),
      ),
    ];
  }
  function axis(bottom) {
    const nodes = [];
    const corner = (at, anchor, px) =>
      nodes.push(
        ui.draw(
          'text',
          {class: 'axis', x: px, y: bottom + 34, 'text-anchor': anchor},
          (unit === 'line' ? 'line ' : '') + ui.point(picture.base, at, unit),
        ),
      );
    corner(atOf(left), 'start', left);
    corner(atOf(right()), 'end', right());
    const ticks = scale.kind === 'steps' ? knotTicks() : timeTicks();
    let used = -Infinity;
    for (const [at, text] of ticks) {
      const px = x(at);
      if (px < left - 1 || px > right() + 1) continue;
      nodes.push(ui.draw('line', {class: 'grid', x1: px, x2: px, y1: HEAD, y2: bottom}));
      const half = (text.length * 6.4) / 2;
      const centre = Math.min(Math.max(px, left + half), right() - half);
      if (centre - half < used + 8) continue;
      used = centre + half;
      nodes.push(ui.draw('text', {class: 'axis strong', x: centre, y: bottom + 16, 'text-anchor': 'middle'}, text));
    }
    return nodes;
  }
  function knotTicks() {
    return ui
      .knotsOf(picture)
      .map((at) => [at, unit === 'line' ? 'line ' + ui.point(picture.base, at, unit) : signed(at)]);
  }
  function signed(at) {
    const far = at - origin;
    return far === 0 ? '0' : (far > 0 ? '+' : '-') + ui.length(Math.abs(far));
  }
  function timeTicks() {
    const most = Math.max(2, Math.floor((right() - left) / 100));
    if (unit === 'line') {
      const {list} = ui.steps(shown.from, shown.to, most, -Number(BigInt(picture.base)));
      return list.map((at) => [at, 'line ' + ui.point(picture.base, at, unit)]);
    }
    const {list, step} = ui.steps(shown.from, shown.to, most, origin);
    return list.map((at) => [at, ui.signed(at - origin, step, shown.to - shown.from)]);
  }
  /** From the moment to the event that came too late (or too early): what the finding is about. */
  function late(bottom) {
    const gap = picture.between;
    if (gap === null) return [];
    const from = Math.max(left, x(gap.from));
    const to = Math.min(right(), x(gap.to));
    if (to <= from) return [];
    const text = ui.fits(gap.text, to - from - 8);
    return [
      ui.draw('rect', {class: 'late', x: from, y: 26, width: to - from, height: bottom - 26}),
      ui.draw('line', {class: 'span', x1: from, x2: to, y1: 30, y2: 30}),
      text ? ui.draw('text', {class: 'span', x: (from + to) / 2, y: 26, 'text-anchor': 'middle'}, gap.text) : null,
    ].filter((node) => node !== null);
  }
  function marks(bottom) {
    const nodes = [];
    picture.marks.forEach((mark, at) => {
      const px = x(mark.at);
      if (px < left - 1 || px > right() + 1) return;
      const deciding = mark.deciding !== null;
      nodes.push(
        ui.draw('line', {class: deciding ? 'deciding' : 'mark', x1: px, x2: px, y1: deciding ? 18 : 50, y2: bottom}),
        ui.draw(
          'g',
          {class: 'number' + (deciding ? ' deciding' : '')},
          ui.draw('circle', {cx: px, cy: 43, r: 9}),
          ui.draw('text', {x: px, y: 47, 'text-anchor': 'middle'}, String(at + 1)),
          ui.draw('title', {}, mark.words + ', ' + linesText(mark.lines)),
        ),
      );
      if (deciding) {
        const half = (mark.deciding.length * 6.8) / 2;
        const anchor = px + half > right() ? 'end' : px - half < left ? 'start' : 'middle';
        nodes.push(ui.draw('text', {class: 'deciding', x: px, y: 12, 'text-anchor': anchor}, mark.deciding));
      }
    });
    return nodes;
  }
  function markers(bottom) {
    const nodes = [];
    for (const name of ['a', 'b']) {
      if (view[name] === null) continue;
      const px = x(view[name]);
      if (px < left - 1 || px > right() + 1) continue;
      nodes.push(
        ui.draw('line', {class: 'marker', x1: px, x2: px, y1: HEAD - 4, y2: bottom + 2}),
        ui.draw('rect', {class: 'marker', x: px - 8, y: bottom + 2, width: 16, height: 16, rx: 3}),
        ui.draw('text', {class: 'marker', x: px, y: bottom + 14, 'text-anchor': 'middle'}, name.toUpperCase()),
      );
    }
    if (cursor !== null)
      nodes.push(ui.draw('line', {class: 'cursor', x1: x(cursor), x2: x(cursor), y1: HEAD - 6, y2: bottom}));
    return nodes;
  }

  // ---- what is under the pointer, and between the markers
  function tell() {
    const parts = [];
    const say = (name, at) =>
      parts.push((name === '' ? '' : name + ' ') + ui.point(picture.base, at, unit) + (name === '' ? apart(at) : ''));
    for (const name of ['a', 'b']) if (view[name] !== null) say(name.toUpperCase(), view[name]);
    if (view.a !== null && view.b !== null) {
      const far = view.b - view.a;
      parts.push('A to B ' + (unit === 'ns' ? ui.length(far) + ' (' + far + ' ns)' : far + ' lines'));
    }
    if (cursor !== null) say('', cursor);
    readout.textContent = parts.join('   ');
  }
  function apart(at) {
    const far = at - origin;
    if (moment === undefined || unit === 'line') return '';
    return ' (' + (far >= 0 ? '+' : '-') + ui.length(Math.abs(far)) + ' from the red line)';
  }
  function point(at) {
    cursor = at;
    tell();
    paint();
  }
  /** The event within reach of a pixel, else the pixel's own time. */
  function snapped(px) {
    const at = atOf(px);
    let best = Math.round(at);
    let least = 7;
    for (const stop of stops) {
      const far = Math.abs(x(stop) - px);
      if (far < least) [best, least] = [stop, far];
    }
    return best;
  }
  function place(name, at) {
    view[name] = at;
    next = name === 'a' ? 'b' : 'a';
    pressed();
    point(at);
    on.changed();
  }
  function unplace() {
    view.a = view.b = null;
    next = 'a';
    pressed();
    point(null);
    on.changed();
  }

  // ---- zoom and move, in the scale's own measure
  function move(from, size) {
    const most = scale.end - scale.from;
    const least = scale.kind === 'steps' ? 0.02 : unit === 'line' ? 4 : 20;
    const kept = Math.min(most, Math.max(least, size));
    const start = Math.min(Math.max(from, scale.from), scale.end - kept);
    shown = {from: start, to: start + kept};
    view.span = kept >= most ? null : [Math.round(scale.back(start)), Math.round(scale.back(start + kept))];
    paint();
    on.changed();
  }
  function zoom(factor, centre) {
    const size = shown.to - shown.from;
    const about = centre ?? (cursor === null ? (shown.from + shown.to) / 2 : scale.to(cursor));
    const share = Math.min(1, Math.max(0, (about - shown.from) / size));
    move(about - share * size * factor, size * factor);
  }
  const pan = (share) => move(shown.from + share * (shown.to - shown.from), shown.to - shown.from);
  const all = () => move(scale.from, scale.end - scale.from);
  function near() {
    const size = (scale.end - scale.from) * 0.25;
    move(scale.to(origin) - size / 2, size);
  }
  function useScale(kind) {
    scale = ui.scaleOf(picture, kind);
    shown = {from: scale.from, to: scale.end};
    if (view.span !== null) shown = {from: scale.to(view.span[0]), to: scale.to(view.span[1])};
    if (scaleButton !== null) {
      scaleButton.textContent = scale.kind === 'steps' ? 'Equal steps' : 'True to time';
      scaleButton.setAttribute('aria-pressed', String(scale.kind === 'steps'));
    }
    note.hidden = scale.kind !== 'steps';
    paint();
  }
  function step(by) {
    const at = cursor ?? origin;
    const rest = by > 0 ? stops.filter((stop) => stop > at) : stops.filter((stop) => stop < at);
    const stop = by > 0 ? rest[0] : rest.at(-1);
    if (stop !== undefined) point(stop);
  }

  const pixel = (event) => {
    const box = svg.getBoundingClientRect();
    return ((event.clientX - box.left) / box.width) * width;
  };
  let drag = null;
  svg.addEventListener('pointerdown', (event) => {
    if (event.button !== 0) return;
    drag = {px: pixel(event), from: shown.from, moved: false};
    svg.setPointerCapture(event.pointerId);
  });
  svg.addEventListener('pointermove', (event) => {
    const px = pixel(event);
    if (drag !== null && (drag.moved || Math.abs(px - drag.px) > 4)) {
      drag.moved = true;
      const size = shown.to - shown.from;
      move(drag.from - ((px - drag.px) / (right() - left)) * size, size);
    }
    if (px >= left && px <= right()) point(snapped(px));
  });
  svg.addEventListener('pointerup', (event) => {
    const px = pixel(event);
    if (drag !== null && !drag.moved && px >= left && px <= right()) place(event.shiftKey ? 'b' : next, snapped(px));
    drag = null;
  });
  svg.addEventListener('pointerleave', () => point(null));
  svg.addEventListener('dblclick', all);
  svg.addEventListener(
    'wheel',
    (event) => {
      if (!event.ctrlKey && !event.shiftKey) return; // plain scrolling stays the page's
      event.preventDefault();
      zoom((event.deltaY || event.deltaX) > 0 ? 1.25 : 0.8, scale.to(atOf(pixel(event))));
    },
    {passive: false},
  );
  svg.addEventListener('keydown', (event) => {
    const does = {
      '+': () => zoom(0.6),
      '=': () => zoom(0.6),
      '-': () => zoom(1.7),
      0: all,
      ArrowLeft: () => pan(-0.2),
      ArrowRight: () => pan(0.2),
      '.': () => step(1),
      ',': () => step(-1),
      a: () => place('a', cursor ?? origin),
      b: () => place('b', cursor ?? origin),
      Escape: unplace,
    }[event.key];
    if (does === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    does();
  });

  const tool = (text, title, act) =>
    ui.make('button', {type: 'button', title, 'aria-label': title, onclick: act}, text);
  const markerButtons = ['a', 'b'].map((name) =>
    tool(name.toUpperCase(), 'The next click in the picture places marker ' + name.toUpperCase(), () => {
      next = name;
      pressed();
    }),
  );
  function pressed() {
    markerButtons.forEach((button, at) => button.setAttribute('aria-pressed', String(next === 'ab'[at])));
  }
  const scaleButton =
    ui.knotsOf(picture).length < 3
      ? null
      : tool('', 'True to time, or equal steps between the deciding events', () => {
          view.scale = scale.kind === 'steps' ? 'time' : 'steps';
          view.span = null;
          useScale(view.scale);
          on.changed();
        });
  const note = ui.make('span', {class: 'faint untrue'}, 'not true to time: equal steps between the deciding events');
  note.hidden = true;
  const tools = ui.make(
    'div',
    {class: 'tools'},
    tool('+', 'Zoom in', () => zoom(0.5)),
    tool('−', 'Zoom out', () => zoom(2)),
    tool('‹', 'Earlier', () => pan(-0.3)),
    tool('›', 'Later', () => pan(0.3)),
    moment === undefined ? null : tool('Red line', 'Zoom to the moment it happened', near),
    tool('All', 'The whole picture', all),
    scaleButton,
    ui.make('span', {class: 'faint gap'}, 'markers'),
    markerButtons,
    tool('×', 'Remove the markers', unplace),
  );
  pressed();
  tell();
  ui.fit(svg, (drawn) => {
    const first = width === 0;
    width = drawn;
    if (first) useScale(view.scale ?? (ui.crowded(picture, width) ? 'steps' : 'time'));
    else paint();
  });
  return {
    node: ui.make('div', {class: 'drawing'}, tools, svg, ui.make('div', {class: 'under'}, note, readout)),
    point: (line) => {
      const mark = line === null ? undefined : picture.marks.find((one) => one.lines.includes(line));
      point(mark === undefined ? null : mark.at);
    },
  };
};

function linesText(lines) {
  return (lines.length === 1 ? 'line ' : 'lines ') + lines.slice(0, 6).join(', ') + (lines.length > 6 ? '...' : '');
}
