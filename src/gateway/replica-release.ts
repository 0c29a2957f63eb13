import { z } from 'zod'
import { defineOperation, type Operation } from '../api/operation.ts'
import { LandbridgeError } from '../base/errors.ts'
import type { StreamHalf } from './stream-half.ts'

/** A person says of a replica that it is gone, or was made anew. */
export function replicaRelease(streams: () => readonly StreamHalf[]): Operation {
  return defineOperation({
    name: 'replica.release',
    summary: 'keep no files for a replica any more, and serve it as one that is new',
    permission: 'operate',
    input: z.strictObject({
      stream: z.string().max(63).describe('Name of the stream'),
      replica: z.string().max(255).describe('Its server_uuid, or id: and its server_id'),
    }),
    output: z.strictObject({
      released: z.boolean().describe('Whether anything was kept for it'),
    }),
    async run({ stream: name, replica }) {
      const found = streams().find((stream) => stream.name === name)
      if (found === undefined) throw noStream(name, streams())
      return { released: await found.releaseReplica(replica) }
    },
  })
}

function noStream(name: string, streams: readonly StreamHalf[]): LandbridgeError {
  const names = streams.map((stream) => stream.name).join(', ')
  return new LandbridgeError('ERR_STREAM_UNKNOWN', `this gateway has no stream ${name}`, {
    remedy: `It has: ${names}.`,
  })
}
