import type { DelayRow } from '../model/delays.ts'
import type { EventRow } from '../model/events.ts'
import type { Flow, FlowBranch, FlowSite, Hop, Station } from '../model/flow.ts'
import type { LocalTime } from '../model/format.ts'
import { shortAge, shortDuration } from '../model/format.ts'
import type { JournalRow } from '../model/journal.ts'
import type { ShownProblem } from '../model/problems.ts'
import type { Question } from '../model/questions.ts'
import type { Side } from '../model/streams.ts'
import { isOld } from '../model/streams.ts'
import { type Child, type Described, h } from './dom.ts'
import { mark } from './marks.ts'

/*
 * What the sections of the page show, as values; nothing here touches the document.
 */

/** Of several copies or streams the answers stand in rows, each behind its name. */
export function questionCards(questions: readonly Question[]): Described[] {
  const abouts = [...new Set(questions.map(({ about }) => about))]
  if (abouts.length <= 2 && !questions.some(({ about }) => about.includes(' at '))) {
    return questions.map((question) => questionCard(question, question.about))
  }
  return abouts.flatMap((about) => {
    const cards = questions.filter((one) => one.about === about)
    const name = about === '' ? [] : [h('p', { class: 'place', 'data-key': about }, about)]
    return [...name, ...cards.map((card) => questionCard(card, '', about === ''))]
  })
}

function questionCard(question: Question, about: string, isWide = false): Described {
  const { key, title, mood, word, answer, old } = question
  return h(
    'article',
    { class: `card ${mood}${isWide ? ' wide' : ''}`, 'data-key': key },
    h('h2', {}, title, about === '' ? null : h('span', { class: 'about' }, ` ${about}`)),
    h('p', { class: 'word' }, mark(mood), h('strong', {}, word)),
    h('p', { class: 'answer' }, h('bdi', {}, answer)),
    old === null ? null : h('p', { class: 'aged' }, old),
  )
}

const SEVERITIES = { blocked: 'bad', error: 'bad', warning: 'warn' } as const

export function problemList(
  problems: readonly ShownProblem[],
  time: LocalTime,
  nowMs: number,
): Described[] {
  if (problems.length === 0) {
    return [h('p', { class: 'calm' }, mark('good'), 'Nothing is wrong. There is nothing to do.')]
  }
  const items = problems.map((problem) => {
    const { key, gateway, severity, where, code, message, remedy, sinceMs } = problem
    const age = shortDuration(Math.max(0, nowMs - sinceMs))
    const since = `${age}, since ${time.brief(sinceMs, nowMs)}`
    return h(
      'li',
      { class: `problem ${SEVERITIES[severity]}`, 'data-key': key },
      h('p', { class: 'what' }, mark(SEVERITIES[severity]), h('bdi', {}, message)),
      remedy === undefined
        ? null
        : h('p', { class: 'remedy' }, h('b', {}, 'What to do: '), h('bdi', {}, remedy)),
      h(
        'p',
        { class: 'fine' },
        `${severity} · ${gateway} · ${where} · ${code} · for ${since}`,
        problem.isOld ? ' · as it was heard last' : null,
      ),
    )
  })
  return [h('ul', { class: 'problems' }, ...items)]
}

export function flowSections(flows: readonly Flow[]): Described[] {
  return flows.map((flow) =>
    h(
      'section',
      { class: 'flow', 'data-key': flow.stream, 'aria-label': `Flow of stream ${flow.stream}` },
      h(
        'h3',
        {},
        'Stream ',
        h('b', {}, flow.stream),
        h('span', { class: 'fine' }, ` term ${flow.term}`),
      ),
      h(
        'div',
        { class: 'way' },
        siteBox(flow.origin),
        h('ul', { class: 'branches' }, ...flow.branches.map(branch)),
      ),
    ),
  )
}

function branch({ key, tunnel, copy }: FlowBranch): Described {
  return h('li', { 'data-key': key }, tunnelBox(tunnel), siteBox(copy))
}

function siteBox({ site, role, old, stations }: FlowSite): Described {
  return h(
    'section',
    { class: `site${old === null ? '' : ' aged'}` },
    h(
      'h4',
      {},
      site,
      h('span', { class: 'fine' }, ` ${role}`),
      old === null ? null : h('span', { class: 'fine old' }, ` · ${old}`),
    ),
    h('ol', { class: 'stations' }, ...stations.map(stationBox)),
  )
}

const ICONS: Readonly<Record<Station['kind'], string>> = {
  database: 'M3 4c0-3 10-3 10 0v8c0 3-10 3-10 0zM3 4c0 3 10 3 10 0M3 8c0 3 10 3 10 0',
  replica: 'M3 4c0-3 10-3 10 0v8c0 3-10 3-10 0zM3 4c0 3 10 3 10 0M3 8c0 3 10 3 10 0',
  gateway: 'M1 13c3-9 11-9 14 0M5 8v5M8 6.6V13M11 8v5',
  spool: 'M3 2h7l3 3v9H3zM10 2v3h3M5.5 8h5M5.5 11h5',
}

