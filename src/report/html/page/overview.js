// The whole trace with every finding of the file on it, a lane a cause, and a brush for a range of time.
'use strict';

/** Lanes before the rest share one. */
const LANES = 10;
const LANE = 18;

/**
 * `on.choose(finding)`, `on.range([from, to] | null)`, `on.cause(id)`. Answers `{node, show(state, passes)}`: `passes(finding)` says
 * what the filters let through.
 */
ui.overview = (report, findings, on) => {
  const {base, to: whole, unit} = report.overview;
  const lanes = report.causes.slice(0, LANES);
  const rest = report.causes.length > LANES ? 1 : 0;
  const laneOf = new Map(report.causes.map((cause, at) => [cause.id, Math.min(at, LANES)]));
  const placed = findings.filter((finding) => finding.at !== null);
  const top = 6;
  const bottom = top + (lanes.length + rest) * LANE;
  const height = bottom + 24;
  let width = 900;
  let left = 40;
  let state = {current: null, time: null, cause: ''};
  let passes = () => true;
  const svg = ui.draw('svg', {
    class: 'overview',
    tabindex: '0',
    role: 'group',
    'aria-label':
      placed.length +
      ' findings over the whole trace, a lane a cause. Left and right go to the finding before and after, plus and minus narrow and widen the range, 0 is all.',
  });
  const readout = ui.make('p', {class: 'faint readout', 'aria-live': 'polite'});
  const right = () => width - 10;
  const x = (at) => left + (at / whole) * (right() - left);
  const atOf = (px) => Math.min(whole, Math.max(0, ((px - left) / (right() - left)) * whole));

  function paint() {
    svg.setAttribute('viewBox', '0 0 ' + width + ' ' + height);
    const nodes = [];
    const {list, step} = ui.steps(0, whole, Math.max(2, Math.floor(width / 110)), zero());
    const digits = unit === 'ns' ? Math.min(9, Math.max(0, Math.ceil(9 - Math.log10(step) - 1e-9))) : 0;
    for (const tick of list) {
      nodes.push(
        ui.draw('line', {class: 'grid', x1: x(tick), x2: x(tick), y1: top, y2: bottom}),
        ui.draw(
          'text',
          {class: 'axis', x: Math.min(x(tick), width - 34), y: bottom + 16, 'text-anchor': 'middle'},
          ui.point(base, tick, unit, digits),
        ),
      );
    }
    lanes.forEach((cause, at) => nodes.push(...laneHead(cause, at)));
    if (rest > 0) nodes.push(ui.draw('text', {class: 'axis', x: 2, y: top + LANES * LANE + 13}, 'more'));
    // those that the filters leave out first, the chosen one last: it lies on top
    const chosen = state.current;
    const order = [...placed].sort((a, b) => Number(passes(a)) - Number(passes(b)));
    for (const finding of order) if (finding !== chosen) nodes.push(tick(finding));
    if (state.time !== null) nodes.push(...brush(state.time));
    if (chosen !== null && chosen.at !== null) nodes.push(tick(chosen), pointer(chosen));
    svg.replaceChildren(...nodes);
  }
  /** So that ticks stand at round times of the trace. */
  function zero() {
    return -Number(BigInt(base) % 1000000000000n);
  }
  function laneHead(cause, at) {
    const y = top + at * LANE;
    return [
      ui.draw('line', {class: 'rail', x1: left, x2: right(), y1: y + LANE / 2, y2: y + LANE / 2}),
      ui.draw(
        'text',
        {
          class: 'lane ' + (state.cause === cause.id ? 'chosen' : ''),
          x: 2,
          y: y + 13,
          onclick: () => on.cause(state.cause === cause.id ? '' : cause.id),
        },
        cause.id,
        ui.draw('title', {}, cause.title + ', ' + cause.found + ' found: only this cause'),
      ),
    ];
  }
  function tick(finding) {
    const y = top + (laneOf.get(finding.cause) ?? LANES) * LANE;
    const sure = finding.verdict === 'sure';
    return ui.draw(
      'line',
      {
        class: 'find ' + finding.severity + (passes(finding) ? '' : ' out') + (sure ? '' : ' maybe'),
        x1: x(finding.at),
        x2: x(finding.at),
        y1: y + 3,
        y2: y + LANE - 3,
      },
      ui.draw('title', {}, finding.when + ' ' + finding.cause + ' ' + finding.rule + ' ' + finding.key),
    );
  }
  function pointer(finding) {
    const px = x(finding.at);
    const y = top + (laneOf.get(finding.cause) ?? LANES) * LANE;
    return ui.draw('rect', {class: 'here', x: px - 4, y, width: 8, height: LANE, rx: 2});
  }
  function brush([from, to]) {
    const [x1, x2] = [x(from), x(to)];
    return [
      ui.draw('rect', {class: 'veil', x: left, y: 0, width: Math.max(0, x1 - left), height: bottom}),
      ui.draw('rect', {class: 'veil', x: x2, y: 0, width: Math.max(0, right() - x2), height: bottom}),
      ui.draw('rect', {class: 'brush', x: x1, y: 0.5, width: Math.max(1, x2 - x1), height: bottom}),
      ...[x1, x2].map((px) =>
        ui.draw('rect', {class: 'handle', x: px - 2, y: bottom / 2 - 10, width: 4, height: 20, rx: 2}),
      ),
    ];
  }

  // ---- the brush: drag makes one, its ends and itself can be moved; a click chooses a finding
  let drag = null;
  const pixel = (event) => {
    const box = svg.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * width, ((event.clientY - box.top) / box.height) * height];
  };
  svg.addEventListener('pointerdown', (event) => {
    const [px] = pixel(event);
    if (event.button !== 0 || px < left - 6) return;
    drag = {px, moved: false, keep: null, shift: null};
    if (state.time !== null) {
      const [x1, x2] = state.time.map(x);
      if (Math.abs(px - x1) < 7) drag.keep = state.time[1];
      else if (Math.abs(px - x2) < 7) drag.keep = state.time[0];
      else if (px > x1 && px < x2) drag.shift = state.time;
    }
    svg.setPointerCapture(event.pointerId);
  });
  svg.addEventListener('pointermove', (event) => {
    if (drag === null) return;
    const [px] = pixel(event);
    if (!drag.moved && Math.abs(px - drag.px) < 4) return;
    drag.moved = true;
    if (drag.shift !== null) {
      const by = ((px - drag.px) / (right() - left)) * whole;
      const [from, to] = drag.shift;
      const start = Math.min(Math.max(0, from + by), whole - (to - from));
      state.time = [start, start + (to - from)];
    } else {
      const ends = [drag.keep ?? atOf(drag.px), atOf(px)];
      state.time = [Math.min(...ends), Math.max(...ends)];
    }
    paint();
    tell();
  });
  svg.addEventListener('pointerup', (event) => {
    const ended = drag;
    drag = null;
    if (ended === null) return;
    if (ended.moved) on.range(state.time);
    else {
      const near = nearest(...pixel(event));
      if (near !== null) on.choose(near);
      else if (state.time !== null) on.range(null);
    }
  });
  svg.addEventListener('dblclick', () => on.range(null));
  function nearest(px, py) {
    const lane = Math.floor((py - top) / LANE);
    let best = null;
    let least = 9;
    for (const finding of placed) {
      if (!passes(finding) || (laneOf.get(finding.cause) ?? LANES) !== lane) continue;
      const far = Math.abs(x(finding.at) - px);
      if (far < least) [best, least] = [finding, far];
    }
    return best;
  }
  svg.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const at = state.current === null ? null : state.current.at;
    const middle = at ?? whole / 2;
    const size = state.time === null ? whole : state.time[1] - state.time[0];
    const does = {
      ArrowLeft: () => step(-1),
      ArrowRight: () => step(1),
      '+': () => around(middle, size / 2),
      '=': () => around(middle, size / 2),
      '-': () => (size * 2 >= whole ? on.range(null) : around(middle, size * 2)),
      0: () => on.range(null),
      Escape: () => on.range(null),
    }[event.key];
    if (does === undefined) return;
    event.preventDefault();
    does();
  });
  function around(at, size) {
    const from = Math.min(Math.max(0, at - size / 2), whole - size);
    on.range([from, from + size]);
  }
  function step(by) {
    const order = placed.filter(passes).sort((a, b) => a.at - b.at);
    const next = order[order.indexOf(state.current) + by];
    if (next !== undefined) on.choose(next);
  }
  const clear = ui.make('button', {type: 'button', class: 'small', onclick: () => on.range(null)}, 'whole trace');
  function tell() {
    if (state.time === null) {
      const length = unit === 'ns' ? ui.length(whole) + ' of trace' : 'the whole trace';
      const away = findings.length - placed.length;
      readout.replaceChildren(
        length +
          ', a lane a cause, a stroke a finding' +
          (away > 0 ? ' (' + away + ' without a time are not on it)' : '') +
          '. Drag to choose a range of time.',
      );
      return;
    }
    const [from, to] = state.time;
    const inside = placed.filter((finding) => finding.at >= from && finding.at <= to && passes(finding)).length;
    const length = unit === 'ns' ? ' (' + ui.length(to - from) + ')' : '';
    readout.replaceChildren(
      ui.point(base, from, unit, 6) +
        ' to ' +
        ui.point(base, to, unit, 6) +
        length +
        ': ' +
        inside +
        ' of ' +
        findings.length +
        ' findings ',
      clear,
    );
  }
  ui.fit(svg, (drawn) => {
    width = drawn;
    left = 40;
    paint();
  });
  return {
    node: ui.make('section', {class: 'whole', 'aria-label': 'The whole trace'}, svg, readout),
    show(now, filter) {
      state = {current: now.current, time: now.time, cause: now.cause};
      passes = filter;
      paint();
      tell();
    },
  };
};
