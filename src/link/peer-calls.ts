import {
  codeOf,
  describeError,
  isLandbridgeError,
  LandbridgeError,
  remedyOf,
} from '../base/errors.ts'
import type { Permission } from '../base/permission.ts'
import type { Channel } from './channel.ts'
import { type Frame, FrameType } from './frame.ts'
import { BODY_BYTES_MAX } from './message-parts.ts'
import {
  type CallError,
  cancel,
  cutText,
  parseBody,
  type Reply,
  reply,
  request,
} from './messages.ts'

/** One operation that a gateway asks of another. */
export interface PeerCall {
  readonly operation: string
  /** Not checked yet. */
  readonly input: unknown
  /** What whoever asks may do at the gateway that asks. */
  readonly granted: Permission
}

export interface CallContext {
  /** Aborted when whoever asked cancels or has gone. */
  readonly signal: AbortSignal
  readonly progress: (step: string) => void
}

export type ServeCall = (call: PeerCall, context: CallContext) => Promise<unknown>

/** Of one session, in each direction. */
const CALLS_MAX = 8
/** Of these, of those who may only read: they keep nobody from recovering. */
const READS_MAX = 6
const INPUT_CHARACTERS_MAX = 64 * 1024
/** Beside the output, of a reply. */
const ENVELOPE_BYTES = 1024

interface Asked {
  readonly granted: Permission
  readonly settle: (answer: Reply) => void
  /** The session is over. */
  readonly lost: () => void
  readonly progress: (step: string) => void
}

interface Served {
  readonly granted: Permission
  readonly ending: AbortController
}

/**
 * Questions and answers of a session, beside its streams. What was asked and has no answer when the
 * session ends failed: whether it was done is not known, and the journal over there says it.
 */
export class PeerCalls {
  readonly #channel: Pick<Channel, 'sendJson'>
  readonly #serve: ServeCall
  readonly #asked = new Map<number, Asked>()
  readonly #served = new Map<number, Served>()
  #lastId = 0
  #isOver = false

  constructor(channel: Pick<Channel, 'sendJson'>, serve: ServeCall) {
    this.#channel = channel
    this.#serve = serve
  }

