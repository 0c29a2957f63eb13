import { LandbridgeError } from '../base/errors.ts'
import type { Stream } from './stream.ts'

/** Throws ERR_STREAM_UNKNOWN. */
export function findStream(streams: readonly Stream[], name: string): Stream {
  const found = streams.find((stream) => stream.name === name)
  if (found !== undefined) return found
  const names = streams.map((stream) => stream.name).join(', ')
  throw new LandbridgeError('ERR_STREAM_UNKNOWN', `this gateway has no stream ${name}`, {
    remedy: `It has: ${names}.`,
  })
}