function stationBox({ kind, title, state, mood, facts }: Station): Described {
  return h(
    'li',
    { class: `station ${mood}`, 'data-key': `${kind} ${title}` },
    h(
      'p',
      { class: 'title' },
      h(
        'svg',
        { class: 'icon', viewBox: '0 0 16 16', 'aria-hidden': 'true' },
        h('path', { d: ICONS[kind] }),
      ),
      h('bdi', { title }, title),
    ),
    h('p', { class: 'state' }, mark(mood), state),
    factList(facts),
  )
}

/** Drawn as the line that it is: whole, or broken. */
function tunnelBox({ title, mood, facts }: Hop): Described {
  const isWhole = mood === 'good'
  return h(
    'div',
    { class: `tunnel ${mood}` },
    h(
      'svg',
      { class: 'line', viewBox: '0 0 100 24', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
      h('path', { class: 'wall', d: 'M0 4H100M0 20H100' }),
      h('path', { class: 'bytes', d: isWhole ? 'M0 12H94' : 'M0 12H40M60 12H94' }),
      h('path', { class: 'head', d: 'M92 7l7 5-7 5z' }),
    ),
    h('p', { class: 'state' }, mark(mood), title),
    factList(facts),
  )
}

function factList(facts: Station['facts']): Described {
  const pairs = facts.map(({ name, value }) =>
    h('div', {}, h('dt', {}, name), h('dd', {}, h('bdi', { title: value }, value))),
  )
  return h('dl', {}, ...pairs)
}

export function gatewayTable(sides: readonly Side[], time: LocalTime, nowMs: number): Described[] {
  const rows = sides.map((side) => {
    const { status } = side
    const seen = isOld(side) ? (side.error?.message ?? 'not heard yet') : 'now'
    const mood = isOld(side) ? 'unknown' : status?.state === 'ok' ? 'good' : 'warn'
    const up = status === null ? null : `${time.brief(status.startedAtMs, nowMs)}`
    return row(
      side.gateway,
      h('span', { class: 'with-mark' }, mark(mood), status?.state ?? 'unknown'),
      status?.site ?? '–',
      status?.version ?? '–',
      up ?? '–',
      isOld(side) && side.ageMs !== null ? `${shortAge(side.ageMs)}: ${seen}` : seen,
    )
  })
  return [table('Gateways', ['gateway', 'state', 'site', 'version', 'up since', 'heard'], rows)]
}

export function delayTable(rows: readonly DelayRow[]): Described[] {
  if (rows.length === 0) return [h('p', { class: 'calm' }, 'No copy says it yet.')]
  const shown = rows.map(({ what, window, values }) => row(what, window, ...values))
  const heads = ['from commit until', 'in the', 'p50', 'p95', 'p99', 'longest', 'transactions']
  return [table('Delay of single transactions', heads, shown)]
}

export function eventTable(rows: readonly EventRow[], time: LocalTime, nowMs: number): Described[] {
  if (rows.length === 0) return [h('p', { class: 'calm' }, 'Nothing has happened yet.')]
  const shown = rows.map(({ atMs, gateway, kind, who, what, mood }) => {
    const marked = h('span', { class: 'with-mark' }, mark(mood), kind)
    return row(time.brief(atMs, nowMs), gateway, marked, who, what)
  })
  return [table('Journal and events', ['when', 'gateway', 'kind', 'who', 'what'], shown)]
}

export function journalTable(
  rows: readonly JournalRow[],
  time: LocalTime,
  nowMs: number,
): Described[] {
  if (rows.length === 0) {
    return [h('p', { class: 'calm' }, 'Nothing that changes something was asked yet.')]
  }
  const shown = rows.map(({ atMs, gateway, operation, caller, result, detail }) =>
    row(
      time.brief(atMs, nowMs),
      gateway,
      operation === '' ? '–' : operation,
      caller,
      result,
      detail,
    ),
  )
  return [table('Journal', ['when', 'gateway', 'what', 'who', 'result', 'with'], shown)]
}

/** Wide ones scroll by themselves: a person with a keyboard can too. */
export function table(name: string, heads: readonly string[], rows: readonly Child[]): Described {
  const head = h('tr', {}, ...heads.map((one) => h('th', { scope: 'col' }, one)))
  return h(
    'div',
    { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': name },
    h('table', {}, h('thead', {}, head), h('tbody', {}, ...rows)),
  )
}

export function row(...cells: readonly Child[]): Described {
  return h(
    'tr',
    {},
    ...cells.map((cell) => h('td', {}, typeof cell === 'string' ? h('bdi', {}, cell) : cell)),
  )
}
