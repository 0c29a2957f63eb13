import type { Clock } from '../base/clock.ts'
import {
  type AttachAim,
  type AttachResult,
  attachReplica,
  type DetachResult,
  detachReplica,
  type OnStep,
  replicaFacts,
} from '../database/attach.ts'
import { doesRun } from '../database/replica-connection.ts'
import { relayAddress } from './relay-address.ts'
import { isWildcard, localRelayLogin } from './relay-login.ts'
import { isNamed, type ReplicaPlace } from './replica-place.ts'
import type {
  AttachAnswer,
  AttachInput,
  DetachAnswer,
  DetachInput,
  StatusAnswer,
} from './replica-schemas.ts'

/*
 * What is done with the replica of a copy: by the gateway when it is asked, and by a command of
 * the same machine where no gateway runs.
 */

export interface ReplicaContext {
  readonly signal: AbortSignal
  readonly clock: Clock
  readonly onStep: OnStep
}

/** Throws as `attachReplica` does. */
export async function attachAt(
  place: ReplicaPlace,
  input: AttachInput,
  { signal, clock, onStep }: ReplicaContext,
): Promise<AttachResult> {
  const { relayCa, channel, delaySeconds } = input
  const { replace, filters, dryRun } = input
  return await attachReplica(
    {
      replica: { role: 'replica', ...place.replica },
      relay: localRelayLogin(place.relay),
      target: aimOf(place, input.relayHost, relayCa ?? null),
      ...{ replace, filters, dryRun, clock, onStep },
      ...(delaySeconds !== undefined && { delaySeconds }),
      ...(channel !== undefined && { channel }),
      waitMs: input.waitSeconds * 1000,
    },
    signal,
  )
}

/** As it is told to whoever asked: `statements` are the shown ones, or those that are given. */
export function attachAnswer(
  { action, findings, changes, statements, replica }: AttachResult,
  { dryRun }: Pick<AttachInput, 'dryRun'>,
  texts: readonly string[] = statements.map(({ shown }) => shown),
): AttachAnswer {
  // Without a dry run that is an error.
  const ok = !findings.some(({ severity }) => severity === 'error')
  return { ok, action, dryRun, findings, changes, statements: texts, replica }
}

/** Throws as `detachReplica` does. */
export async function detachAt(
  place: ReplicaPlace,
  { relayHost, force, channel, dryRun }: DetachInput,
  { signal, onStep }: ReplicaContext,
): Promise<DetachResult> {
  return await detachReplica(
    {
      replica: { role: 'replica', ...place.replica },
      target: aimOf(place, relayHost, null),
      ...{ force, dryRun, onStep },
      ...(channel !== undefined && { channel }),
    },
    signal,
  )
}

export function detachAnswer(
  { action, statements }: DetachResult,
  { dryRun }: Pick<DetachInput, 'dryRun'>,
  kept: DetachAnswer['kept'],
): DetachAnswer {
  return { action, dryRun, statements: statements.map(({ shown }) => shown), kept }
}

/** Throws ERR_SQL_LOGIN and ERR_SQL_STATEMENT. */
export async function statusAt(place: ReplicaPlace, signal: AbortSignal): Promise<StatusAnswer> {
  const address = relayAddress(place.relay, place.identity)
  const replica = await replicaFacts({ role: 'replica', ...place.replica }, address, signal)
  return { ok: replica.following !== null && doesRun(replica.following), replica }
}

/** Of a relay that listens everywhere the address is the one that the login has. */
function aimOf(
  { relay, identity }: ReplicaPlace,
  relayHost: string | undefined,
  caPath: string | null,
): AttachAim {
  const listens = isWildcard(relay) ? null : relay.listen.host
  return {
    ...relayAddress(relay, identity, relayHost ?? listens),
    password: relay.password,
    caPath,
    isNamed: (name) => isNamed(relay, name),
  }
}
