// The page: what was read, causes, the whole trace, findings with filters, and the address of what is shown.
'use strict';

(() => {
  const report = JSON.parse(document.getElementById('report').textContent);
  const findings = [...document.querySelectorAll('script.finding')].map((data) => JSON.parse(data.textContent));
  const root = document.getElementById('page');

  // ---- theme: follows the system until the reader chooses
  const dark = window.matchMedia('(prefers-color-scheme: dark)');
  let chosenTheme = null;
  function applyTheme() {
    document.documentElement.dataset.theme = chosenTheme || (dark.matches ? 'dark' : 'light');
  }
  dark.addEventListener('change', applyTheme);
  applyTheme();

  // ---- state: all of it is in the address
  const SEVERITIES = ['error', 'warning', 'note'];
  const noFilter = () => ({
    severity: {error: true, warning: true, note: true},
    cause: '',
    rule: '',
    task: '',
    device: '',
    text: '',
    time: null,
  });
  const noView = () => ({span: null, scale: null, a: null, b: null});
  const state = {...noFilter(), order: 'weight', current: null, page: 0, view: noView()};
  let shown = [];
  let article = null;

  function holdsPage(finding, wanted) {
    return finding.runs.some((run) => {
      const [first, last] = run.split('-').map((end) => BigInt(end));
      return wanted >= first && wanted <= (last === undefined ? first : last);
    });
  }
  function passes(finding) {
    if (!state.severity[finding.severity]) return false;
    if (state.cause !== '' && finding.cause !== state.cause) return false;
    if (state.rule !== '' && finding.rule !== state.rule) return false;
    if (state.task !== '' && !finding.tasks.includes(state.task)) return false;
    if (state.device !== '' && finding.device !== state.device) return false;
    if (state.time !== null && !(finding.at >= state.time[0] && finding.at <= state.time[1])) return false;
    if (state.text === '') return true;
    if (/^0x[0-9a-f]{1,16}$/.test(state.text) && holdsPage(finding, BigInt(state.text))) return true;
    const text = finding.id + ' ' + finding.key + ' ' + finding.message + ' ' + finding.runs.join(' ');
    return text.toLowerCase().includes(state.text);
  }
  const ORDERS = {
    weight: ['by weight', null],
    time: ['by time', (a, b) => (a.at ?? -1) - (b.at ?? -1)],
    distance: ['longest first', (a, b) => b.distance - a.distance],
  };

  // ---- the address: #KEY;page=0x2fb0;cause=C1;time=17.1,17.3;... : a finding, and what is shown of it
  function picture() {
    const page = state.current === null ? undefined : state.current.pages[state.page];
    return page === undefined ? null : page.picture;
  }
  function address() {
    const parts = [state.current === null ? '' : state.current.key];
    const say = (name, value) => parts.push(name + '=' + encodeURIComponent(value).replaceAll('%2C', ','));
    const off = SEVERITIES.filter((severity) => !state.severity[severity]);
    if (off.length > 0) say('severity', SEVERITIES.filter((severity) => state.severity[severity]).join(','));
    for (const name of ['cause', 'rule', 'task', 'device', 'text']) if (state[name] !== '') say(name, state[name]);
    if (state.order !== 'weight') say('order', state.order);
    const {overview} = report;
    if (state.time !== null) say('time', state.time.map((at) => ui.point(overview.base, at, overview.unit)).join(','));
    const drawn = picture();
    if (drawn === null) return '#' + parts.join(';');
    const unit = drawn.axis === 'time' ? 'ns' : 'line';
    if (state.page > 0) say('page', state.current.pages[state.page].pfn);
    if (state.view.scale !== null) say('scale', state.view.scale);
    if (state.view.span !== null) say('view', state.view.span.map((at) => ui.point(drawn.base, at, unit)).join(','));
    for (const name of ['a', 'b'])
      if (state.view[name] !== null) say(name, ui.point(drawn.base, state.view[name], unit));
    return '#' + parts.join(';');
  }
  function named(name) {
    const wanted = name.toLowerCase();
    if (wanted === '') return null;
    return findings.find((finding) => finding.id.toLowerCase() === wanted || finding.key.startsWith(wanted)) || null;
  }
  function decoded(text) {
    try {
      return decodeURIComponent(text);
    } catch {
      return text;
    }
  }
  /** Takes over what an address says; what it does not say is as at first. */
  function follow() {
    const [name, ...parts] = location.hash.slice(1).split(';').map(decoded);
    const said = new Map(parts.map((part) => [part.split('=')[0], part.slice(part.indexOf('=') + 1)]));
    const finding = named(name);
    notice.textContent =
      name === '' || finding !== null
        ? ''
        : name + ' is not in this file' + (report.cut === null ? '' : ': ' + report.cut);
    if (name !== '' && finding === null) return;
    // a finding's name alone says nothing of filters
    if (parts.length > 0 || name === '') Object.assign(state, noFilter());
    Object.assign(state, {page: 0, view: noView()});
    if (said.has('severity'))
      for (const severity of SEVERITIES) state.severity[severity] = said.get('severity').split(',').includes(severity);
    for (const key of ['cause', 'rule', 'task', 'device', 'text']) if (said.has(key)) state[key] = said.get(key);
    if (ORDERS[said.get('order')] !== undefined) state.order = said.get('order');
    const {overview} = report;
    if (said.has('time') && overview !== null) state.time = pair(overview.base, said.get('time'), overview.unit);
    if (finding !== null) {
      state.current = finding;
      const at = finding.pages.findIndex(({pfn, picture: drawn}) => pfn === said.get('page') && drawn !== null);
      state.page = Math.max(0, at);
      const drawn = picture();
      if (drawn !== null) {
        const unit = drawn.axis === 'time' ? 'ns' : 'line';
        if (said.has('view')) state.view.span = pair(drawn.base, said.get('view'), unit);
        if (['time', 'steps'].includes(said.get('scale'))) state.view.scale = said.get('scale');
        for (const key of ['a', 'b']) if (said.has(key)) state.view[key] = ui.offset(drawn.base, said.get(key), unit);
      }
      if (!passes(finding)) Object.assign(state, noFilter());
    }
    refresh();
  }
  function pair(base, text, unit) {
    const ends = text.split(',').map((end) => ui.offset(base, end, unit));
    return ends.length === 2 && ends.every((end) => end !== null) && ends[0] < ends[1] ? ends : null;
  }
  let writing = null;
  /** Writes the address, at most some times a second: browsers count. */
  function remember() {
    clearTimeout(writing);
    writing = setTimeout(() => history.replaceState(null, '', address()), 120);
  }

  // ---- top
  const notice = ui.make('p', {class: 'notice', role: 'status'});
  const themeButton = ui.make(
    'button',
    {
      type: 'button',
      onclick: () => {
        chosenTheme = document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark';
        applyTheme();
      },
    },
    'Light / dark',
  );
  const help = ui.helpDialog();
  root.append(
    ui.make(
      'header',
      {class: 'top'},
      ui.make('h1', {}, 'pinscope ', ui.make('span', {class: 'faint'}, report.traces)),
      ui.make(
        'div',
        {class: 'buttons'},
        ui.make('button', {type: 'button', onclick: () => help.showModal()}, 'Keys'),
        ui.make('button', {type: 'button', onclick: () => window.print()}, 'Print'),
        themeButton,
      ),
    ),
    ui.make('p', {class: 'verdict'}, ui.make('b', {}, report.verdict[0]), ' ' + report.verdict.slice(1).join(' ')),
    help,
  );
  const causes = ui.causeList(report, (cause) => filter({cause: state.cause === cause ? '' : cause}));
  if (report.causes.length > 0) root.append(causes.node);
  const read = ui.make(
    'details',
    {open: findings.length < 2 ? '' : null},
    ui.make('summary', {}, 'What was read'),
    ui.facts(report.facts),
  );
  const overview =
    report.overview === null || findings.length === 0
      ? null
      : ui.overview(report, findings, {
          choose: (finding) => choose(finding, true),
          range: (time) => filter({time}),
          cause: (cause) => filter({cause}),
        });
  if (overview !== null) root.append(overview.node);
  root.append(read, notice);

  // ---- filters
  const shownCount = ui.make('span', {class: 'count', 'aria-live': 'polite'});
  const controls = {};
  function inFile(severity) {
    const here = findings.filter((finding) => finding.severity === severity).length;
    return here === report.counts[severity] ? here : here + ' of ' + report.counts[severity];
  }
  function choice(label, key, values) {
    if (values.length < 2) return null;
    const select = ui.make(
      'select',
      {onchange: (event) => filter({[key]: event.target.value})},
      ui.make('option', {value: ''}, 'all'),
      values.map((value) => ui.make('option', {value}, value)),
    );
    controls[key] = select;
    return ui.make('label', {}, label, select);
  }
  const distinct = (values) => [...new Set(values)].toSorted();
  const boxes = SEVERITIES.map((severity) =>
    ui.make('input', {
      type: 'checkbox',
      onchange: (event) => filter({severity: {...state.severity, [severity]: event.target.checked}}),
    }),
  );
  const search = ui.make('input', {
    type: 'search',
    placeholder: '0x2fb0',
    oninput: (event) => filter({text: event.target.value.trim().toLowerCase()}),
  });
  const filters = ui.make(
    'div',
    {class: 'filters', role: 'group', 'aria-label': 'Filters'},
    SEVERITIES.map((severity, at) =>
      ui.make('label', {class: severity}, boxes[at], severity + ' (' + inFile(severity) + ')'),
    ),
    choice(
      'Cause',
      'cause',
      report.causes.map((cause) => cause.id),
    ),
    choice('Rule', 'rule', distinct(findings.map((finding) => finding.rule))),
    choice('Task', 'task', distinct(findings.flatMap((finding) => finding.tasks))),
    choice('Device', 'device', distinct(findings.map((finding) => finding.device).filter((device) => device !== null))),
    ui.make('label', {}, 'Page or text', search),
    ui.make('button', {type: 'button', class: 'small', onclick: () => filter(noFilter())}, 'No filter'),
  );
  function filter(change) {
    Object.assign(state, change);
    refresh();
    remember();
  }

  // ---- list and detail
  const order = ui.make(
    'select',
    {'aria-label': 'Order', onchange: (event) => filter({order: event.target.value})},
    Object.entries(ORDERS).map(([value, [label]]) => ui.make('option', {value}, label)),
  );
  const list = ui.make('ul', {class: 'list', 'aria-label': 'Findings'});
  const detail = ui.make('div', {class: 'detail'});
  if (findings.length === 1) root.append(ui.make('h2', {}, 'Finding'), detail);
  if (findings.length > 1) {
    root.append(
      ui.make('h2', {}, 'Findings'),
      filters,
      ui.make(
        'div',
        {class: 'split'},
        ui.make('div', {class: 'side'}, ui.make('div', {class: 'listhead'}, shownCount, order), list),
        detail,
      ),
    );
    root.append(ui.make('p', {class: 'faint onpaper'}, ''));
  }

  function refresh() {
    shown = findings.filter(passes);
    const by = ORDERS[state.order][1];
    if (by !== null) shown.sort(by);
    if (!shown.includes(state.current)) choosing(shown[0] || null);
    SEVERITIES.forEach((severity, at) => (boxes[at].checked = state.severity[severity]));
    for (const [key, select] of Object.entries(controls)) select.value = state[key];
    if (search.value.trim().toLowerCase() !== state.text) search.value = state.text;
    order.value = state.order;
    for (const [id, row] of causes.rows) {
      row.classList.toggle('chosen', state.cause === id);
      row.querySelector('button').setAttribute('aria-pressed', String(state.cause === id));
    }
    const file =
      findings.length === report.found ? '' : ' in this file, of ' + report.found.toLocaleString('en') + ' found';
    shownCount.textContent =
      shown.length.toLocaleString('en') + ' of ' + findings.length.toLocaleString('en') + ' shown' + file;
    list.replaceChildren(...shown.map(listItem));
    show();
  }
  function listItem(finding) {
    const pages = finding.page_count + (finding.page_count === 1 ? ' page ' : ' pages ');
    return ui.make(
      'li',
      {},
      ui.make(
        'button',
        {
          type: 'button',
          'aria-current': String(finding === state.current),
          onclick: () => choose(finding, true),
          'data-key': finding.key,
        },
        ui.make('span', {class: 'far'}, finding.far),
        ui.badge(finding.severity, finding.verdict),
        ' ',
        ui.make('b', {}, finding.cause),
        ' ' + finding.rule,
        ui.make(
          'span',
          {class: 'where faint'},
          finding.when + ', ' + pages + finding.runs[0] + (finding.runs.length > 1 ? ', ...' : ''),
        ),
      ),
    );
  }
  function show() {
    article =
      state.current === null
        ? null
        : ui.finding(state.current, state, {
            changed: remember,
            link: () => location.href.split('#')[0] + address(),
          });
    detail.replaceChildren(
      article === null ? ui.make('p', {class: 'finding faint'}, 'No finding passes the filters.') : article.node,
    );
    if (overview !== null) overview.show(state, passes);
    const paper = root.querySelector('.onpaper');
    if (paper !== null) {
      const rest = report.found - (state.current === null ? 0 : 1);
      paper.textContent =
        (report.cut === null ? '' : report.cut + '. ') +
        'On paper: one finding in full; ' +
        rest.toLocaleString('en') +
        ' more are in the file or the trace.';
    }
  }
  function choosing(finding) {
    Object.assign(state, {current: finding, page: 0, view: {...noView(), scale: state.view.scale}});
  }
  /** `step`: Back goes to the finding before. */
  function choose(finding, step) {
    choosing(finding);
    clearTimeout(writing);
    if (step) history.pushState(null, '', address());
    else history.replaceState(null, '', address());
    mark();
    show();
  }
  function mark() {
    for (const button of list.querySelectorAll('button[aria-current="true"]'))
      button.setAttribute('aria-current', 'false');
    const button = state.current === null ? null : list.querySelector('button[data-key="' + state.current.key + '"]');
    if (button === null) return;
    button.setAttribute('aria-current', 'true');
    // not scrollIntoView(), which would move the whole page
    const [box, item] = [list.getBoundingClientRect(), button.getBoundingClientRect()];
    if (item.top < box.top) list.scrollTop -= box.top - item.top;
    else if (item.bottom > box.bottom) list.scrollTop += item.bottom - box.bottom;
  }
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const {target} = event;
    if (target === search && event.key === 'Escape') search.blur();
    if (target instanceof HTMLInputElement || target instanceof HTMLSelectElement || help.open) return;
    const by = {j: 1, k: -1}[event.key];
    if (by !== undefined) {
      const next = shown[shown.indexOf(state.current) + by];
      if (next !== undefined) choose(next, false);
    } else if (event.key === '[' || event.key === ']') article?.page(event.key === ']' ? 1 : -1);
    else if (event.key === '?') help.showModal();
    else if (event.key === '/') {
      event.preventDefault();
      search.focus();
    }
  });

  // ---- the rest of the page
  if (report.near_misses.length > 0)
    root.append(
      ui.make('h2', {}, 'How close the good cases came'),
      ui.table(
        ['from .. to', 'device', 'times', 'closest', '1 %', 'median', 'closest at'],
        report.near_misses,
        [2, 3, 4, 5],
        -1,
      ),
    );
  if (report.lacks.length > 0)
    root.append(
      ui.make('h2', {}, 'Not judged, or only in part'),
      ui.table(['not in the trace', 'not judged', 'in part', 'to have it'], report.lacks, [], 3),
    );
  root.append(
    ui.make('h2', {}, 'To repeat it'),
    ui.make(
      'dl',
      {class: 'commands'},
      [
        ['this report', report.command],
        ['its causes by SQL', report.query],
      ].flatMap(([what, command]) => [
        ui.make('dt', {}, what),
        ui.make('dd', {}, ui.make('code', {}, command), ui.copyButton(command, 'Copy: ' + what)),
      ]),
    ),
    ui.make(
      'p',
      {class: 'faint'},
      'Made by pinscope ' + report.version + '. Nothing in this file asks for anything outside it.',
    ),
  );

  refresh();
  follow();
  window.addEventListener('hashchange', follow);
  // on paper: what was read, and the finding that is shown
  window.addEventListener('beforeprint', () => (read.open = true));
})();
