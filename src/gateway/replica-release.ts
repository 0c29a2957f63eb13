import { z } from 'zod'
import { defineOperation, type Operation } from '../base/operation.ts'
import type { Stream } from './stream.ts'
import { chooseStream, streamInput } from './stream-choice.ts'

/** A person says of a replica that it is gone, or was made anew. */
export function replicaRelease(streams: readonly Stream[]): Operation {
  return defineOperation({
    name: 'replica.release',
    summary: 'keep no files for a replica any more, and serve it as one that is new',
    permission: 'operate',
    input: z.strictObject({
      stream: streamInput,
      replica: z.string().max(255).describe('Its server_uuid, or id: and its server_id'),
    }),
    output: z.strictObject({
      released: z.boolean().describe('Whether anything was kept for it'),
    }),
    async run({ stream, replica }) {
      return { released: await chooseStream(streams, stream).half.releaseReplica(replica) }
    },
  })
}
