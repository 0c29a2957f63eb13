import { join } from 'node:path'
import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import type { Operation } from '../base/operation.ts'
import type { HistoryValues } from '../progress/history-record.ts'
import { LagHistory } from '../progress/lag-history.ts'
import { linksOfStream } from '../status/links.ts'
import type { LinkStatus, StreamStatus } from '../status/status.ts'
import type { Capability } from './capability.ts'
import type { GatewayConfig } from './config/gateway-config.ts'
import { lagHistoryOperation } from './lag-history-operation.ts'

export interface LagRecordsOptions {
  readonly config: GatewayConfig
  readonly shown: () => {
    readonly links: readonly LinkStatus[]
    readonly streams: readonly StreamStatus[]
  }
  readonly clock: Clock
  readonly log: Log
}

const EVERY_MS = 1_000

/** Writes down each second how far each stream is behind, whatever this site is for it. */
export class LagRecords implements Capability {
  readonly ground = [this]
  readonly operations: readonly Operation[]
  readonly #options: LagRecordsOptions
  readonly #histories: ReadonlyMap<string, LagHistory>

  constructor(options: LagRecordsOptions) {
    const { config, clock, log } = options
    this.#options = options
    this.#histories = new Map(
      config.streams.map(({ name }) => {
        const path = join(config.dataDir, `lag-${name}.history`)
        return [name, new LagHistory({ path, clock, log: log.child({ stream: name }) })]
      }),
    )
    this.operations = [lagHistoryOperation([...this.#histories], clock)]
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, shown } = this.#options
    try {
      while (!signal.aborted) {
        // On the whole second, so that no slot stays empty and none is written twice.
        await clock.sleep(EVERY_MS - (clock.wallMs() % EVERY_MS), { signal }).catch(() => undefined)
        if (signal.aborted) break
        const { streams, links } = shown()
        for (const stream of streams) {
          await this.#histories.get(stream.name)?.record(valuesOf(stream, links))
        }
      }
    } finally {
      for (const history of this.#histories.values()) await history.close()
    }
  }
}

function valuesOf(stream: StreamStatus, links: readonly LinkStatus[]): HistoryValues {
  const { exposure, receiveLag, rates, throttle, replicas } = stream
  const applied = replicas.flatMap(({ applyLag }) => applyLag?.ms ?? [])
  const roundTrips = linksOfStream(links, stream).flatMap((link) => link.roundTripMs ?? [])
  return {
    exposureMs: exposure?.isIdle === true ? 0 : (exposure?.atMost.ms ?? null),
    receiveLagMs: receiveLag?.ms ?? null,
    applyLagMs: worst(applied),
    transactionsPerSecond: rates?.transactionsPerSecond ?? null,
    bytesPerSecond: rates?.bytesPerSecond ?? null,
    roundTripMs: worst(roundTrips),
    throttleBytesPerSecond: throttle.bytesPerSecond,
    waitingBytes: null,
  }
}

function worst(values: readonly number[]): number | null {
  return values.length === 0 ? null : Math.max(...values)
}
