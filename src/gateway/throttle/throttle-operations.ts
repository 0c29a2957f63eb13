import type { Clock } from '../../base/clock.ts'
import { LandbridgeError } from '../../base/errors.ts'
import { defineOperation, type Operation } from '../../base/operation.ts'
import { NO_ORDERS, type ThrottleOrders } from '../../progress/throttle-orders.ts'
import type { Stream } from '../stream.ts'
import { chooseStream } from '../stream-choice.ts'
import type { StreamThrottle } from './stream-throttle.ts'
import {
  pauseInput,
  setInput,
  streamOnlyInput,
  type ThrottleAnswer,
  throttleOutput,
} from './throttle-schemas.ts'

export interface ThrottleOperationsOptions {
  readonly site: string
  readonly streams: readonly Stream[]
  readonly clock: Clock
}

const changing = { permission: 'operate', output: throttleOutput } as const

/**
 * `throttle.show`, and what changes it live: `throttle.set`, `throttle.pause`, `throttle.resume`,
 * `throttle.off`. A rate and a pause stand beside each other; neither lifts what the configuration
 * says. Throw ERR_STREAM_UNKNOWN, and ERR_USAGE where the stream's origin is another site.
 */
export function throttleOperations({
  site,
  streams,
  clock,
}: ThrottleOperationsOptions): Operation[] {
  const order = async (
    name: string | undefined,
    change: (orders: ThrottleOrders) => ThrottleOrders,
  ): Promise<ThrottleAnswer> => {
    const stream = chooseStream(streams, name)
    const throttle = throttleAt(stream, site)
    const { notStored } = await throttle.order(change)
    return { ...shown(stream), notStored }
  }
  const orderOf = (by: string, forSeconds: number | undefined) => {
    const atMs = clock.wallMs()
    return { by, atMs, untilMs: forSeconds === undefined ? null : atMs + forSeconds * 1000 }
  }

  return [
    defineOperation({
      name: 'throttle.show',
      summary: 'say what holds a stream back, why, and how much waits',
      permission: 'read',
      input: streamOnlyInput,
      output: throttleOutput,
      run: ({ stream }) => ({ ...shown(chooseStream(streams, stream)), notStored: null }),
    }),
    defineOperation({
      ...{ name: 'throttle.set', summary: 'limit the rate of a stream, at its origin' },
      ...{ ...changing, input: setInput },
      run: ({ stream, bytesPerSecond, forSeconds }, { caller }) => {
        const rate = { ...orderOf(caller, forSeconds), bytesPerSecond }
        return order(stream, (orders) => ({ ...orders, rate }))
      },
    }),
    defineOperation({
      ...{ name: 'throttle.pause', summary: 'let nothing of a stream pass, at its origin' },
      ...{ ...changing, input: pauseInput },
      run: ({ stream, forSeconds }, { caller }) => {
        return order(stream, (orders) => ({ ...orders, pause: orderOf(caller, forSeconds) }))
      },
    }),
    defineOperation({
      ...{ name: 'throttle.resume', summary: 'end a pause; a rate that was set holds again' },
      ...{ ...changing, input: streamOnlyInput },
      run: ({ stream }) => order(stream, (orders) => ({ ...orders, pause: null })),
    }),
    defineOperation({
      ...{ name: 'throttle.off', summary: 'take back what was set live: a rate and a pause' },
      ...{ ...changing, input: streamOnlyInput },
      run: ({ stream }) => order(stream, () => NO_ORDERS),
    }),
  ]
}

function shown(stream: Stream): Omit<ThrottleAnswer, 'notStored'> {
  const { half } = stream
  const limits = half.throttle?.limits() ?? []
  const isOrigin = half.role === 'origin'
  return { stream: stream.name, isOrigin, throttle: half.status().throttle, limits }
}

function throttleAt({ name, half, term }: Stream, site: string): StreamThrottle {
  if (half.throttle !== null) return half.throttle
  const why =
    term.origin === site ? 'it does not run here' : `its origin is ${term.origin}, not ${site}`
  throw new LandbridgeError('ERR_USAGE', `${name} cannot be throttled here: ${why}`, {
    remedy: 'Ask the gateway at the origin, with --peer NAME; its peer file has to allow that.',
  })
}
