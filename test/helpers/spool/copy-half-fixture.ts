import { join } from 'node:path'
import { type Log, silentLog } from '../../../src/base/log.ts'
import { CopyHalf } from '../../../src/gateway/copy-half.ts'
import { ConnectAttempts } from '../../../src/mysql/connect-attempts.ts'
import { NO_THROTTLE } from '../../../src/progress/throttle-section.ts'
import { RELAY_LIMITS } from '../../../src/relay/relay-server.ts'
import { FakeClock } from '../fake-clock.ts'
import { until } from './spool-fixture.ts'

const HOLD_MS = 7 * 86_400_000

/** The DR half of a stream without relay and replica, on a folder; its data directory is beside. */
export class CopyHalfFixture implements AsyncDisposable {
  readonly stream: CopyHalf
  readonly clock = new FakeClock()
  /** What it logged as an error. */
  readonly told: object[] = []
  /** Where it remembers its spool. */
  readonly memoryPath: string
  readonly #stop = new AbortController()
  readonly #running: Promise<void>

  constructor(
    directory: string,
    {
      dataDir = `${directory}-data`,
      sizeBytes = null,
    }: {
      readonly dataDir?: string
      /** Of what is kept, but for the newest file and what is of before a reset. */
      readonly sizeBytes?: number | null
    } = {},
  ) {
    this.memoryPath = join(dataDir, 'spool-main.json')
    const retention = {
      ageMs: null,
      sizeBytes,
      hardLimit: false,
      replicaAgeMs: 1_000,
      minimumHoldMs: HOLD_MS,
    }
    const log: Log = { ...silentLog, error: (fields) => void this.told.push(fields) }
    this.stream = new CopyHalf({
      config: {
        name: 'main',
        origin: 'ec2',
        database: null,
        throttle: NO_THROTTLE,
        lag: { objectiveMs: null },
        spool: { directory, retention },
        relay: null,
      },
      term: 1,
      dataDir,
      windowBytes: 1024 * 1024,
      relayPlaces: RELAY_LIMITS,
      identity: { relay: { serverId: 2, uuid: '' }, readers: {} },
      clockOf: () => null,
      replicaAttempts: new ConnectAttempts({ clock: this.clock }),
      clock: this.clock,
      log,
    })
    this.#running = this.stream.run(this.#stop.signal)
  }

  async untilProblem(code: string | undefined): Promise<void> {
    await until(() => {
      void this.clock.advance(60_000)
      return this.stream.problems()[0]?.code === code
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#running
  }
}
