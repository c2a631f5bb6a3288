// Elements and the timeline of the HTML report: joined with report-page.js into the one script of the page.
'use strict';

const SVG = 'http://www.w3.org/2000/svg';

/** An element with properties, attributes (those with a dash, or of SVG) and children; strings become text. */
function make(name, props, ...children) {
  const node = document.createElement(name);
  return fill(node, props, children);
}
function draw(name, props, ...children) {
  const node = document.createElementNS(SVG, name);
  return fill(node, props, children);
}
function fill(node, props, children) {
  for (const [key, value] of Object.entries(props || {})) {
    if (key.startsWith('on')) node.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined) node.setAttribute(key, value);
  }
  for (const child of children.flat()) {
    if (child !== null && child !== undefined) node.append(child);
  }
  return node;
}

// ---- the timeline
/** A span in words. */
function spanText(ns) {
  const size = Math.abs(ns);
  if (size >= 1e9) return (ns / 1e9).toFixed(3) + ' s';
  if (size >= 1e6) return (ns / 1e6).toFixed(3) + ' ms';
  if (size >= 1e3) return (ns / 1e3).toFixed(2) + ' us';
  return Math.round(ns) + ' ns';
}

// oxlint-disable-next-line no-unused-vars -- report-page.js calls it
function makeTimeline(finding) {
  const {drawing, mark} = finding;
  let width = 700; // until the page knows how wide it is drawn
  const left = 8;
  let right = width - 8;
  const rowHeight = 34;
  const topSpace = 44;
  const bottom = topSpace + drawing.spans.length * rowHeight + 6;
  const height = bottom + 30;
  const room = Math.max(1, (drawing.to - drawing.from) * 0.04);
  const whole = {from: drawing.from - room, to: drawing.to + room};
  let view = {...whole};
  const readout = make('span', {class: 'readout mono faint'});
  const svg = draw('svg', {
    class: 'timeline',
    viewBox: '0 0 ' + width + ' ' + height,
    tabindex: '0',
    role: 'img',
    'aria-label': drawing.spans.map((item) => item.text).join('; ') + '; ' + mark,
  });
  const x = (at) => left + ((at - view.from) / (view.to - view.from)) * (right - left);
  const at = (px) => view.from + ((px - left) / (right - left)) * (view.to - view.from);
  let pointed = null;

  function label(offset, digits) {
    if (drawing.axis === 'line') return 'line ' + (BigInt(drawing.base) + BigInt(Math.round(offset)));
    const ns = BigInt(drawing.base) + BigInt(Math.round(offset));
    const whole_s = ns / 1000000000n;
    const fraction = (ns % 1000000000n).toString().padStart(9, '0');
    return whole_s + '.' + fraction.slice(0, digits);
  }
  function ticks() {
    const span = view.to - view.from;
    const most = Math.max(3, Math.floor(width / 110)); // so many labels fit beside each other
    let step = 10 ** Math.floor(Math.log10(span / most));
    step *= [1, 2, 5, 10].find((factor) => span / (step * factor) <= most) || 10;
    step = Math.max(1, step);
    const base = Number(BigInt(drawing.base) % 1000000000000n);
    const list = [];
    for (let tick = Math.ceil((base + view.from) / step) * step - base; tick <= view.to; tick += step) list.push(tick);
    const digits = drawing.axis === 'line' ? 0 : Math.min(9, Math.max(3, 9 - Math.floor(Math.log10(step) + 1e-9)));
    return {list, digits};
  }
  function paint() {
    const nodes = [];
    const {list, digits} = ticks();
    for (const tick of list) {
      nodes.push(
        draw('line', {class: 'grid', x1: x(tick), x2: x(tick), y1: topSpace - 8, y2: bottom}),
        draw(
          'text',
          {class: 'axis', x: Math.min(Math.max(x(tick), 40), width - 44), y: bottom + 18, 'text-anchor': 'middle'},
          label(tick, digits),
        ),
      );
    }
    drawing.spans.forEach((item, row) => {
      const y = topSpace + row * rowHeight;
      const from = Math.max(left, x(item.from));
      const to = Math.min(right, item.open ? right : x(item.to));
      nodes.push(draw('text', {x: left + 2, y: y + 11}, item.label));
      if (to >= from) {
        nodes.push(
          draw(
            'rect',
            {
              class: 'bar ' + item.kind + (item.open ? ' open' : ''),
              x: from,
              y: y + 16,
              width: Math.max(2, to - from),
              height: 12,
            },
            draw('title', {}, item.text),
          ),
        );
        if (item.open)
          nodes.push(draw('text', {class: 'dim', x: right - 4, y: y + 26, 'text-anchor': 'end'}, 'still open >'));
      }
    });
    for (const moment of drawing.moments) {
      const px = x(moment.at);
      if (px < left - 1 || px > right + 1) continue;
      const kind = moment.deciding ? 'deciding' : 'moment';
      nodes.push(
        draw(
          'line',
          {class: kind, x1: px, x2: px, y1: moment.deciding ? 22 : topSpace - 4, y2: bottom},
          draw('title', {}, moment.label),
        ),
      );
      if (moment.deciding) {
        const anchor = px > width * 0.6 ? 'end' : px < width * 0.4 ? 'start' : 'middle';
        nodes.push(draw('text', {class: 'deciding', x: px, y: 16, 'text-anchor': anchor}, mark));
      }
    }
    if (pointed !== null)
      nodes.push(draw('line', {class: 'cursor', x1: x(pointed), x2: x(pointed), y1: 22, y2: bottom}));
    svg.replaceChildren(...nodes);
  }
  function tell(offset) {
    const deciding = drawing.moments.find((moment) => moment.deciding);
    const relative =
      deciding === undefined || drawing.axis === 'line'
        ? ''
        : ' (' + (offset >= deciding.at ? '+' : '') + spanText(offset - deciding.at) + ' from the red line)';
    readout.textContent = label(offset, 9) + relative;
  }
  function zoom(factor, around) {
    const centre = around === undefined ? (view.from + view.to) / 2 : around;
    const least = drawing.axis === 'line' ? 4 : 20;
    const span = Math.min(whole.to - whole.from, Math.max(least, (view.to - view.from) * factor));
    const share = (centre - view.from) / (view.to - view.from);
    move(centre - share * span, span);
  }
  function move(from, span) {
    const start = Math.min(Math.max(from, whole.from), whole.to - span);
    view = {from: start, to: start + span};
    paint();
  }
  function pan(share) {
    const span = view.to - view.from;
    move(view.from + share * span, span);
  }
  function all() {
    view = {...whole};
    paint();
  }
  function pixel(event) {
    const box = svg.getBoundingClientRect();
    return ((event.clientX - box.left) / box.width) * width;
  }
  let drag = null;
  svg.addEventListener('pointerdown', (event) => {
    drag = {px: pixel(event), from: view.from};
    svg.setPointerCapture(event.pointerId);
  });
  svg.addEventListener('pointermove', (event) => {
    const px = pixel(event);
    if (drag !== null) {
      const span = view.to - view.from;
      move(drag.from - ((px - drag.px) / (right - left)) * span, span);
    }
    pointed = at(px);
    tell(pointed);
    paint();
  });
  svg.addEventListener('pointerup', () => (drag = null));
  svg.addEventListener('pointerleave', () => {
    pointed = null;
    readout.textContent = '';
    paint();
  });
  svg.addEventListener('dblclick', all);
  svg.addEventListener(
    'wheel',
    (event) => {
      if (!event.ctrlKey && !event.shiftKey) return; // plain scrolling stays the page's
      event.preventDefault();
      zoom((event.deltaY || event.deltaX) > 0 ? 1.25 : 0.8, at(pixel(event)));
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
    }[event.key];
    if (does === undefined || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    does();
  });
  const tool = (text, title, act) => make('button', {type: 'button', title, 'aria-label': title, onclick: act}, text);
  const deciding = drawing.moments.find((moment) => moment.deciding);
  const tools = make(
    'div',
    {class: 'tools'},
    tool('+', 'Zoom in', () => zoom(0.5)),
    tool('-', 'Zoom out', () => zoom(2)),
    tool('<', 'Earlier', () => pan(-0.3)),
    tool('>', 'Later', () => pan(0.3)),
    deciding === undefined
      ? null
      : tool('Red line', 'Zoom to the moment it happened', () => {
          const span = (view.to - view.from) * 0.3;
          move(deciding.at - span / 2, span);
        }),
    tool('All', 'The whole time', all),
    make('span', {class: 'faint'}, 'drag to move, Ctrl or Shift and wheel to zoom'),
    readout,
  );
  paint();
  new ResizeObserver(() => {
    const drawn = Math.round(svg.getBoundingClientRect().width);
    if (drawn < 50 || drawn === width) return;
    width = drawn;
    right = width - 8;
    svg.setAttribute('viewBox', '0 0 ' + width + ' ' + height);
    paint();
  }).observe(svg);
  return {
    svg,
    tools,
    point: (offset) => {
      pointed = offset;
      if (offset === null) readout.textContent = '';
      else tell(offset);
      paint();
    },
  };
}
