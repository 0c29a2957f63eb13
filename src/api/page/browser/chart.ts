import type uPlot from 'uplot'
import { type ChartKind, type ChartLine, extentOf, sampled } from '../model/chart-kinds.ts'
import type { LocalTime } from '../model/format.ts'
import { type HistoryPoint, withGaps } from '../model/history.ts'
import { h, patch } from './dom.ts'
import { row, table } from './sections.ts'

/** A script of its own, which made it global. */
const { uPlot: Plot } = globalThis as unknown as { readonly uPlot: typeof uPlot }

const HEIGHT = 150
const TABLE_ROWS = 30
const AXIS_FONT = '12px system-ui, sans-serif'

export interface Shown {
  readonly fromMs: number
  readonly toMs: number
  readonly stepMs: number
}

/** One chart with its words: what it shows now, the highest, and a table for whoever asks. */
export class Chart {
  readonly #kind: ChartKind
  readonly #time: LocalTime
  readonly #figure: HTMLElement
  readonly #caption: Element
  readonly #canvas: HTMLElement
  readonly #numbers: HTMLDetailsElement
  readonly #cursor: HTMLElement
  #plot: uPlot | null = null
  #points: readonly HistoryPoint[] = []
  #shown: Shown | null = null
  #at: number | null = null

  constructor(place: Element, kind: ChartKind, time: LocalTime) {
    this.#kind = kind
    this.#time = time
    this.#figure = document.createElement('figure')
    this.#figure.id = `chart-${kind.key}`
    this.#caption = document.createElement('figcaption')
    this.#canvas = document.createElement('div')
    this.#canvas.className = 'plot'
    this.#canvas.tabIndex = 0
    this.#canvas.setAttribute('role', 'img')
    this.#cursor = document.createElement('p')
    this.#cursor.className = 'cursor'
    this.#cursor.setAttribute('aria-live', 'polite')
    this.#numbers = document.createElement('details')
    const nothing = document.createElement('p')
    nothing.className = 'nothing'
    nothing.textContent = kind.nothing
    const below = document.createElement('div')
    below.className = 'below'
    below.append(this.#numbers, this.#cursor)
    this.#figure.append(this.#caption, this.#canvas, nothing, below)
    place.append(this.#figure)
    this.#numbers.addEventListener('toggle', () => this.#drawTable())
    this.#canvas.addEventListener('keydown', (event) => this.#onKey(event))
    new ResizeObserver(() => this.#resize()).observe(this.#canvas)
    const dark = matchMedia('(prefers-color-scheme: dark)')
    dark.addEventListener('change', () => this.#renew())
    this.#drawCaption()
  }

  show(points: readonly HistoryPoint[], shown: Shown): void {
    this.#points = points
    this.#shown = shown
    const isEmpty = this.#kind.lines.every(({ value }) =>
      points.every((one) => one[value] === null),
    )
    this.#figure.classList.toggle('empty', isEmpty)
    if (this.#plot === null) this.#renew()
    else this.#plot.setData(this.#data())
    this.#drawCaption()
    if (this.#numbers.open) this.#drawTable()
  }

  #data(): uPlot.AlignedData {
    const points = withGaps(this.#points, this.#shown?.stepMs ?? 1_000)
    const values = this.#kind.lines.map(({ value }) => points.map((point) => point[value]))
    return [points.map(({ atMs }) => atMs / 1_000), ...values]
  }

  /** Colours are those of the theme. */
  #renew(): void {
    if (this.#shown === null || this.#canvas.clientWidth === 0) return
    this.#plot?.destroy()
    this.#plot = new Plot(this.#options(), this.#data(), this.#canvas)
    // It is described by the words beside it.
    for (const canvas of this.#canvas.querySelectorAll('canvas')) {
      canvas.setAttribute('aria-hidden', 'true')
    }
  }

  #resize(): void {
    const width = this.#canvas.clientWidth
    if (width === 0 || this.#shown === null) return
    if (this.#plot === null) this.#renew()
    else if (this.#plot.width !== width) this.#plot.setSize({ width, height: HEIGHT })
  }

  #options(): uPlot.Options {
    const style = getComputedStyle(document.documentElement)
    const color = (name: string) => style.getPropertyValue(name).trim()
    const [grid, ink] = [color('--line'), color('--muted')]
    const axis = {
      stroke: ink,
      font: AXIS_FONT,
      grid: { stroke: grid, width: 1 },
      ticks: { show: false },
    }
    const left = this.#kind.lines.find(({ isRight }) => isRight !== true)
    const right = this.#kind.lines.find(({ isRight }) => isRight === true)
    return {
      width: this.#canvas.clientWidth,
      height: HEIGHT,
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 } },
      padding: [8, right === undefined ? 12 : 0, 0, 0],
      scales: {
        x: { time: true, range: () => this.#range() },
        left: { range: (_plot, _min, max) => [0, topOf(max)] },
        right: { range: (_plot, _min, max) => [0, topOf(max)] },
      },
      series: [
        {},
        ...this.#kind.lines.map((line, index) => series(line, color(`--line-${index + 1}`))),
      ],
      axes: [
        { ...axis, space: 70, size: 28, values: (_plot, splits) => this.#timeTexts(splits) },
        { ...axis, scale: 'left', size: 66, incrs: stepsOf(left), values: texts(left), space: 34 },
        ...(right === undefined
          ? []
          : [
              {
                ...axis,
                scale: 'right',
                side: 1 as const,
                size: 66,
                incrs: stepsOf(right),
                values: texts(right),
                grid: { show: false },
                space: 34,
              },
            ]),
      ],
      hooks: { setCursor: [(plot) => this.#onCursor(plot.cursor.idx ?? null)] },
    }
  }

  #range(): [number, number] {
    const { fromMs = 0, toMs = 1 } = this.#shown ?? {}
    return [fromMs / 1_000, toMs / 1_000]
  }

  #timeTexts(splits: readonly number[]): string[] {
    const { fromMs = 0, toMs = 0 } = this.#shown ?? {}
    const isDays = toMs - fromMs > 2 * 86_400_000
    return splits.map((at) => {
      return isDays
        ? this.#time.moment(at * 1_000).slice(5, 10)
        : this.#time.time(at * 1_000).slice(0, 5)
    })
  }

  #drawCaption(): void {
    const words = this.#kind.lines.flatMap(({ name, value, text }, index) => {
      const { now, highest, highestAtMs } = extentOf(this.#points, value)
      const at = highestAtMs === null ? '' : ` at ${this.#time.brief(highestAtMs, Date.now())}`
      return [
        h(
          'span',
          { class: `legend line-${index + 1}` },
          h('i', { 'aria-hidden': 'true' }),
          `${name} `,
          h('b', {}, text(now)),
          h('span', { class: 'fine' }, !highest ? '' : ` highest ${text(highest)}${at}`),
        ),
      ]
    })
    patch(this.#caption, [
      h('h3', { class: 'chart-title' }, this.#kind.title),
      h('p', { class: 'words' }, ...words),
    ])
    const spoken = this.#kind.lines.map(({ name, value, text }) => {
      const { now, highest } = extentOf(this.#points, value)
      return `${name} now ${text(now)}, highest ${text(highest)}`
    })
    const label = `Chart: ${spoken.join('; ')}. Arrow keys move along it.`
    if (!this.#canvas.matches(':focus')) this.#canvas.setAttribute('aria-label', label)
    if (this.#numbers.childElementCount === 0) patch(this.#numbers, [h('summary', {}, 'Numbers')])
  }

  #drawTable(): void {
    if (!this.#numbers.open) {
      patch(this.#numbers, [h('summary', {}, 'Numbers')])
      return
    }
    const { lines, title } = this.#kind
    const rows = sampled(this.#points, TABLE_ROWS).map((point) =>
      row(this.#time.moment(point.atMs), ...lines.map(({ value, text }) => text(point[value]))),
    )
    const heads = ['when', ...lines.map(({ name }) => name)]
    patch(this.#numbers, [h('summary', {}, 'Numbers'), table(title, heads, rows)])
  }

  #onCursor(index: number | null): void {
    this.#at = index
    const points = withGaps(this.#points, this.#shown?.stepMs ?? 1_000)
    const point = index === null ? undefined : points[index]
    const texts = this.#kind.lines.map(
      ({ name, value, text }) => `${name} ${text(point?.[value] ?? null)}`,
    )
    this.#cursor.textContent =
      point === undefined ? '' : `${this.#time.moment(point.atMs)}: ${texts.join(', ')}`
  }

  /** Along the points with the arrow keys; Home and End are its ends. */
  #onKey(event: KeyboardEvent): void {
    const plot = this.#plot
    const last =
      this.#points.length === 0
        ? -1
        : withGaps(this.#points, this.#shown?.stepMs ?? 1_000).length - 1
    if (plot === null || last < 0) return
    const at = this.#at ?? last
    const step = Math.max(1, Math.round(last / 60))
    const moves: Readonly<Record<string, number>> = {
      ArrowLeft: at - step,
      ArrowRight: at + step,
      Home: 0,
      End: last,
    }
    const wanted = moves[event.key]
    if (wanted === undefined) return
    event.preventDefault()
    const index = Math.min(last, Math.max(0, wanted))
    const left = plot.valToPos(plot.data[0][index] ?? 0, 'x')
    plot.setCursor({ left, top: HEIGHT / 3 })
  }
}

function topOf(max: number | null): number {
  // A line on the axis, and not a picture of noise.
  return max === null || !(max > 1) ? 1 : max * 1.1
}

function stepsOf(line: ChartLine | undefined): number[] {
  return [...(line?.steps ?? [])]
}

function texts(line: ChartLine | undefined): (plot: uPlot, splits: number[]) => string[] {
  return (_plot, splits) => splits.map((one) => line?.text(one) ?? '')
}

function series(line: ChartLine, stroke: string): uPlot.Series {
  const scale = line.isRight === true ? 'right' : 'left'
  return {
    label: line.name,
    scale,
    stroke,
    width: 1.5,
    spanGaps: false,
    points: { show: false },
    ...(scale === 'left' && { fill: `${stroke}22` }),
  }
}
