import type { LocalTime } from '../model/format.ts'
import { type JournalEntries, type JournalRow, journalRows } from '../model/journal.ts'
import type { HelloMessage } from '../protocol.ts'
import type { Connection } from './connection.ts'
import { h, patch } from './dom.ts'
import { journalTable } from './sections.ts'

const ASK_MS = 10_000
const LINES = 60
const ROWS_MAX = 40

/** Who asked for what, at this gateway and at those that can be heard. */
export class JournalPanel {
  readonly #place: Element
  readonly #connection: Connection
  readonly #time: LocalTime
  /** As they were heard last. */
  readonly #heard = new Map<string, JournalEntries>()
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
      const answer = await this.#connection.ask('journal', { lines: LINES }, peer)
      const { entries } = (answer ?? {}) as { entries?: unknown }
      if (Array.isArray(entries)) this.#heard.set(gateway, { gateway, entries })
    } catch {
      // The head of the page says who cannot be heard.
    }
  }

  #draw(): void {
    const rows: JournalRow[] = journalRows([...this.#heard.values()])
    const silent = [this.#hello?.gateway ?? '', ...(this.#hello?.peers ?? [])].filter(
      (gateway) => gateway !== '' && !this.#heard.has(gateway),
    )
    patch(this.#place, [
      ...journalTable(rows.slice(0, ROWS_MAX), this.#time, Date.now()),
      silent.length === 0 ? null : h('p', { class: 'fine' }, `Not heard yet: ${silent.join(', ')}`),
    ])
  }
}
