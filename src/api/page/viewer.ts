import type { WebSocket } from 'ws'
import { z } from 'zod'
import type { Clock } from '../../base/clock.ts'
import { describeError, errorFields, LandbridgeError } from '../../base/errors.ts'
import type { OperationContext } from '../../base/operation.ts'
import { plainJson } from '../../base/plain-text.ts'
import type { AnswerMessage, AskMessage, ServerMessage } from './protocol.ts'

export type Ask = (
  asked: Pick<AskMessage, 'operation' | 'input' | 'peer'>,
  context: OperationContext,
) => Promise<unknown>

export interface ViewerOptions {
  readonly socket: WebSocket
  readonly ask: Ask
  readonly clock: Clock
}

/** Of one message from a page. */
export const ASK_BYTES_MAX = 16 * 1024
/** Asked by one page, and not answered yet. */
const ASKED_MAX = 4
/** Of one answer; a peer's is bounded by the link. */
const ANSWER_CHARACTERS_MAX = 1024 * 1024
/** What a page has not taken yet: answers wait no further. */
const UNSENT_BYTES_MAX = 2 * 1024 * 1024
/** A page that takes nothing for so long has gone, or sleeps: it comes back by itself. */
const UNSENT_MS_MAX = 15_000
const CLOSE_POLICY = 1008

const askMessage = z.strictObject({
  type: z.literal('ask'),
  id: z.int().nonnegative(),
  operation: z.string().max(100),
  input: z.unknown(),
  peer: z.string().max(100).optional(),
})

/** One open page. What it may ask is bounded, and so is what waits for it. */
export class Viewer {
  readonly #options: ViewerOptions
  readonly #gone = new AbortController()
  readonly #asked = new Set<number>()
  /** Since when it has not taken all that was sent. */
  #slowSinceMs: number | null = null

  constructor(options: ViewerOptions) {
    this.#options = options
    const { socket } = options
    socket.on('message', (data: Buffer, isBinary) => this.#take(data, isBinary))
    // Its end says all that there is to say.
    socket.on('error', () => socket.terminate())
    socket.once('close', () => this.#gone.abort())
  }

  /** One that has not taken the last view gets the next one that it can take: the newest. */
  show(view: string): void {
    const { socket, clock } = this.#options
    if (socket.bufferedAmount === 0) {
      this.#slowSinceMs = null
      socket.send(view)
      return
    }
    const nowMs = clock.monotonicMs()
    this.#slowSinceMs ??= nowMs
    if (nowMs - this.#slowSinceMs > UNSENT_MS_MAX) socket.terminate()
  }

  send(message: ServerMessage): void {
    const { socket } = this.#options
    if (this.#gone.signal.aborted) return
    if (socket.bufferedAmount > UNSENT_BYTES_MAX) socket.terminate()
    else socket.send(plainJson(JSON.stringify(message)))
  }

  #take(data: Buffer, isBinary: boolean): void {
    const { data: asked } = askMessage.safeParse(isBinary ? null : jsonIn(data))
    if (asked === undefined || this.#asked.has(asked.id)) {
      this.#options.socket.close(CLOSE_POLICY, 'not the protocol of this page')
      return
    }
    if (this.#asked.size >= ASKED_MAX) this.#answer(asked.id, { error: busy() })
    else void this.#work(asked)
  }

  /** Never rejects: what goes wrong is the answer. */
  async #work({ id, operation, input, peer }: z.output<typeof askMessage>): Promise<void> {
    this.#asked.add(id)
    const progress = (step: string): void => this.send({ type: 'progress', id, step })
    const { signal } = this.#gone
    try {
      const asked = { operation, input, ...(peer !== undefined && { peer }) }
      const output = (await this.#options.ask(asked, { signal, progress })) ?? null
      const size = JSON.stringify(output).length
      this.#answer(id, size > ANSWER_CHARACTERS_MAX ? { error: tooLong() } : { output })
    } catch (error) {
      this.#answer(id, { error })
    } finally {
      this.#asked.delete(id)
    }
  }

  #answer(id: number, given: { readonly output: unknown } | { readonly error: unknown }): void {
    const type = 'answer'
    const message: AnswerMessage =
      'output' in given
        ? { type, id, output: given.output }
        : { type, id, error: { ...errorFields(given.error), message: describeError(given.error) } }
    this.send(message)
  }
}

function jsonIn(data: Buffer): unknown {
  try {
    return JSON.parse(data.toString())
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}

function busy(): LandbridgeError {
  return new LandbridgeError('ERR_OPERATION_BUSY', `${ASKED_MAX} questions of this page are open`, {
    retryable: true,
    remedy: 'Ask again when one of them is answered.',
  })
}

function tooLong(): LandbridgeError {
  const message = `the answer is over ${ANSWER_CHARACTERS_MAX} characters`
  return new LandbridgeError('ERR_OPERATION_ANSWER', message, {
    remedy: 'Ask on the command line.',
  })
}
