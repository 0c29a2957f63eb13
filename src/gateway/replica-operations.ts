import type { Clock } from '../base/clock.ts'
import { isAbortError, isLandbridgeError, LandbridgeError } from '../base/errors.ts'
import {
  defineOperation,
  type Operation,
  type RunContext,
  SOCKET_CALLER,
} from '../base/operation.ts'
import { formatHostPort } from '../config/address.ts'
import { patientAttempts } from '../database/patient-attempts.ts'
import { replicaKey } from '../mysql/replica-name.ts'
import type { SqlAddress } from '../mysql/sql-connect.ts'
import { isNamed, type ReplicaPlace, replicaPlace } from './replica-place.ts'
import {
  attachInput,
  attachOutput,
  type DetachAnswer,
  detachInput,
  detachOutput,
  statusInput,
  statusOutput,
} from './replica-schemas.ts'
import { attachAnswer, attachAt, detachAnswer, detachAt, statusAt } from './replica-work.ts'
import type { Stream } from './stream.ts'
import { chooseStream } from './stream-choice.ts'

export interface ReplicaOperationsOptions {
  readonly site: string
  readonly dataDir: string
  readonly streams: readonly Stream[]
  readonly clock: Clock
}

type Asked = Pick<RunContext, 'signal' | 'progress'>

/**
 * `replica.attach`, `replica.detach` and `replica.status`: what a person does with the database of
 * a copy, done by the gateway with the login that it has. Of one stream one attach or detach at a
 * time: ERR_OPERATION_BUSY. Cancelled, they end with ERR_OPERATION_CANCELLED, which says how far
 * they came. Where roles change meanwhile: ERR_TERM_CHANGED.
 */
export function replicaOperations(options: ReplicaOperationsOptions): Operation[] {
  const { streams, clock } = options
  const busy = new Set<string>()

  /** The only one at this replica, while this site is a copy. */
  const alone = async <T>(
    name: string | undefined,
    asked: Asked,
    work: (stream: Stream, place: ReplicaPlace, course: Asked) => Promise<T>,
  ): Promise<T> => {
    const stream = chooseStream(streams, name)
    if (busy.has(stream.name)) throw occupied(stream)
    busy.add(stream.name)
    try {
      return await sayingHowFar(stream, asked, async (course) => {
        const guarded = { ...course, progress: guardedBy(stream, course.progress) }
        return await work(stream, await placeOf(stream, options, course), guarded)
      })
    } finally {
      busy.delete(stream.name)
    }
  }

  const attach = defineOperation({
    name: 'replica.attach',
    summary: 'make the database of a copy follow the relay of its gateway',
    permission: 'operate',
    input: attachInput,
    output: attachOutput,
    run: (input, context) =>
      alone(input.stream, context, async (_stream, place, { signal, progress: onStep }) => {
        if (input.relayHost !== undefined) refuseForeignHost(place, input.relayHost, context)
        const result = await attachAt(place, input, { signal, clock, onStep })
        return attachAnswer(result, input)
      }),
  })
  const detach = defineOperation({
    name: 'replica.detach',
    summary: 'stop replication at the database of a copy, and keep no files for it',
    permission: 'operate',
    input: detachInput,
    output: detachOutput,
    run: (input, context) =>
      alone(input.stream, context, async (stream, place, { signal, progress: onStep }) => {
        const result = await detachAt(place, input, { signal, clock, onStep })
        const kept = input.dryRun ? null : await release(stream, replicaKey(result.replica))
        return detachAnswer(result, input, kept)
      }),
  })
  const status = defineOperation({
    name: 'replica.status',
    summary: 'say what the database of a copy follows, and how it goes',
    permission: 'read',
    input: statusInput,
    output: statusOutput,
    run: async (input, { signal, progress }) => {
      const stream = chooseStream(streams, input.stream)
      return await statusAt(await placeOf(stream, options, { progress }), signal)
    },
  })
  return [attach, detach, status]
}

