import { CHART_KINDS } from '../model/chart-kinds.ts'
import type { LocalTime } from '../model/format.ts'
import {
  type Charted,
  chartedOf,
  type HistoryPoint,
  historyIn,
  mergedPoints,
  POINTS,
  pointOf,
  RANGES,
  type Range,
  withPoint,
} from '../model/history.ts'
import type { HelloMessage, ViewMessage } from '../protocol.ts'
import { Chart } from './chart.ts'
import { AskError, type Connection } from './connection.ts'
import { type Child, h, patch } from './dom.ts'

const OPERATION = 'lag.history'
const FIRST_RANGE: Range = '15 min'
/** What is drawn anew each second is the shortest range; the others move too slowly to be seen. */
const ASK_MS: Readonly<Record<Range, number>> = {
  '15 min': 60_000,
  '24 h': 60_000,
  '90 d': 600_000,
}

/** How it went: from the history that the gateways keep, and from what comes each second. */
export class Charts {
  readonly #place: Element
  readonly #controls: Element
  readonly #note: Element
  readonly #charts: readonly Chart[]
  readonly #connection: Connection
  #hello: HelloMessage | null = null
  #view: ViewMessage | null = null
  #range: Range = FIRST_RANGE
  #charted: Charted | null = null
  #points: readonly HistoryPoint[] = []
  #stepMs = 1_000
  #askedAt = Number.NEGATIVE_INFINITY
  #problem: string | null = null
  /** Answers to older questions are not taken. */
  #round = 0

  constructor(place: Element, connection: Connection, time: LocalTime) {
    this.#place = place
    this.#connection = connection
    this.#controls = document.createElement('div')
    this.#controls.className = 'controls'
    this.#note = document.createElement('div')
    const grid = document.createElement('div')
    grid.className = 'charts'
    this.#charts = CHART_KINDS.map((kind) => new Chart(grid, kind, time))
    this.#place.append(this.#controls, this.#note, grid)
  }

  onHello(hello: HelloMessage): void {
    this.#hello = hello
    this.#askedAt = Number.NEGATIVE_INFINITY
  }

  onView(view: ViewMessage): void {
    this.#view = view
    const all = chartedOf(view)
    const before = this.#charted
    this.#charted = all.find(({ key }) => key === before?.key) ?? all[0] ?? null
    const isOther = this.#charted?.key !== before?.key
    const isMore = this.#charted?.gateways.length !== before?.gateways.length
    if (isOther) this.#begin()
    const now = performance.now()
    const due = isOther || isMore || now - this.#askedAt > ASK_MS[this.#range]
    if (due && !document.hidden) void this.#ask()
    this.#follow()
    this.#drawControls(all)
    this.#drawNote()
  }

  #follow(): void {
    if (this.#view === null || this.#charted === null || this.#range !== FIRST_RANGE) return
    const point = pointOf(this.#view, this.#charted)
    if (point === null) return
    this.#points = withPoint(this.#points, point, RANGES[this.#range])
    if (!document.hidden) this.#draw()
  }

  #begin(): void {
    this.#round += 1
    this.#points = []
    this.#stepMs = 1_000
    this.#problem = null
    this.#askedAt = Number.NEGATIVE_INFINITY
    this.#draw()
  }

  async #ask(): Promise<void> {
    const [hello, charted, view] = [this.#hello, this.#charted, this.#view]
    if (hello === null || charted === null || view === null) return
    this.#round += 1
    const round = this.#round
    this.#askedAt = performance.now()
    const toMs = view.atMs
    const input = {
      stream: charted.stream,
      fromMs: toMs - RANGES[this.#range],
      toMs,
      points: POINTS,
    }
    const answers = await Promise.all(
      charted.gateways.map(async (gateway) => {
        const peer = gateway === hello.gateway ? undefined : gateway
        return await this.#connection
          .ask(OPERATION, input, peer)
          .then((answer) => historyIn(answer, toMs))
          .catch((error: unknown) => (error instanceof AskError ? error : null))
      }),
    )
    if (round !== this.#round) return
    const known = answers.flatMap((one) => (one === null || one instanceof AskError ? [] : [one]))
    const failed = answers.find((one) => one instanceof AskError)
    this.#problem = known.length > 0 || failed === undefined ? null : problemText(failed)
    if (known.length === 0) return
    this.#stepMs = Math.max(...known.map(({ stepMs }) => stepMs))
    const merged = mergedPoints(
      known.map(({ points }) => points),
      this.#stepMs,
    )
    // What came each second since the newest step is kept.
    const newestMs = merged.at(-1)?.atMs ?? Number.NEGATIVE_INFINITY
    const since =
      this.#range === FIRST_RANGE ? this.#points.filter(({ atMs }) => atMs > newestMs) : []
    this.#points = [...merged, ...since]
    this.#draw()
  }

  #draw(): void {
    const toMs = this.#view?.atMs ?? Date.now()
    const shown = { fromMs: toMs - RANGES[this.#range], toMs, stepMs: this.#stepMs }
    for (const chart of this.#charts) chart.show(this.#points, shown)
  }

  #drawControls(all: readonly Charted[]): void {
    const ranges = (Object.keys(RANGES) as Range[]).map((range) =>
      choice('range', range, range === this.#range, () => {
        this.#range = range
        this.#begin()
        void this.#ask()
      }),
    )
    const places = all.map((one) =>
      choice('place', one.key, one.key === this.#charted?.key, () => {
        this.#charted = one
        this.#begin()
        void this.#ask()
      }),
    )
    patch(this.#controls, [group('Over', ranges), places.length > 1 ? group('Of', places) : null])
  }

  #drawNote(): void {
    patch(this.#note, [this.#problem === null ? null : h('p', { class: 'fine' }, this.#problem)])
  }
}

function problemText({ code, message }: AskError): string {
  if (code === 'ERR_OPERATION_UNKNOWN') {
    return 'This gateway keeps no history: the charts begin when the page is opened.'
  }
  return `The history cannot be had: ${message}`
}

function group(name: string, choices: readonly Child[]): Child {
  return h('fieldset', {}, h('legend', {}, name), ...choices)
}

function choice(group: string, name: string, isChosen: boolean, onchange: () => void): Child {
  const input = h('input', { type: 'radio', name: group, value: name, checked: isChosen, onchange })
  return h('label', { 'data-key': name }, input, h('span', {}, name))
}
