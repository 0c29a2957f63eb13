import type { Clock } from '../base/clock.ts'
import { LandbridgeError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { durationText } from '../base/quantity-text.ts'
import { problemOf } from '../status/problem-of.ts'
import type { ObjectiveState, ObjectiveStatus, Problem } from '../status/status.ts'

export interface LagObjectiveOptions {
  readonly stream: string
  /** Null: there is none. */
  readonly maxMs: number | null
  readonly clock: Clock
  readonly log: Log
}

/** What is held to the objective; null where it is not known. */
export interface JudgedLag {
  readonly exposureMs: number | null
  readonly applyMs: number | null
}

/** A lag that is above the objective for a moment only is none. */
const BREACH_MS = 2_000
/** Met again once the lag was well below it for so long. */
const RECOVERY_MS = 5_000
const RECOVERY_RATIO = 0.8
/** Nobody may trust an objective of which nobody knows whether it is met. */
const UNKNOWN_MS_MAX = 30_000

const SUBJECTS = {
  exposure: {
    what: 'the exposure',
    remedy:
      'See whether tunnel, link or throttle hold the stream back; `landbridge lag --since 24h` ' +
      'shows since when.',
  },
  apply: {
    what: 'the apply lag of the replica',
    remedy:
      'See what the replica waits for: landbridge replica status. More parallel appliers ' +
      '(replica_parallel_workers, slave_parallel_threads) may help.',
  },
} as const
type Subject = keyof typeof SUBJECTS

/**
 * Whether a stream keeps what was promised: `lag.objective`. Breach and recovery have a hysteresis,
 * so that a lag around the objective does not call a person again and again.
 */
export class LagObjective {
  readonly #options: LagObjectiveOptions
  readonly #judges: Readonly<Record<Subject, Judge>>

  constructor(options: LagObjectiveOptions) {
    this.#options = options
    this.#judges = {
      exposure: new Judge(options, UNKNOWN_MS_MAX),
      // Of a replica that nobody can ask there is a problem of its own.
      apply: new Judge(options, Number.POSITIVE_INFINITY),
    }
  }

  /** Called once a second. What is not known changes nothing, unless that lasts. */
  note({ exposureMs, applyMs }: JudgedLag): void {
    this.#judge('exposure', exposureMs)
    this.#judge('apply', applyMs)
  }

  status(): ObjectiveStatus {
    const { exposure, apply } = this.#judges
    return { maxMs: this.#options.maxMs, exposure: exposure.state, apply: apply.state }
  }

  problems(): Problem[] {
    const { stream } = this.#options
    return (['exposure', 'apply'] as const).flatMap((subject) => {
      const { state } = this.#judges[subject]
      if (state?.state !== 'breached') return []
      const place = { severity: 'error', where: `stream:${stream}` } as const
      return [problemOf({ error: this.#breach(subject), sinceMs: state.sinceMs }, place)]
    })
  }

  #judge(subject: Subject, ms: number | null): void {
    const { stream, log } = this.#options
    const judge = this.#judges[subject]
    const before = judge.state?.state ?? 'met'
    judge.note(ms)
    const now = judge.state?.state ?? 'met'
    if (now === before) return
    const { code, message } = this.#breach(subject)
    if (now === 'breached') log.error({ code, stream, subject, ms }, message)
    else
      log.info({ stream, subject, ms }, `${SUBJECTS[subject].what} is within the objective again`)
  }

  #breach(subject: Subject): LandbridgeError {
    const { what, remedy } = SUBJECTS[subject]
    const { lastMs } = this.#judges[subject]
    const now = lastMs === null ? 'is not known' : `is ${durationText(lastMs)}`
    const message = `${what} ${now}, the objective is ${durationText(this.#options.maxMs)}`
    return new LandbridgeError('ERR_LAG_OBJECTIVE', message, { remedy })
  }
}

/** Of one figure. */
class Judge {
  readonly #maxMs: number | null
  readonly #clock: Clock
  readonly #unknownMsMax: number
  /** Since when it is not known; monotonic. */
  #unknownMs: number | null = null
  state: ObjectiveState | null = null
  lastMs: number | null = null
  /** Since when it is on the other side; monotonic. */
  #crossedMs: number | null = null

  constructor(
    { maxMs, clock }: Pick<LagObjectiveOptions, 'maxMs' | 'clock'>,
    unknownMsMax: number,
  ) {
    this.#maxMs = maxMs
    this.#clock = clock
    this.#unknownMsMax = unknownMsMax
  }

  note(ms: number | null): void {
    this.lastMs = ms
    if (this.#maxMs === null) return
    const nowMs = this.#clock.monotonicMs()
    if (ms !== null) this.#unknownMs = null
    else {
      this.#unknownMs ??= nowMs
      if (nowMs - this.#unknownMs < this.#unknownMsMax) return
    }
    this.state ??= { state: 'met', sinceMs: this.#clock.wallMs() }
    const isBreached = this.state.state === 'breached'
    const judgedMs = ms ?? Number.POSITIVE_INFINITY
    const recoveredMs = this.#maxMs * RECOVERY_RATIO
    const isAcross = isBreached ? judgedMs <= recoveredMs : judgedMs > this.#maxMs
    if (!isAcross) {
      this.#crossedMs = null
      return
    }
    this.#crossedMs ??= nowMs
    if (nowMs - this.#crossedMs < (isBreached ? RECOVERY_MS : BREACH_MS)) return
    this.state = { state: isBreached ? 'met' : 'breached', sinceMs: this.#clock.wallMs() }
    this.#crossedMs = null
  }
}
