// One finding: what happened, the picture of one of its pages, the proof, the lines of the trace, and how to see them otherwise.
'use strict';

/**
 * `place`: `{page, view}`: which of its pages is drawn, and how; changed in place, `on.changed()` when it was; `on.link()` is the
 * address of what is shown. Answers `{node, page(by)}`: `page` draws the next or previous page.
 */
ui.finding = (finding, place, on) => {
  const drawable = finding.pages.map((page, at) => ({...page, at})).filter((page) => page.picture !== null);
  const frame = ui.make('section', {class: 'frame'});
  const list = ui.make('ol', {class: 'evidence'});
  const others = ui.make('div', {});
  let drawn = null;

  function drawPage() {
    const page = drawable.find(({at}) => at === place.page) ?? drawable[0];
    drawn = page === undefined ? null : ui.picture(page.picture, place.view, on);
    const title = ui.make('h3', {}, 'Page ', picker(page), ' about the moment');
    frame.replaceChildren(...(drawn === null ? [] : [title, drawn.node]));
    if (page !== undefined && page.at > 0)
      frame.append(
        ui.make('p', {class: 'faint'}, 'Of this page its deciding windows and lines are kept, not its other changes.'),
      );
    evidence(page === undefined ? [] : page.picture.marks);
  }
  function picker(page) {
    if (drawable.length < 2) return ui.make('code', {}, page === undefined ? '' : page.pfn);
    const select = ui.make(
      'select',
      {'aria-label': 'Page', onchange: (event) => choosePage(Number(event.target.value))},
      drawable.map(({at, pfn}) => ui.make('option', {value: at}, pfn)),
    );
    select.value = String(page.at);
    const rest = finding.page_count - drawable.length;
    return ui.make(
      'span',
      {class: 'picker'},
      select,
      ' ',
      ui.make(
        'span',
        {class: 'faint'},
        'one of ' + finding.page_count + (rest > 0 ? ', the first ' + drawable.length + ' can be drawn' : ''),
      ),
    );
  }
  function choosePage(at) {
    place.page = at;
    Object.assign(place.view, {span: null, a: null, b: null});
    drawPage();
    on.changed();
  }
  function evidence(marks) {
    const numberOf = (line) => {
      const at = marks.findIndex((mark) => mark.lines.includes(line));
      return at < 0 ? null : at + 1;
    };
    const kept = new Set(finding.evidence.map(({line}) => line));
    const bare = marks.flatMap((mark) =>
      mark.lines
        .filter((line) => !kept.has(line))
        .map((line) => ({
          line,
          head: 'line ' + line + ' (' + mark.words + ')',
          text: '',
          sed: null,
          deciding: mark.deciding !== null,
        })),
    );
    const items = [...finding.evidence, ...bare].map((item) => [item, numberOf(item.line)]);
    const own = items.filter(([, number]) => number !== null);
    const shown = own.length === 0 ? items : own;
    const rest = items.filter((item) => !shown.includes(item));
    list.replaceChildren(...shown.map((item) => evidenceItem(...item)));
    others.replaceChildren(
      ...(rest.length === 0
        ? []
        : [
            folded(
              rest.length +
                (rest.length === 1 ? ' more line' : ' more lines') +
                ' of the same deed, on its other pages or at other times',
              ui.make(
                'ol',
                {class: 'evidence'},
                rest.map((item) => evidenceItem(...item)),
              ),
            ),
          ]),
    );
  }
  function evidenceItem(item, number) {
    return ui.make(
      'li',
      {
        class: item.deciding ? 'deciding' : null,
        onmouseenter: () => drawn !== null && drawn.point(item.line),
        onmouseleave: () => drawn !== null && drawn.point(null),
      },
      ui.make(
        'span',
        {class: 'chip' + (number === null ? ' none' : ''), 'aria-hidden': 'true'},
        number === null ? '' : String(number),
      ),
      ui.make(
        'div',
        {},
        ui.make('span', {class: 'faint'}, item.head),
        item.sed === null ? null : ui.copyButton(item.sed, 'Copy the command that shows line ' + item.line, 'copy sed'),
        ui.make('code', {}, item.text === '' ? 'its text is not kept in this report' : item.text),
      ),
    );
  }

  const article = ui.make(
    'article',
    {class: 'finding'},
    ui.make(
      'h2',
      {},
      ui.badge(finding.severity, finding.verdict),
      ' ' + finding.cause + ' ' + finding.rule + ' ',
      ui.make('span', {class: 'faint'}, finding.verdict + ', '),
      ui.make('a', {href: '#' + finding.key}, finding.key),
      ' ',
      ui.copyButton(on.link, 'Copy the address of what is shown', 'copy link'),
    ),
    ui.make('p', {class: 'message'}, finding.message),
    frame,
  );
  if (finding.proof.length > 0)
    article.append(
      ui.make('h3', {}, finding.page_count > 1 ? 'Proven by, of page ' + finding.pages[0].pfn : 'Proven by'),
      proofList(finding.proof),
    );
  if (finding.evidence.length > 0)
    article.append(ui.make('h3', {}, 'The lines of the trace that decide it'), list, others);
  article.append(ui.make('h3', {}, 'See it otherwise'), commandList(finding.commands));
  article.append(ui.make('h3', {}, 'Facts'), ui.facts(finding.facts));
  if (finding.stacks.length > 0)
    article.append(
      ui.make('h3', {}, 'Call stacks, innermost first'),
      ui.make(
        'div',
        {class: 'stacks'},
        finding.stacks.map((stack) =>
          ui.make('div', {}, ui.make('div', {class: 'faint'}, stack.label), ui.make('pre', {}, stack.lines.join('\n'))),
        ),
      ),
    );
  if (finding.race.length > 0) article.append(folded('The race as text', ui.make('pre', {}, finding.race.join('\n'))));
  if (finding.history.length > 0)
    article.append(
      folded(
        'History of page ' + finding.pages[0].pfn + ' about it',
        ui.table(['time', 'CPU', 'task', 'change', 'known by', 'count', 'line', 'note'], finding.history, [1, 6], 7),
      ),
    );
  if (finding.pages.length > 1) article.append(folded(pagesTitle(), pagesTable()));
  drawPage();

  function pagesTitle() {
    const rest = finding.page_count > finding.pages.length && finding.runs.length > finding.pages.length;
    return rest
      ? 'Its first ' + finding.pages.length + ' page frames or folios, each with its own times'
      : 'Its pages, each with its own times';
  }
  function pagesTable() {
    const rows = finding.pages.map((page, at) => [
      page.picture === null
        ? page.pfn
        : ui.make(
            'button',
            {type: 'button', class: 'small', title: 'Draw this page', onclick: () => choosePage(at)},
            page.pfn,
          ),
      page.order,
      page.when,
      page.times,
    ]);
    return ui.table(['pfn', 'order', 'when', 'times'], rows, [1, 3], 2);
  }
  return {
    node: article,
    page(by) {
      const now = drawable.findIndex(({at}) => at === place.page);
      const next = drawable[Math.max(0, now) + by];
      if (next !== undefined) choosePage(next.at);
    },
  };
};

function folded(title, content) {
  return ui.make('details', {}, ui.make('summary', {}, title), content);
}
function proofList(proof) {
  return ui.make(
    'ul',
    {class: 'proof'},
    proof.map((item) =>
      ui.make(
        'li',
        {class: item.why === null ? null : 'unproven'},
        ui.make('b', {}, item.premise),
        ui.make('span', {}, item.says),
        ui.make(
          'span',
          {class: 'faint'},
          [item.why === null ? '' : 'not proven' + (item.why === '' ? '' : ': ' + item.why), item.by]
            .filter((text) => text !== '')
            .join('; '),
        ),
      ),
    ),
  );
}
function commandList(commands) {
  return ui.make(
    'dl',
    {class: 'commands'},
    commands.flatMap(([what, command]) => [
      ui.make('dt', {}, what),
      ui.make('dd', {}, ui.make('code', {}, command), ui.copyButton(command, 'Copy: ' + what)),
    ]),
  );
}
