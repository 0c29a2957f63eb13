import type { Clock } from '../base/clock.ts'
import { isAbortError, LandbridgeError } from '../base/errors.ts'
import type { OperationContext } from '../base/operation.ts'
import { formatHostPort } from '../config/address.ts'
import { patientAttempts } from '../database/patient-attempts.ts'
import type { SqlAddress } from '../mysql/sql-connect.ts'
import type { Stream } from './stream.ts'

/**
 * How one operation on the replica of a stream goes: until whoever asked cancels it, the role of
 * this site ends, or the gateway does.
 */
export class ReplicaCourse {
  readonly signal: AbortSignal
  readonly #stream: Stream
  readonly #half: Stream['half']
  readonly #asked: OperationContext
  #last = 'nothing was done'

  constructor(stream: Stream, asked: OperationContext) {
    this.#stream = stream
    this.#half = stream.half
    this.#asked = asked
    this.signal = AbortSignal.any([asked.signal, stream.ending])
  }

  /**
   * One step, for whoever asked and for the journal. Throws ERR_TERM_CHANGED to stop before it:
   * what follows may be wrong for the role of now.
   */
  readonly step = (text: string): void => {
    if (this.#hasChanged) throw roleChanging(this.#stream)
    this.#tell(text)
  }

  /** The stream's server, where a wait for the turn of a login is said, and is not for hours. */
  database(clock: Clock): SqlAddress | null {
    const { database } = this.#stream
    if (database?.attempts === undefined) return database
    // It may be said while roles change: the signal ends the wait.
    const onWait = (): void => this.#tell('waiting for the next login that is due: others failed')
    const server = formatHostPort(database)
    return { ...database, attempts: patientAttempts(database.attempts, { clock, server, onWait }) }
  }

  /**
   * Does the work. Where that is aborted: ERR_TERM_CHANGED, or ERR_OPERATION_CANCELLED with what
   * was the last that was done, or begun.
   */
  async run<T>(work: (course: ReplicaCourse) => Promise<T>): Promise<T> {
    try {
      if (this.#hasChanged) throw roleChanging(this.#stream)
      return await work(this)
    } catch (error) {
      if (!this.signal.aborted || !isAbortError(error)) throw error
      if (this.#hasChanged) throw roleChanging(this.#stream)
      const byAsker = this.#asked.signal.aborted
      const why = byAsker ? '' : ', because the gateway stops'
      const message = `cancelled${why}; the last step: ${this.#last}`
      throw new LandbridgeError('ERR_OPERATION_CANCELLED', message, {
        remedy: 'Ask again: it looks anew at what is there, and mends what is half done.',
      })
    }
  }

  get #hasChanged(): boolean {
    return this.#stream.isChanging || this.#stream.half !== this.#half
  }

  #tell(text: string): void {
    this.#last = text
    this.#asked.progress(text)
  }
}

/** What changes the replica of a stream: one at a time. */
export class ReplicaTurns {
  readonly #busy = new Set<string>()

  /** Throws ERR_OPERATION_BUSY, ERR_TERM_CHANGED, ERR_OPERATION_CANCELLED, and what `work` does. */
  async alone<T>(
    stream: Stream,
    asked: OperationContext,
    work: (course: ReplicaCourse) => Promise<T>,
  ): Promise<T> {
    const { name } = stream
    if (this.#busy.has(name)) throw occupied(name)
    this.#busy.add(name)
    try {
      return await new ReplicaCourse(stream, asked).run(work)
    } finally {
      this.#busy.delete(name)
    }
  }
}

function occupied(stream: string): LandbridgeError {
  const message = `the replica of stream ${stream} is being attached or detached already`
  return new LandbridgeError('ERR_OPERATION_BUSY', message, {
    retryable: true,
    remedy: 'Ask again when that has ended; `landbridge operation journal` shows it.',
  })
}

function roleChanging({ name }: Stream): LandbridgeError {
  const message = `this gateway takes another role in stream ${name}`
  return new LandbridgeError('ERR_TERM_CHANGED', message, {
    retryable: true,
    remedy: 'Ask again in a moment, at the gateway of a copy.',
  })
}
