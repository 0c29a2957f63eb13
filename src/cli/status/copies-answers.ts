import { fetchPeerStatus } from '../../api/admin-client.ts'
import { isLandbridgeError } from '../../base/errors.ts'
import type { GatewayStatus, StreamStatus, Verdict } from '../../status/status.ts'

/** Longer than a round trip; who looks should not wait for a peer that is away. */
const ANSWER_MS_MAX = 2_000

/**
 * What the gateways at the copies say: an origin does not know how far they are behind. Those that
 * do not answer in time are left out.
 */
export async function askCopies(
  socket: string,
  status: GatewayStatus,
  signal: AbortSignal,
): Promise<GatewayStatus[]> {
  const asked = [...new Set(status.streams.flatMap(copiesOf))]
  const limit = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS_MAX)])
  const answers = await Promise.all(
    asked.map(async (peer) => {
      try {
        return await fetchPeerStatus(socket, peer, { signal: limit, silentMsMax: ANSWER_MS_MAX })
      } catch (error) {
        signal.throwIfAborted()
        // Whatever it is that keeps it from answering is a problem of the status.
        if (isLandbridgeError(error) || limit.aborted) return null
        throw error
      }
    }),
  )
  return answers.filter((answer) => answer !== null)
}

/** The answers of a gateway, with those of its copies in place of "ask them". */
export function answersOf(
  { verdicts, streams }: Pick<GatewayStatus, 'verdicts' | 'streams'>,
  copies: readonly GatewayStatus[],
): Verdict[] {
  return verdicts.flatMap((verdict) => {
    const stream = streamOf(verdict, streams)
    if (stream === null || stream.role !== 'origin') return [verdict]
    const answers = copiesOf(stream).flatMap((peer) => {
      const copy = copies.find(({ name }) => name === peer)
      const answer = copy?.verdicts.find((one) => {
        return (
          one.question === verdict.question && streamOf(one, copy.streams)?.name === stream.name
        )
      })
      if (answer === undefined) return []
      return [{ ...answer, stream: verdict.stream, answer: `at ${peer}: ${answer.answer}` }]
    })
    return answers.length > 0 ? answers : [verdict]
  })
}

/** Which stream an answer is about; null: about none. */
function streamOf(
  { question, stream }: Verdict,
  streams: readonly StreamStatus[],
): StreamStatus | null {
  if (question === 'tunnel') return null
  return streams.find(({ name }) => stream === null || name === stream) ?? null
}

function copiesOf({ role, copies }: StreamStatus): string[] {
  return role === 'origin' ? copies.map(({ peer }) => peer) : []
}
