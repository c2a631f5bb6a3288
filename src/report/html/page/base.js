// Elements, times and the clipboard for the HTML report. The files of this folder are joined, in the order that render.ts names, into
// the one script of the page; what they give each other is in `ui`. All text goes into the document by textContent, styles by
// classes; nothing is ever parsed as HTML, and nothing is asked of anybody.
'use strict';

const ui = {};

/** An element with attributes, listeners (`onclick`) and children; strings become text, null nothing. */
ui.make = (name, props, ...children) => ui.fill(document.createElement(name), props, children);
ui.draw = (name, props, ...children) =>
  ui.fill(document.createElementNS('http://www.w3.org/2000/svg', name), props, children);
ui.fill = (node, props, children) => {
  for (const [key, value] of Object.entries(props || {})) {
    if (key.startsWith('on')) node.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined) node.setAttribute(key, value);
  }
  for (const child of children.flat()) if (child !== null && child !== undefined) node.append(child);
  return node;
};

// ---- times: offsets in ns (or ticks, or lines) from a base that is a decimal string

/** A length of time in words. */
ui.length = (ns) => {
  const size = Math.abs(ns);
  for (const [unit, name] of UNITS) if (size >= unit) return Number((ns / unit).toPrecision(3)) + ' ' + name;
  return Math.round(ns) + ' ns';
};
const UNITS = [
  [1e9, 's'],
  [1e6, 'ms'],
  [1e3, 'us'],
];

/** A point as the trace prints it: seconds with so many digits, or a plain number. */
ui.point = (base, offset, unit, digits = 9) => {
  const at = BigInt(base) + BigInt(Math.round(offset));
  if (unit !== 'ns') return at.toString();
  const size = at < 0n ? -at : at;
  const fraction = (size % 1000000000n).toString().padStart(9, '0').slice(0, digits);
  return (at < 0n ? '-' : '') + size / 1000000000n + (digits > 0 ? '.' + fraction : '');
};
/** The offset of such a text; null where it is none. */
ui.offset = (base, text, unit) => {
  const match = /^(-?)(\d{1,18})(?:\.(\d{1,9}))?$/.exec(text.trim());
  if (match === null) return null;
  const whole = unit === 'ns' ? match[2] + (match[3] || '').padEnd(9, '0') : match[2];
  return Number(BigInt(match[1] + whole) - BigInt(base));
};

/** Round steps between two offsets, at most so many, counted from `zero`. */
ui.steps = (from, to, most, zero) => {
  let step = 10 ** Math.floor(Math.log10((to - from) / most));
  step *= [1, 2, 5, 10].find((factor) => (to - from) / (step * factor) <= most) || 10;
  step = Math.max(1, step);
  const list = [];
  for (let at = Math.ceil((from - zero) / step) * step + zero; at <= to; at += step) list.push(at);
  return {list, step};
};
/** `+1.5 ms`, with as many digits as steps of that size need. */
ui.signed = (ns, step, size) => {
  if (Math.round(ns) === 0) return '0';
  const [unit, name] = UNITS.find(([least]) => size >= least) || [1, 'ns'];
  const digits = Math.max(0, Math.ceil(Math.log10(unit / step) - 1e-9));
  return (ns > 0 ? '+' : '-') + (Math.abs(ns) / unit).toFixed(digits) + ' ' + name;
};

// ---- drawings that are as wide as their place

/** Calls `paint(width)` at first and whenever the drawing gets another width. */
ui.fit = (svg, paint) => {
  let width = 0;
  new ResizeObserver(() => {
    const drawn = Math.round(svg.getBoundingClientRect().width);
    if (drawn < 50 || drawn === width) return;
    width = drawn;
    paint(width);
  }).observe(svg);
};

// ---- copying

/** `says` stands on the button; `what` is told to who does not see where it stands. */
ui.copyButton = (text, what, says = 'copy') => {
  const button = ui.make(
    'button',
    {
      type: 'button',
      class: 'copy',
      title: text,
      'aria-label': what,
      onclick: async (event) => {
        event.stopPropagation();
        const done = await copied(typeof text === 'function' ? text() : text);
        button.textContent = done ? 'copied' : 'not copied';
        setTimeout(() => (button.textContent = says), 1200);
      },
    },
    says,
  );
  if (typeof text === 'function') button.removeAttribute('title');
  return button;
};
/** The clipboard, or where a browser keeps it from files the way of a selection. */
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = ui.make('textarea', {class: 'offscreen', readonly: ''});
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand('copy');
    area.remove();
    return done;
  }
}

// ---- tables

ui.table = (heads, rows, right, wide) => {
  const side = (at) => (right.includes(at) ? 'right' : at === wide ? 'wide' : null);
  const cells = (name, row) =>
    row.map((cell, at) => ui.make(name, {class: side(at), scope: name === 'th' ? 'col' : null}, cell));
  return ui.make(
    'div',
    {class: 'scroll'},
    ui.make(
      'table',
      {},
      ui.make('thead', {}, ui.make('tr', {}, cells('th', heads))),
      ui.make(
        'tbody',
        {},
        rows.map((row) => ui.make('tr', {}, cells('td', row))),
      ),
    ),
  );
};
ui.facts = (list) =>
  ui.make(
    'dl',
    {class: 'facts'},
    list.flatMap(([label, text]) => [ui.make('dt', {}, label), ui.make('dd', {}, text)]),
  );
ui.badge = (severity, verdict) => {
  const possible = verdict !== undefined && verdict !== 'sure';
  return ui.make(
    'span',
    {class: 'badge ' + severity + (possible ? ' possible' : ''), title: verdict || null},
    severity + (possible ? '?' : ''),
  );
};
