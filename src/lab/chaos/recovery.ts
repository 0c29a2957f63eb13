import { setTimeout as sleep } from 'node:timers/promises'
import type { RowDataPacket } from 'mysql2/promise'
import { fetchStatus } from '../../api/admin-client.ts'
import type { Flavor } from '../../base/flavor.ts'
import { withRoot } from '../servers/lab-databases.ts'
import { reaches, type SourcePosition } from './source-position.ts'

export interface RecoveryOptions {
  readonly flavor: Flavor
  readonly stream: string
  /** Of the gateway at the copy. */
  readonly adminSocket: string
  readonly replicaSocket: string
  readonly waitMs: number
  readonly signal: AbortSignal
}

const POLL_MS = 40

/** Milliseconds until the copy has synced what the source had at `wanted`; null: too long. */
export async function spoolRecovery(
  wanted: SourcePosition,
  { stream, adminSocket, waitMs, signal }: RecoveryOptions,
): Promise<number | null> {
  const startedMs = performance.now()
  while (performance.now() - startedMs < waitMs) {
    const askedMs = performance.now()
    try {
      const { streams } = await fetchStatus(adminSocket, { timeoutMs: 1_000, signal })
      const synced = streams.find(({ name }) => name === stream)?.spool?.synced ?? null
      if (synced !== null && reaches(synced, wanted)) return performance.now() - startedMs
    } catch {
      // It is starting, or gone for the moment: that is what is being measured.
      signal.throwIfAborted()
    }
    // An answer that costs much (a large GTID set) must not be what it recovers from.
    const pauseMs = Math.max(POLL_MS, 4 * (performance.now() - askedMs))
    await sleep(pauseMs, undefined, { signal })
  }
  return null
}

/** The same until the replica has applied it. */
export async function replicaRecovery(
  wanted: SourcePosition,
  { flavor, replicaSocket, waitMs, signal }: RecoveryOptions,
): Promise<number | null> {
  const startedMs = performance.now()
  const wait =
    flavor === 'mysql' ? 'WAIT_FOR_EXECUTED_GTID_SET(?, 0.5)' : 'MASTER_GTID_WAIT(?, 0.5)'
  while (performance.now() - startedMs < waitMs) {
    signal.throwIfAborted()
    try {
      const applied = await withRoot({ socket: replicaSocket }, async (connection) => {
        const [[row]] = await connection.query<RowDataPacket[]>(`SELECT ${wait} AS result`, [
          wanted.gtids,
        ])
        return Number(row?.result) === 0
      })
      if (applied) return performance.now() - startedMs
    } catch {
      // As above.
      await sleep(POLL_MS, undefined, { signal })
    }
  }
  return null
}
