import { delayRows } from '../model/delays.ts'
import { flowsOf } from '../model/flow.ts'
import { LocalTime } from '../model/format.ts'
import { headOf, spokenAnswers } from '../model/head.ts'
import { problemsOf } from '../model/problems.ts'
import { questionsOf } from '../model/questions.ts'
import { sidesOf } from '../model/streams.ts'
import type { HelloMessage, ViewMessage } from '../protocol.ts'
import { Charts } from './charts.ts'
import { Connection, OLD_MS } from './connection.ts'
import { h, patch } from './dom.ts'
import { JournalPanel } from './journal-panel.ts'
import { mark } from './marks.ts'
import { delayTable, flowSections, gatewayTable, problemList, questionCards } from './sections.ts'

/** A screen reader is told of what changed, and not more often than this. */
const ANNOUNCE_MS = 10_000

const time = new LocalTime()

const section = (id: string, name: string | null): HTMLElement => {
  const made = document.createElement('section')
  made.id = id
  if (name !== null) {
    const title = document.createElement('h2')
    title.textContent = name
    title.id = `${id}-title`
    made.setAttribute('aria-labelledby', title.id)
    made.append(title)
  }
  const body = document.createElement('div')
  body.className = 'body'
  made.append(body)
  return made
}

const header = document.createElement('header')
const main = document.createElement('main')
const sections = {
  questions: section('questions', null),
  problems: section('problems', 'What is wrong, and what to do'),
  flow: section('flow', 'The flow'),
  charts: section('charts', 'How it went'),
  delays: section('delays', 'Delay of single transactions'),
  gateways: section('gateways', 'The gateways'),
  journal: section('journal', 'The journal'),
}
sections.questions.setAttribute('aria-label', 'The answers')
main.append(...Object.values(sections))
const spoken = document.createElement('p')
spoken.className = 'spoken'
spoken.setAttribute('role', 'status')
spoken.setAttribute('aria-live', 'polite')
const footer = document.createElement('footer')
document.body.replaceChildren(header, spoken, main, footer)

const bodyOf = (of: HTMLElement): Element => of.querySelector('.body') ?? of

let hello: HelloMessage | null = null
let view: ViewMessage | null = null
let spokenAt = Number.NEGATIVE_INFINITY

const connection = new Connection({
  onHello(message) {
    hello = message
    charts.onHello(message)
    journal.onHello(message)
  },
  onView(message) {
    view = message
    charts.onView(message)
    draw()
  },
})
const charts = new Charts(bodyOf(sections.charts), connection, time)
const journal = new JournalPanel(bodyOf(sections.journal), connection, time)

function draw(): void {
  drawHeader()
  if (view === null) return
  const { atMs } = view
  const problems = problemsOf(view)
  patch(bodyOf(sections.questions), questionCards(questionsOf(view)))
  patch(bodyOf(sections.problems), problemList(problems, time, atMs))
  patch(bodyOf(sections.flow), flowSections(flowsOf(view)))
  patch(bodyOf(sections.delays), delayTable(delayRows(view)))
  patch(bodyOf(sections.gateways), gatewayTable(sidesOf(view), time, atMs))
  patch(footer, [
    `landbridge ${view.status.version} · times are in ${time.zone} · this page only looks`,
  ])
}

/** How what is shown stands, with its age: that is above everything else. */
function drawHeader(): void {
  const { ageMs } = connection
  const isOld = ageMs === null || ageMs > OLD_MS
  const head = headOf({ hello, view, isOld, ageMs })
  document.body.classList.toggle('old', isOld && view !== null)
  const clock = view === null ? '' : `${time.moment(view.atMs)} `
  patch(header, [
    h('h1', {}, 'landbridge', h('span', { class: 'where' }, head.where)),
    h('p', { class: `overall ${head.mood}` }, mark(head.mood), head.state),
    h('p', { class: 'clock' }, clock, h('span', { class: 'zone' }, time.zone)),
    head.lost === null ? null : h('p', { class: 'lost' }, head.lost),
  ])
  if (document.title !== head.title) document.title = head.title
  announce(isOld)
}

/** Answers whose mood changed, and not each second's numbers. */
function announce(isOld: boolean): void {
  if (view === null) return
  const text = isOld ? 'No word from the gateway: what is shown is old.' : spokenAnswers(view)
  const now = performance.now()
  if (text === spoken.textContent || now - spokenAt < ANNOUNCE_MS) return
  spokenAt = now
  spoken.textContent = text
}

setInterval(drawHeader, 1_000)
drawHeader()
connection.open()
