import type {
  AnswerError,
  AnswerMessage,
  AskMessage,
  HelloMessage,
  ServerMessage,
  ViewMessage,
} from '../protocol.ts'

/** Without a view for so long, what is shown is old. */
export const OLD_MS = 3_000
/** Then the connection is taken for dead, whatever the browser says. */
const DEAD_MS = 12_000
const PAUSE_MS_FIRST = 500
const PAUSE_MS_MAX = 5_000
const ANSWER_MS_MAX = 20_000

interface Waiting {
  readonly resolve: (output: unknown) => void
  readonly reject: (error: AskError) => void
}

/** Why something that was asked has no answer. */
export class AskError extends Error {
  readonly code: string

  constructor({ code, message }: AnswerError) {
    super(message)
    this.code = code
  }
}

export interface ConnectionListener {
  onHello(hello: HelloMessage): void
  onView(view: ViewMessage): void
}

/** The WebSocket to the gateway. It comes back by itself, for as long as the page is open. */
export class Connection {
  readonly #listener: ConnectionListener
  readonly #waiting = new Map<number, Waiting>()
  #socket: WebSocket | null = null
  #lastId = 0
  #pauseMs = PAUSE_MS_FIRST
  #heardAt = performance.now()
  #hasView = false

  constructor(listener: ConnectionListener) {
    this.#listener = listener
  }

  /** How old what is shown is; null: there is nothing yet. */
  get ageMs(): number | null {
    return this.#hasView ? performance.now() - this.#heardAt : null
  }

  get isOpen(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN
  }

  open(): void {
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws'
    const socket = new WebSocket(`${scheme}://${location.host}/live`)
    this.#socket = socket
    this.#heardAt = this.#hasView ? this.#heardAt : performance.now()
    const openedAt = performance.now()
    const watch = setInterval(() => {
      const silentMs = performance.now() - Math.max(openedAt, this.#heardAt)
      if (silentMs > DEAD_MS) socket.close()
    }, 1_000)
    let isOver = false
    const over = (): void => {
      if (isOver) return
      isOver = true
      clearInterval(watch)
      for (const { reject } of this.#waiting.values()) reject(lost())
      this.#waiting.clear()
      setTimeout(() => this.open(), this.#pauseMs * (0.75 + Math.random() / 2))
      this.#pauseMs = Math.min(PAUSE_MS_MAX, this.#pauseMs * 2)
    }
    socket.addEventListener('message', ({ data }) => this.#take(String(data)))
    socket.addEventListener('close', over)
  }

  /** One operation, of this gateway or a peer. Rejects with AskError. */
  async ask(operation: string, input: object, peer?: string): Promise<unknown> {
    if (this.#socket === null || !this.isOpen) throw lost()
    this.#lastId += 1
    const id = this.#lastId
    const message: AskMessage = { type: 'ask', id, operation, input, ...(peer && { peer }) }
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    this.#waiting.set(id, { resolve, reject })
    this.#socket.send(JSON.stringify(message))
    const timer = setTimeout(() => reject(lost()), ANSWER_MS_MAX)
    try {
      return await promise
    } finally {
      clearTimeout(timer)
      this.#waiting.delete(id)
    }
  }

  #take(text: string): void {
    const message = JSON.parse(text) as ServerMessage
    if (message.type === 'hello') this.#listener.onHello(message)
    else if (message.type === 'answer') this.#settle(message)
    else if (message.type === 'view') {
      this.#pauseMs = PAUSE_MS_FIRST
      this.#heardAt = performance.now()
      this.#hasView = true
      this.#listener.onView(message)
    }
  }

  #settle(answer: AnswerMessage): void {
    const waiting = this.#waiting.get(answer.id)
    if ('error' in answer) waiting?.reject(new AskError(answer.error))
    else waiting?.resolve(answer.output)
  }
}

function lost(): AskError {
  return new AskError({ code: 'ERR_LINK_LOST', message: 'the gateway does not answer' })
}