/** Also where it had been detached already: what was kept for it may still be kept. */
async function release(stream: Stream, replica: string): Promise<DetachAnswer['kept']> {
  try {
    return (await stream.half.releaseReplica(replica)) ? 'released' : 'nothing'
  } catch (error) {
    // The replica is detached; of a stream that is blocked here nothing can be let go.
    if (isLandbridgeError(error)) return 'unknown'
    throw error
  }
}

async function placeOf(
  stream: Stream,
  { site, dataDir, clock }: ReplicaOperationsOptions,
  { progress }: Pick<Asked, 'progress'>,
): Promise<ReplicaPlace> {
  if (stream.isChanging) throw changing(stream)
  const { config, database } = stream
  return await replicaPlace({
    ...{ site, dataDir, stream: config },
    origin: stream.term.origin,
    database: database && patient(database, clock, progress),
  })
}

function patient(database: SqlAddress, clock: Clock, progress: (step: string) => void): SqlAddress {
  const { attempts } = database
  if (attempts === undefined) return database
  const onWait = (): void => progress('waiting for the next login that is due: others failed')
  const server = formatHostPort(database)
  return { ...database, attempts: patientAttempts(attempts, { clock, server, onWait }) }
}

/** Each step is also a place to stop: what follows may be wrong for the role of now. */
function guardedBy(stream: Stream, progress: (step: string) => void): (step: string) => void {
  const hasChanged = roleWatch(stream)
  return (step) => {
    if (hasChanged()) throw changing(stream)
    progress(step)
  }
}

function roleWatch(stream: Stream): () => boolean {
  const { half } = stream
  return () => stream.isChanging || stream.half !== half
}

/**
 * Ends with the role of now as well. Whoever cancels learns, as the journal does, what was the last
 * that was done, or begun.
 */
async function sayingHowFar<T>(
  stream: Stream,
  { signal, progress }: Asked,
  work: (course: Asked) => Promise<T>,
): Promise<T> {
  const hasChanged = roleWatch(stream)
  let last = 'nothing was done'
  const told = (step: string): void => {
    last = step
    progress(step)
  }
  const either = AbortSignal.any([signal, stream.ending])
  try {
    return await work({ signal: either, progress: told })
  } catch (error) {
    if (!either.aborted || !isAbortError(error)) throw error
    if (hasChanged()) throw changing(stream)
    const what = signal.aborted ? 'cancelled' : 'cancelled, because the gateway stops'
    throw new LandbridgeError('ERR_OPERATION_CANCELLED', `${what}; the last step: ${last}`, {
      remedy: 'Ask again: it looks anew at what is there, and mends what is half done.',
    })
  }
}

/**
 * The replica sends the relay's password to the host that it is told, so a peer may name one only
 * that the relay's certificate names.
 */
function refuseForeignHost({ relay }: ReplicaPlace, host: string, { caller }: RunContext): void {
  if (caller === SOCKET_CALLER || isNamed(relay, host)) return
  const message = `a peer may not name ${host} as the relay: the relay's certificate does not`
  throw new LandbridgeError('ERR_OPERATION_DENIED', message, {
    remedy: 'Ask at that gateway itself, or give relay.certificate one that names the host.',
  })
}

function occupied({ name }: Stream): LandbridgeError {
  const message = `the replica of stream ${name} is being attached or detached already`
  return new LandbridgeError('ERR_OPERATION_BUSY', message, {
    retryable: true,
    remedy: 'Ask again when that has ended; `landbridge operation journal` shows it.',
  })
}

function changing({ name }: Stream): LandbridgeError {
  const message = `this gateway takes another role in stream ${name}`
  return new LandbridgeError('ERR_TERM_CHANGED', message, {
    retryable: true,
    remedy: 'Ask again in a moment, at the gateway of a copy.',
  })
}
