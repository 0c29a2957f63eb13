import type { Clock } from '../base/clock.ts'
import { isLandbridgeError, LandbridgeError } from '../base/errors.ts'
import {
  defineOperation,
  type Operation,
  type RunContext,
  SOCKET_CALLER,
} from '../base/operation.ts'
import { replicaKey } from '../mysql/replica-name.ts'
import { type ReplicaCourse, ReplicaTurns } from './replica-course.ts'
import { ReplicaLooks } from './replica-looks.ts'
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

/**
 * `replica.attach`, `replica.detach` and `replica.status`: what a person does with the database of
 * a copy, done by the gateway with the login that it has. Of one stream one attach or detach at a
 * time: ERR_OPERATION_BUSY; and one status, whose answer all get who ask meanwhile. Cancelled, they
 * end with ERR_OPERATION_CANCELLED, which says how far they came. Where roles change meanwhile:
 * ERR_TERM_CHANGED.
 */
export function replicaOperations(options: ReplicaOperationsOptions): Operation[] {
  const { site, dataDir, streams, clock } = options
  const turns = new ReplicaTurns()

  const placeOf = async (stream: Stream, course: ReplicaCourse): Promise<ReplicaPlace> => {
    return await replicaPlace({
      ...{ site, dataDir, stream: stream.config },
      origin: stream.term.origin,
      database: course.database(clock),
    })
  }
  const looks = new ReplicaLooks(async (stream, course) => {
    return await statusAt(await placeOf(stream, course), course.signal)
  }, clock)

  const attach = defineOperation({
    name: 'replica.attach',
    summary: 'make the database of a copy follow the relay of its gateway',
    permission: 'operate',
    input: attachInput,
    output: attachOutput,
    run: async (input, context) => {
      const stream = chooseStream(streams, input.stream)
      return await turns.alone(stream, context, async (course) => {
        const place = await placeOf(stream, course)
        if (input.relayHost !== undefined) refuseForeignHost(place, input.relayHost, context)
        const { signal, step: onStep } = course
        return attachAnswer(await attachAt(place, input, { signal, clock, onStep }), input)
      })
    },
  })
  const detach = defineOperation({
    name: 'replica.detach',
    summary: 'stop replication at the database of a copy, and keep no files for it',
    permission: 'operate',
    input: detachInput,
    output: detachOutput,
    run: async (input, context) => {
      const stream = chooseStream(streams, input.stream)
      return await turns.alone(stream, context, async (course) => {
        const { signal, step: onStep } = course
        const place = await placeOf(stream, course)
        const result = await detachAt(place, input, { signal, clock, onStep })
        const kept = input.dryRun ? null : await release(stream, replicaKey(result.replica))
        return detachAnswer(result, input, kept)
      })
    },
  })
  const status = defineOperation({
    name: 'replica.status',
    summary: 'say what the database of a copy follows, and how it goes',
    permission: 'read',
    input: statusInput,
    output: statusOutput,
    run: (input, context) => looks.join(chooseStream(streams, input.stream), context),
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
