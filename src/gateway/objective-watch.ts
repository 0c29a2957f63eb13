import type { Clock } from '../base/clock.ts'
import type { LagObjective } from '../progress/lag-objective.ts'
import type { ExposureStatus, ReplicaStatus } from '../status/status.ts'

export interface ObjectiveWatchOptions {
  readonly objective: LagObjective
  readonly exposure: () => ExposureStatus
  readonly replicas: () => readonly ReplicaStatus[]
  readonly clock: Clock
}

const EVERY_MS = 1_000

/** Holds a stream to its objective, once a second. */
export class ObjectiveWatch {
  readonly #options: ObjectiveWatchOptions

  constructor(options: ObjectiveWatchOptions) {
    this.#options = options
  }

  async run(signal: AbortSignal): Promise<void> {
    const { objective, exposure, replicas, clock } = this.#options
    if (objective.status().maxMs === null) return
    while (!signal.aborted) {
      await clock.sleep(EVERY_MS, { signal }).catch(() => undefined)
      const { atMost, isIdle } = exposure()
      const exposureMs = isIdle ? 0 : atMost.ms
      objective.note({ exposureMs, applyMs: worstApplyMs(replicas()) })
    }
  }
}

/** Of the replicas that can be asked, beyond the delay that somebody chose. */
function worstApplyMs(replicas: readonly ReplicaStatus[]): number | null {
  const known = replicas.flatMap(({ applyLag, delaySeconds }) => {
    const ms = applyLag?.ms ?? null
    return ms === null ? [] : [Math.max(0, ms - (delaySeconds ?? 0) * 1000)]
  })
  return known.length === 0 ? null : Math.max(...known)
}
