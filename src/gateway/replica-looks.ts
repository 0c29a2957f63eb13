import { abortable } from '../base/abortable.ts'
import type { Clock } from '../base/clock.ts'
import { LandbridgeError } from '../base/errors.ts'
import type { OperationContext } from '../base/operation.ts'
import { ReplicaCourse } from './replica-course.ts'
import type { StatusAnswer } from './replica-schemas.ts'
import type { Stream } from './stream.ts'

/** Looks at the replica of a stream; changes nothing. */
export type Look = (stream: Stream, course: ReplicaCourse) => Promise<StatusAnswer>

/** Longer than the longest wait for a login that succeeds: 75 s for its turn, 10 s to connect. */
const LOOK_MS_MAX = 120_000

type Listener = OperationContext['progress']

/** All who wait for one look; who comes later hears the last step first. */
class Audience {
  readonly #listeners = new Set<Listener>()
  #lastStep: string | null = null

  join(listener: Listener): void {
    if (this.#lastStep !== null) listener(this.#lastStep)
    this.#listeners.add(listener)
  }

  leave(listener: Listener): void {
    this.#listeners.delete(listener)
  }

  readonly tell = (step: string): void => {
    this.#lastStep = step
    for (const listener of this.#listeners) listener(step)
  }
}

interface Running {
  readonly answer: Promise<StatusAnswer>
  readonly audience: Audience
}

/**
 * One look at the replica of a stream at a time, for all who ask while it lasts. It goes on when
 * one of them leaves, or all: whoever asks and hangs up makes no handshake that breaks off, of
 * which the server counts a hundred. It ends with the role of this site, with the gateway, or after
 * 120 s.
 */
export class ReplicaLooks {
  readonly #look: Look
  readonly #clock: Clock
  readonly #running = new Map<string, Running>()

  constructor(look: Look, clock: Clock) {
    this.#look = look
    this.#clock = clock
  }

  /** Throws what the look does, ERR_REPLICA_QUERY when it takes too long; AbortError for one. */
  async join(stream: Stream, { signal, progress }: OperationContext): Promise<StatusAnswer> {
    signal.throwIfAborted()
    const { answer, audience } = this.#running.get(stream.name) ?? this.#begin(stream)
    audience.join(progress)
    try {
      return await abortable(answer, signal)
    } finally {
      audience.leave(progress)
    }
  }

  #begin(stream: Stream): Running {
    const audience = new Audience()
    const looked = this.#looked(stream, audience.tell)
    const answer = looked.finally(() => this.#running.delete(stream.name))
    // Whoever asked may have left.
    answer.catch(() => undefined)
    const running = { answer, audience }
    this.#running.set(stream.name, running)
    return running
  }

  async #looked(stream: Stream, progress: Listener): Promise<StatusAnswer> {
    const [late, over] = [new AbortController(), new AbortController()]
    const limit = this.#clock.sleep(LOOK_MS_MAX, { signal: over.signal })
    // Rejects only when it is over.
    const limited = limit.then(() => late.abort()).catch(() => undefined)
    const course = new ReplicaCourse(stream, { signal: late.signal, progress })
    try {
      return await course.run(() => this.#look(stream, course))
    } catch (error) {
      throw late.signal.aborted ? tooLate(stream) : error
    } finally {
      over.abort()
      await limited
    }
  }
}

function tooLate({ name }: Stream): LandbridgeError {
  const message = `the replica of stream ${name} did not answer within ${LOOK_MS_MAX / 1000} s`
  return new LandbridgeError('ERR_REPLICA_QUERY', message, {
    retryable: true,
    remedy: 'See what holds its server up: SHOW PROCESSLIST there.',
  })
}
