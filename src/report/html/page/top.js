// What stands above the findings: the causes, and the keys.
'use strict';

/** The causes as rows; answers `{node, rows}`, rows by cause. `choose(id)`: only the findings of this cause, or all again. */
ui.causeList = (report, choose) => {
  const rows = new Map();
  const list = ui.make('div', {class: 'causes', role: 'table', 'aria-label': 'Causes'});
  const head = ['', 'cause', 'found', 'pages', 'sure', 'worst'];
  list.append(
    ui.make(
      'div',
      {class: 'head', role: 'row'},
      head.map((text) => ui.make('span', {role: 'columnheader'}, text)),
    ),
  );
  for (const cause of report.causes) {
    const row = ui.make(
      'div',
      {class: 'row', role: 'row'},
      ui.make(
        'span',
        {role: 'cell'},
        ui.make(
          'button',
          {
            type: 'button',
            class: 'cause',
            title: 'Only the findings of this cause',
            'aria-pressed': 'false',
            onclick: () => choose(cause.id),
          },
          cause.id,
        ),
      ),
      ui.make(
        'span',
        {role: 'cell', class: 'what'},
        ui.badge(cause.severity),
        ' ',
        ui.make('b', {}, cause.title),
        ui.make('span', {class: 'who faint'}, cause.who),
      ),
      ui.make('span', {role: 'cell', class: 'number', 'data-name': 'found'}, cause.found),
      ui.make('span', {role: 'cell', class: 'number', 'data-name': 'pages'}, cause.pages),
      ui.make('span', {role: 'cell', class: 'number', 'data-name': 'sure'}, cause.sure),
      ui.make(
        'span',
        {role: 'cell', class: 'number', 'data-name': 'worst'},
        cause.worst === '' ? '' : cause.worst + ' ',
        ui.make('a', {href: '#' + cause.key, title: 'Show this finding'}, cause.key),
      ),
    );
    rows.set(cause.id, row);
    list.append(row);
  }
  return {node: list, rows};
};

ui.helpDialog = () => {
  const keys = [
    ['j  k', 'next and previous finding'],
    ['[  ]', 'previous and next page of the finding'],
    ['/', 'search; Escape leaves it'],
    ['?', 'these keys'],
    ['in the whole trace', ''],
    ['←  →', 'finding before and after in time'],
    ['+  −  0', 'narrow, widen, leave the range of time'],
    ['in a picture', ''],
    ['+  −  0', 'zoom, all of it'],
    ['←  →', 'move'],
    [',  .', 'event before and after'],
    ['a  b', 'place a marker there; Escape removes both'],
  ];
  const dialog = ui.make(
    'dialog',
    {'aria-label': 'Keys'},
    ui.make(
      'dl',
      {class: 'facts'},
      keys.flatMap(([key, text]) => [
        ui.make('dt', {}, text === '' ? ui.make('b', {}, key) : ui.make('kbd', {}, key)),
        ui.make('dd', {}, text),
      ]),
    ),
    ui.make('form', {method: 'dialog'}, ui.make('button', {}, 'Close')),
  );
  return dialog;
};
