import { LandbridgeError } from '../../base/errors.ts'
import type { LogFile } from '../../binlog/log.ts'
import type { ReplicaName } from '../../mysql/replica-name.ts'
import type { ReplicaStatus } from '../../status/status.ts'
import type { ServedLog } from '../served-log.ts'

/** What the relay knows of one replica, connected or not. */
export interface ReplicaRecord extends ReplicaName {
  readonly address: string
  state: ReplicaStatus['state']
  sent: ReplicaStatus['sent']
  /** What ended its dump on our side; null once it has caught up again. */
  error: DumpError | null
}

export interface DumpError {
  readonly code: string
  readonly message: string
  readonly remedy?: string
  /** Wall clock when it was first so, and last. */
  readonly sinceMs: number
  readonly atMs: number
}

/** A dump in progress, as its successor sees it. */
export interface Supersedable {
  supersede(): void
}

const RECORDS_MAX = 64
/** A replica that does not come back is no trouble of the relay any more. */
const ERROR_MS_MAX = 10 * 60_000

/**
 * Replicas by identity: server uuid, else server id. One dump each: a newer one ends the older,
 * which usually is a dead connection that TCP has not noticed.
 */
export class ReplicaRegistry {
  readonly #records = new Map<string, ReplicaRecord>()
  readonly #dumps = new Map<string, Supersedable>()

  begin(key: string, record: ReplicaRecord, dump: Supersedable): void {
    this.#dumps.get(key)?.supersede()
    this.#dumps.set(key, dump)
    record.error = this.#records.get(key)?.error ?? null
    // Deleted first, so that the order is by last use and the oldest is dropped.
    this.#records.delete(key)
    this.#records.set(key, record)
    for (const [oldKey, old] of this.#records) {
      if (this.#records.size <= RECORDS_MAX) break
      if (old.state === 'disconnected') this.#records.delete(oldKey)
    }
  }

  end(key: string, record: ReplicaRecord, dump: Supersedable): void {
    record.state = 'disconnected'
    if (this.#dumps.get(key) === dump) this.#dumps.delete(key)
  }

  /** The oldest trouble that replicas run into again and again. */
  error(nowMs: number): (DumpError & { readonly replica: string }) | null {
    const found = [...this.#records].flatMap(([replica, { error }]) =>
      error === null || nowMs - error.atMs > ERROR_MS_MAX ? [] : [{ replica, ...error }],
    )
    return found.sort((left, right) => left.sinceMs - right.sinceMs)[0] ?? null
  }

  status(): ReplicaStatus[] {
    return [...this.#records.values()].map((record) => ({
      serverId: record.serverId,
      serverUuid: record.serverUuid,
      address: record.address,
      state: record.state,
      sent: record.sent,
      retainsFile: null,
      appliedGtids: null,
      applyLag: null,
      applyError: null,
      delaySeconds: null,
      remainingDelaySeconds: null,
      filters: null,
      leftOut: null,
      unlogged: null,
    }))
  }
}

export function sentPosition(file: LogFile, offset: number): ReplicaStatus['sent'] {
  return { epoch: file.epoch, file: file.name, offset }
}

/**
 * What a replica needs is remembered while it is away, so a login that comes as somebody else each
 * time could fill memory and disk. Forgetting the oldest instead would lose the files of a replica
 * that is merely away: one that is remembered is always served, and a new one more is refused.
 * Throws ERR_REPLICA_LIMIT.
 */
export function refuseOneTooMany(store: ServedLog, replica: string): void {
  if (store.claims.hasPlaceFor(`replica:${replica}`)) return
  throw new LandbridgeError(
    'ERR_REPLICA_LIMIT',
    'files are kept for as many replicas as a relay remembers, and this one is none of them',
    {
      remedy:
        '`landbridge status` at this gateway names them; for each that does not come back: ' +
        'landbridge replica detach ID --config FILE',
    },
  )
}
