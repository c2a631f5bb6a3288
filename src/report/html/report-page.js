// The script of the HTML report. It draws what is in the page's JSON and asks nobody for anything. All text goes into
// the document by textContent; styles by classes; nothing is ever parsed as HTML.
(() => {
  'use strict';

  const report = JSON.parse(document.getElementById('report').textContent);
  const findings = [...document.querySelectorAll('script.finding')].map((data) => JSON.parse(data.textContent));
  const page = document.getElementById('page');

  // ---- theme: follows the system until the reader chooses
  const dark = window.matchMedia('(prefers-color-scheme: dark)');
  let chosenTheme = null;
  function applyTheme() {
    document.documentElement.dataset.theme = chosenTheme || (dark.matches ? 'dark' : 'light');
  }
  dark.addEventListener('change', applyTheme);
  applyTheme();

  // ---- top
  const state = {
    severity: {error: true, warning: true, note: true},
    rule: '',
    task: '',
    device: '',
    text: '',
    current: null,
  };

  function factList(facts) {
    return make(
      'dl',
      {class: 'facts'},
      facts.flatMap(([label, text]) => [make('dt', {}, label), make('dd', {}, text)]),
    );
  }
  function table(heads, rows, right, monoFrom) {
    const side = (at) => (right.includes(at) ? 'right' : at === monoFrom ? 'wide' : null);
    return make(
      'div',
      {class: 'scroll'},
      make(
        'table',
        {},
        make(
          'thead',
          {},
          make(
            'tr',
            {},
            heads.map((head, at) => make('th', {class: side(at), scope: 'col'}, head)),
          ),
        ),
        make(
          'tbody',
          {},
          rows.map((row) =>
            make(
              'tr',
              {},
              row.map((cell, at) => make('td', {class: side(at)}, cell)),
            ),
          ),
        ),
      ),
    );
  }

  const themeButton = make(
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
  page.append(
    make('header', {class: 'top'}, make('h1', {}, 'pinscope ' + report.version), themeButton),
    make('p', {class: 'verdict'}, report.verdict),
    report.causes.length === 0
      ? ''
      : table(
          ['', '', 'cause', 'found', 'pages', 'sure', 'who', 'worst', 'key'],
          report.causes.map((cause) => [...cause.slice(0, 8), make('a', {href: '#' + cause[8]}, cause[8])]),
          [3, 4, 5, 7],
          6,
        ),
    make(
      'details',
      {open: findings.length < 2 ? '' : null},
      make('summary', {}, 'What was read'),
      factList(report.facts),
    ),
  );

  // ---- filters
  const notice = make('p', {class: 'notice', role: 'status'});
  page.append(notice);
  const shownCount = make('span', {class: 'faint', 'aria-live': 'polite'});
  function inFile(severity) {
    const here = findings.filter((finding) => finding.severity === severity).length;
    return here === report.counts[severity] ? here : here + ' of ' + report.counts[severity];
  }
  function choice(label, key, values) {
    if (values.length < 2) return null;
    const select = make(
      'select',
      {onchange: (event) => ((state[key] = event.target.value), refresh())},
      make('option', {value: ''}, 'all'),
      values.map((value) => make('option', {value}, value)),
    );
    return make('label', {}, label, select);
  }
  function distinct(values) {
    return [...new Set(values)].toSorted();
  }
  const filters = make(
    'div',
    {class: 'filters', role: 'group', 'aria-label': 'Filters'},
    ['error', 'warning', 'note'].map((severity) =>
      make(
        'label',
        {class: severity},
        make('input', {
          type: 'checkbox',
          checked: '',
          onchange: (event) => ((state.severity[severity] = event.target.checked), refresh()),
        }),
        severity + ' (' + inFile(severity) + ')',
      ),
    ),
    choice('Rule', 'rule', distinct(findings.map((finding) => finding.rule))),
    choice('Task', 'task', distinct(findings.flatMap((finding) => finding.tasks))),
    choice('Device', 'device', distinct(findings.map((finding) => finding.device).filter((device) => device !== null))),
    make(
      'label',
      {},
      'Page or text',
      make('input', {
        type: 'search',
        placeholder: '0x2fb0',
        oninput: (event) => ((state.text = event.target.value.trim().toLowerCase()), refresh()),
      }),
    ),
    shownCount,
  );

  function holdsPage(finding, wanted) {
    return finding.runs.some((run) => {
      const [first, last] = run.split('-').map((end) => BigInt(end));
      return wanted >= first && wanted <= (last === undefined ? first : last);
    });
  }
  function matches(finding) {
    if (!state.severity[finding.severity]) return false;
    if (state.rule !== '' && finding.rule !== state.rule) return false;
    if (state.task !== '' && !finding.tasks.includes(state.task)) return false;
    if (state.device !== '' && finding.device !== state.device) return false;
    if (state.text === '') return true;
    if (/^0x[0-9a-f]{1,16}$/.test(state.text) && holdsPage(finding, BigInt(state.text))) return true;
    return (finding.id + ' ' + finding.message + ' ' + finding.runs.join(' ')).toLowerCase().includes(state.text);
  }

  // ---- list and detail
  const list = make('ul', {class: 'list', 'aria-label': 'Findings'});
  const detail = make('div', {'aria-live': 'polite'});
  if (findings.length > 0) {
    page.append(make('h2', {}, findings.length === 1 ? 'Finding' : 'Findings'));
    if (findings.length === 1) page.append(detail);
    else page.append(filters, make('div', {class: 'split'}, list, detail));
    if (report.cut !== null) page.append(make('p', {class: 'faint'}, report.cut));
    page.append(
      make(
        'p',
        {class: 'faint keys'},
        findings.length === 1
          ? null
          : [make('kbd', {}, 'j'), ' ', make('kbd', {}, 'k'), ' next and previous finding; '],
        'in the drawing ',
        make('kbd', {}, '+'),
        ' ',
        make('kbd', {}, '-'),
        ' zoom, ',
        make('kbd', {}, 'arrows'),
        ' move, ',
        make('kbd', {}, '0'),
        ' all.',
      ),
    );
  }

  function badge(finding) {
    const possible = finding.verdict !== 'sure';
    return make(
      'span',
      {class: 'badge ' + finding.severity + (possible ? ' possible' : ''), title: finding.verdict},
      finding.severity + (possible ? '?' : ''),
    );
  }
  function refresh() {
    const shown = findings.filter(matches);
    shownCount.textContent = shown.length + ' of ' + findings.length + ' shown';
    if (!shown.includes(state.current)) state.current = shown[0] || null;
    list.replaceChildren(
      ...shown.map((finding) =>
        make(
          'li',
          {},
          make(
            'button',
            {
              type: 'button',
              'aria-current': String(finding === state.current),
              onclick: () => choose(finding),
              'data-id': finding.id,
            },
            badge(finding),
            ' ',
            make('b', {}, finding.cause),
            ' ' + finding.rule,
            make(
              'span',
              {class: 'where faint'},
              finding.when +
                ', ' +
                finding.page_count +
                (finding.page_count === 1 ? ' page ' : ' pages ') +
                finding.runs[0] +
                (finding.runs.length > 1 ? ', ...' : ''),
            ),
          ),
        ),
      ),
    );
    show();
  }
  function show() {
    detail.replaceChildren(
      state.current === null
        ? make('p', {class: 'finding faint'}, 'No finding passes the filters.')
        : findingArticle(state.current),
    );
  }
  // ---- addresses: #KEY (or how it begins), and #F20 as its place in this file
  function named(address) {
    const name = decodeURIComponent(address.slice(1)).toLowerCase();
    if (name === '') return null;
    return findings.find((finding) => finding.id.toLowerCase() === name || finding.key.startsWith(name)) || null;
  }
  function follow() {
    if (location.hash.length < 2) return;
    const finding = named(location.hash);
    notice.textContent =
      finding === null
        ? location.hash.slice(1) + ' is not in this file' + (report.cut === null ? '' : ': ' + report.cut)
        : '';
    if (finding === null || finding === state.current) return;
    if (!matches(finding)) {
      Object.assign(state, {
        severity: {error: true, warning: true, note: true},
        rule: '',
        task: '',
        device: '',
        text: '',
      });
      state.current = finding;
      refresh();
      return;
    }
    choose(finding);
  }
  window.addEventListener('hashchange', follow);
  function choose(finding) {
    state.current = finding;
    if (location.hash !== '#' + finding.key) history.replaceState(null, '', '#' + finding.key);
    for (const button of list.querySelectorAll('button')) {
      button.setAttribute('aria-current', String(button.dataset.id === finding.id));
    }
    show();
  }
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || (event.key !== 'j' && event.key !== 'k')) return;
    if (event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement) return;
    const shown = findings.filter(matches);
    const next = shown[shown.indexOf(state.current) + (event.key === 'j' ? 1 : -1)];
    if (next === undefined) return;
    choose(next);
    const button = list.querySelector('button[aria-current="true"]');
    if (button !== null) {
      button.focus({preventScroll: true});
      button.scrollIntoView({block: 'nearest'});
    }
  });

  function findingArticle(finding) {
    const article = make(
      'article',
      {class: 'finding'},
      make(
        'h2',
        {},
        badge(finding),
        ' ' + finding.cause + ' ' + finding.rule + ' ',
        make('span', {class: 'faint'}, finding.verdict + ', '),
        make('a', {href: '#' + finding.key}, finding.key),
      ),
      make('p', {class: 'message'}, finding.message),
    );
    let timeline = null;
    if (finding.drawing !== null) {
      timeline = makeTimeline(finding);
      article.append(make('h3', {}, 'Page ' + finding.drawing.pfn + ' over time'), timeline.tools, timeline.svg);
    }
    article.append(make('h3', {}, 'Facts'), factList(finding.facts));
    if (finding.stacks.length > 0) {
      article.append(
        make('h3', {}, 'Call stacks, innermost first'),
        make(
          'div',
          {class: 'stacks'},
          finding.stacks.map((stack) =>
            make('div', {}, make('div', {class: 'faint'}, stack.label), make('pre', {}, stack.lines.join('\n'))),
          ),
        ),
      );
    }
    if (finding.race.length > 0) article.append(make('h3', {}, 'The race'), make('pre', {}, finding.race.join('\n')));
    if (finding.proof.length > 0)
      article.append(make('h3', {}, 'Proven by'), make('pre', {}, finding.proof.join('\n')));
    if (finding.evidence.length > 0) {
      article.append(
        make('h3', {}, 'The lines of the trace that decide it'),
        make(
          'ol',
          {class: 'evidence'},
          finding.evidence.map((item) =>
            make(
              'li',
              {
                class: item.deciding ? 'deciding' : null,
                onmouseenter: () => timeline && item.at !== null && timeline.point(item.at),
                onmouseleave: () => timeline && timeline.point(null),
              },
              make('span', {class: 'faint'}, item.head),
              make('code', {}, item.text),
            ),
          ),
        ),
      );
    }
    if (finding.history.length > 0) {
      article.append(
        make('h3', {}, 'History of the page'),
        table(['time', 'CPU', 'task', 'change', 'known by', 'count', 'line', 'note'], finding.history, [1, 6], 7),
      );
    }
    if (finding.pages.length > 0) {
      const rest = finding.runs.length > finding.pages.length || finding.page_count > finding.pages.length;
      article.append(
        make(
          'details',
          {},
          make(
            'summary',
            {},
            rest
              ? 'Its first ' + finding.pages.length + ' page frames or folios, each with its own times'
              : 'Its pages, each with its own times',
          ),
          table(['pfn', 'order', 'when', 'times'], finding.pages, [1, 3], 2),
        ),
      );
    }
    return article;
  }

  // ---- the rest of the page
  if (report.near_misses.length > 0) {
    page.append(
      make('h2', {}, 'How close the good cases came'),
      table(
        ['from .. to', 'device', 'times', 'closest', '1 %', 'median', 'closest at'],
        report.near_misses,
        [2, 3, 4, 5],
        -1,
      ),
    );
  }
  if (report.lacks.length > 0) {
    page.append(
      make('h2', {}, 'Not judged, or only in part'),
      table(['not in the trace', 'not judged', 'in part', 'to have it'], report.lacks, [], 3),
    );
  }
  page.append(make('h2', {}, 'To repeat it'), make('pre', {}, report.command));
  state.current = named(location.hash);
  refresh();
  follow();

  // on paper: what was read, and the finding that is shown
  window.addEventListener('beforeprint', () => {
    page.querySelector('details').open = true;
  });
})();
