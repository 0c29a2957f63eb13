import { z } from 'zod'
import { LandbridgeError } from '../base/errors.ts'

/** What says which stream is meant, among the inputs of an operation. */
export const streamInput = z
  .string()
  .max(63)
  .optional()
  .describe('Name of the stream; needed where there are several')

/** The one of that name, or the only one. Throws ERR_USAGE and ERR_STREAM_UNKNOWN. */
export function chooseStream<One extends { readonly name: string }>(
  streams: readonly One[],
  name: string | undefined,
): One {
  if (name !== undefined) return findStream(streams, name)
  const [first] = streams
  if (first !== undefined && streams.length === 1) return first
  throw new LandbridgeError('ERR_USAGE', 'it is not clear which stream is meant', {
    remedy: `Say it with --stream: ${streams.map((stream) => stream.name).join(', ')}`,
  })
}

/** Throws ERR_STREAM_UNKNOWN. */
export function findStream<One extends { readonly name: string }>(
  streams: readonly One[],
  name: string,
): One {
  const found = streams.find((stream) => stream.name === name)
  if (found !== undefined) return found
  const names = streams.map((stream) => stream.name).join(', ')
  throw new LandbridgeError('ERR_STREAM_UNKNOWN', `this gateway has no stream ${name}`, {
    remedy: `It has: ${names}.`,
  })
}