  /** Throws what the other gateway says, ERR_OPERATION_BUSY, or ERR_LINK_LOST. */
  async ask(call: PeerCall, { signal, progress }: CallContext): Promise<unknown> {
    signal.throwIfAborted()
    if (this.#isOver) throw lost(call)
    refuseMany(this.#asked, call)
    this.#lastId += 1
    const id = this.#lastId
    const { promise, resolve, reject } = Promise.withResolvers<Reply>()
    const { granted } = call
    this.#asked.set(id, { granted, settle: resolve, lost: () => reject(lost(call)), progress })
    const abort = (): void => {
      this.#channel.sendJson(FrameType.Cancel, 0, { id })
      reject(signal.reason)
    }
    signal.addEventListener('abort', abort, { once: true })
    this.#channel.sendJson(FrameType.Request, 0, { id, ...call })
    try {
      const answer = await promise
      if (answer.error !== undefined) throw failureOf(answer.error)
      return answer.output
    } finally {
      signal.removeEventListener('abort', abort)
      this.#asked.delete(id)
    }
  }

  /** Whether the frame was one of these. Throws ERR_LINK_FRAME. */
  onFrame(frame: Frame): boolean {
    if (frame.type === FrameType.Request) this.#take(frame.body)
    else if (frame.type === FrameType.Reply) this.#hear(parseBody(reply, frame.body, 'reply'))
    else if (frame.type === FrameType.Cancel) {
      this.#served.get(parseBody(cancel, frame.body, 'cancel').id)?.ending.abort()
    } else return false
    return true
  }

  /** The session is over: nobody hears an answer any more. */
  end(): void {
    this.#isOver = true
    for (const asked of this.#asked.values()) asked.lost()
    for (const { ending } of this.#served.values()) ending.abort()
  }

  #hear(answer: Reply): void {
    const asked = this.#asked.get(answer.id)
    // It was cancelled meanwhile.
    if (asked === undefined) return
    if (answer.progress === undefined) asked.settle(answer)
    else asked.progress(answer.progress)
  }

  #take(body: unknown): void {
    const { id, ...call } = parseBody(request, body, 'request')
    if (this.#served.has(id)) {
      throw new LandbridgeError('ERR_LINK_FRAME', `the peer asks twice under the number ${id}`)
    }
    try {
      refuseMany(this.#served, call)
      if (JSON.stringify(call.input ?? null).length > INPUT_CHARACTERS_MAX) throw tooLong(call)
    } catch (error) {
      this.#answer({ id, error: errorOf(error) })
      return
    }
    void this.#work(id, call)
  }

  /** Never rejects: what goes wrong is the answer. */
  async #work(id: number, call: PeerCall): Promise<void> {
    const ending = new AbortController()
    this.#served.set(id, { granted: call.granted, ending })
    const progress = (step: string): void => this.#answer({ id, progress: cutText(step) })
    try {
      const output = await this.#serve(call, { signal: ending.signal, progress })
      this.#answer({ id, output })
    } catch (error) {
      this.#answer({ id, error: errorOf(error) })
    } finally {
      this.#served.delete(id)
    }
  }

  #answer(answer: Reply): void {
    if (this.#isOver) return
    const bytes = Buffer.byteLength(JSON.stringify(answer))
    const fits = bytes <= BODY_BYTES_MAX - ENVELOPE_BYTES
    const { id } = answer
    this.#channel.sendJson(FrameType.Reply, 0, fits ? answer : { id, error: errorOf(longAnswer()) })
  }
}

function errorOf(error: unknown): CallError {
  const remedy = remedyOf(error)
  return {
    code: codeOf(error).slice(0, 100),
    message: cutText(describeError(error)),
    ...(remedy !== undefined && { remedy: cutText(remedy) }),
    retryable: isLandbridgeError(error) && error.retryable,
  }
}

function failureOf({ code, message, remedy, retryable }: CallError): LandbridgeError {
  const known = /^ERR_[A-Z_]+$/.test(code) ? (code as `ERR_${string}`) : 'ERR_UNEXPECTED'
  return new LandbridgeError(known, message, {
    retryable,
    ...(remedy !== undefined && { remedy }),
  })
}

function lost({ operation }: PeerCall): LandbridgeError {
  const message = `the link ended before ${operation} was answered`
  return new LandbridgeError('ERR_LINK_LOST', message, {
    retryable: true,
    remedy: 'Ask again. Whether it was done, the journal of the other gateway says.',
  })
}

/** Throws ERR_OPERATION_BUSY. */
function refuseMany(
  running: ReadonlyMap<number, Pick<PeerCall, 'granted'>>,
  { granted }: PeerCall,
): void {
  const reads = [...running.values()].filter((one) => one.granted === 'read').length
  const isFull = running.size >= CALLS_MAX || (granted === 'read' && reads >= READS_MAX)
  if (!isFull) return
  const message = `${running.size} operations run already over this link`
  throw new LandbridgeError('ERR_OPERATION_BUSY', message, {
    retryable: true,
    remedy: 'Ask again when one of them has ended.',
  })
}

function tooLong({ operation }: PeerCall): LandbridgeError {
  const message = `${operation} was asked with an input of over ${INPUT_CHARACTERS_MAX} characters`
  return new LandbridgeError('ERR_OPERATION_INPUT', message)
}

function longAnswer(): LandbridgeError {
  const message = `the answer is over ${BODY_BYTES_MAX} bytes`
  return new LandbridgeError('ERR_OPERATION_ANSWER', message, {
    remedy: 'Ask at that gateway itself.',
  })
}
