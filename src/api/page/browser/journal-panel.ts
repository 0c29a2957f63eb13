import { eventRows } from '../model/events.ts'
import type { LocalTime } from '../model/format.ts'
import { journalRows } from '../model/journal.ts'
import type { HelloMessage } from '../protocol.ts'
import type { Connection } from './connection.ts'
import { h, patch } from './dom.ts'
import { eventTable, journalTable } from './sections.ts'

const ASK_MS = 10_000
const LINES = 60
const ROWS_MAX = 40

/**
 * What was done and what happened, at this gateway and at those that can be heard: `events`, or the
 * journal alone where a gateway does not know these.
 */
export class JournalPanel {
  readonly #place: Element
  readonly #connection: Connection
  readonly #time: LocalTime
  /** As they were heard last. */
  readonly #heard = new Map<string, readonly unknown[]>()
  #hello: HelloMessage | null = null
  #round = 0

  constructor(place: Element, connection: Connection, time: LocalTime) {
    this.#place = place
    this.#connection = connection
    this.#time = time
  }

  onHello(hello: HelloMessage): void {
    this.#hello = hello
    this.#round += 1
    void this.#keep(hello, this.#round)
  }

  get #operation(): 'events' | 'journal' {
    const knows = this.#hello?.operations.some(({ name }) => name === 'events') === true
    return knows ? 'events' : 'journal'
  }

  /** Until the connection is a new one. A page that nobody sees asks nothing. */
  async #keep(hello: HelloMessage, round: number): Promise<void> {
    while (round === this.#round) {
      if (!document.hidden) {
        await this.#ask(hello.gateway)
        for (const peer of hello.peers) await this.#ask(peer, peer)
        this.#draw()
      }
      await new Promise((resolve) => setTimeout(resolve, ASK_MS))
    }
  }

  /** Whoever does not answer keeps what it said last. */
  async #ask(gateway: string, peer?: string): Promise<void> {
    try {
      const answer = await this.#connection.ask(this.#operation, { lines: LINES }, peer)
      const { entries, events } = (answer ?? {}) as { entries?: unknown; events?: unknown }
      const lines = entries ?? events
      if (Array.isArray(lines)) this.#heard.set(gateway, lines)
    } catch {
      // The head of the page says who cannot be heard.
    }
  }

  #draw(): void {
    const heard = [...this.#heard]
    const nowMs = Date.now()
    const silent = [this.#hello?.gateway ?? '', ...(this.#hello?.peers ?? [])].filter(
      (gateway) => gateway !== '' && !this.#heard.has(gateway),
    )
    patch(this.#place, [
      ...(this.#operation === 'events'
        ? eventTable(newest(eventRows(heard.map(asEvents))), this.#time, nowMs)
        : journalTable(newest(journalRows(heard.map(asEntries))), this.#time, nowMs)),
      silent.length === 0 ? null : h('p', { class: 'fine' }, `Not heard yet: ${silent.join(', ')}`),
    ])
  }
}

type Heard = readonly [gateway: string, lines: readonly unknown[]]
const asEvents = ([gateway, events]: Heard) => ({ gateway, events })
const asEntries = ([gateway, entries]: Heard) => ({ gateway, entries })

function newest<Row>(rows: readonly Row[]): readonly Row[] {
  return rows.slice(0, ROWS_MAX)
}
