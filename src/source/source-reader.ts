import type { Clock } from '../base/clock.ts'
import { codeOf, LandbridgeError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { explainRefusal, isRefusal, refuseByGtid } from './anonymous-refusal.ts'
import { DumpDecoder, type ResumeMode } from './dump-decoder.ts'
import {
  mysqlGtidDumpPacket,
  positionDumpPacket,
  registerPacket,
  sessionStatements,
} from './dump-request.ts'
import { DumpWatch, type SourcePlace } from './dump-watch.ts'
import { FirstEventProbe } from './first-event-probe.ts'
import { type PreflightFinding, preflight, refuseErrors } from './preflight.ts'
import { readPreflightFacts } from './preflight-facts.ts'
import { type DumpTarget, SocketPump } from './socket-pump.ts'
import { type SourceAddress, SourceConnection } from './source-connection.ts'
import { readSourceFacts, type SourceFacts } from './source-facts.ts'
import type { FileTimes } from './start-plan.ts'
import {
  divergence,
  type HeldPlace,
  type HeldState,
  isSameServer,
  planStart,
  requirePlace,
  resumesByGtid,
  type StartPlan,
} from './start-plan.ts'

export interface SourceReaderOptions {
  readonly address: SourceAddress
  readonly serverId: number
  readonly replicaUuid: string
  /** Shown by the source in its list of replicas. */
  readonly reportHost: string
  readonly heartbeatMs?: number
  readonly clock: Clock
  readonly log: Log
  /** Told on every connect what was found, good or bad, before errors among it are thrown. */
  readonly onPreflight?: (findings: readonly PreflightFinding[]) => void
  /** The same while a dump runs: an error among it is what the next connect would run into. */
  readonly onInspection?: (findings: readonly PreflightFinding[]) => void
  /** The source gives us no connection more: whoever can do without one closes it. */
  readonly onCrowded?: () => void
  /** A dump has its connection: others may have theirs. */
  readonly onConnected?: () => void
}

export interface OpenSource {
  readonly facts: SourceFacts
  readonly plan: StartPlan
  /** Streams until abort or failure; settles when the socket is closed. Always rejects. */
  run(target: DumpTarget, signal: AbortSignal): Promise<never>
}

interface DumpRequest {
  readonly facts: SourceFacts
  readonly gtids: string
  readonly expect: StartPlan['expect']
  readonly target: DumpTarget
  /** Default `offset`. */
  readonly resume?: ResumeMode
  /** Ended by us once something is known: the source is not to wait for more. */
  readonly isProbe?: true
}

const HEARTBEAT_MS = 5_000
const POSITION_MAX = 2 ** 32 - 1
/** A server notices a moment later that we closed a connection, and still counts it. */
const CROWDED_TRIES = 5

/** Reads the source's binlog as one of its replicas would. */
export class SourceReader {
  readonly #options: SourceReaderOptions
  readonly #heartbeatMs: number
  readonly #watch = new DumpWatch()
  #pump: SocketPump | null = null

  constructor(options: SourceReaderOptions) {
    this.#options = options
    this.#heartbeatMs = options.heartbeatMs ?? HEARTBEAT_MS
  }

  /**
   * Logs in, looks at the source and decides where to start. Sends no dump yet. Throws what
   * `requirePlace` and `planStart` do.
   */
  async open(state: HeldState | null, signal: AbortSignal): Promise<OpenSource> {
    const held = requirePlace(state)
    const connection = await this.#connect(signal)
    let facts: SourceFacts
    try {
      facts = await readSourceFacts(connection)
      const findings = await this.#preflight(connection, facts)
      this.#options.onPreflight?.(findings)
      refuseErrors(findings)
    } finally {
      connection.close()
    }
    const times = await this.#fileTimes(held, facts, signal)
    const plan = planStart(held, facts, times)
    const run = async (target: DumpTarget, runSignal: AbortSignal): Promise<never> => {
      return await this.#run(facts, plan, target, runSignal)
    }
    return { facts, plan, run }
  }

  /** Told where the source writes: a dump that waits elsewhere for good ends, to be asked anew. */
  seen(newest: SourcePlace): void {
    const pump = this.#pump
    if (!this.#watch.observe(newest, pump?.idlePlace ?? null)) return
    pump?.fail(
      new LandbridgeError(
        'ERR_SOURCE_STALE',
        `the source writes at ${newest.offset} of ${newest.file}, its dump waits elsewhere`,
        { retryable: true },
      ),
    )
  }

  /**
   * After a reset the source hands out names and GTIDs again: only the time at which it began the
   * file tells that it is another one. The oldest file is looked at when they differ.
   */
  async #fileTimes(
    held: HeldPlace | null,
    facts: SourceFacts,
    signal: AbortSignal,
  ): Promise<FileTimes> {
    const none = { oldest: null, held: null }
    if (held?.firstTimestamp === undefined || held.source.flavor !== facts.flavor) return none
    if (!isSameServer(held, facts)) return none
    const isThere = facts.files.some(({ name }) => name === held.file)
    const own = isThere ? await this.#begunAt(held.file, facts, signal) : null
    const times = { oldest: null, held: own }
    const oldest = facts.files[0]?.name
    if (oldest === undefined || divergence(held, facts, times) === null) return times
    const isOwn = oldest === held.file
    return { ...times, oldest: isOwn ? own : await this.#begunAt(oldest, facts, signal) }
  }

  async #connect(signal: AbortSignal): Promise<SourceConnection> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await SourceConnection.open(this.#options.address, signal)
      } catch (error) {
        if (codeOf(error) !== 'ERR_SOURCE_CONNECTIONS' || tries >= CROWDED_TRIES) throw error
        this.#options.onCrowded?.()
      }
    }
  }

  /** By a dump that is ended after the file's first event. */
  async #begunAt(file: string, facts: SourceFacts, signal: AbortSignal): Promise<number> {
    const target = new FirstEventProbe()
    const request = { facts, gtids: '', expect: { file, offset: 0 }, target }
    await this.#dumpUntil(target.found, request, signal)
    return target.timestamp
  }

  /** A dump that its target ends by throwing `found`, once that knows enough. */
  async #dumpUntil(found: Error, request: DumpRequest, signal: AbortSignal): Promise<void> {
    try {
      await this.#dump({ ...request, isProbe: true }, signal)
    } catch (error) {
      if (error !== found) throw error
    }
  }

  /** Looks at the source again while a dump runs, by another connection. */
  async inspect(connection: SourceConnection): Promise<void> {
    const findings = await this.#preflight(connection, await readSourceFacts(connection))
    this.#options.onInspection?.(findings)
  }

  async #preflight(
    connection: SourceConnection,
    facts: SourceFacts,
  ): Promise<readonly PreflightFinding[]> {
    const { serverId, replicaUuid, reportHost, clock } = this.#options
    const self = { serverId, replicaUuid, reportHost }
    return preflight(await readPreflightFacts(connection, facts, self, clock))
  }

  async #run(
    facts: SourceFacts,
    plan: StartPlan,
    target: DumpTarget,
    signal: AbortSignal,
  ): Promise<never> {
    const { expect, gtids, newEpoch } = plan
    if (newEpoch !== null) {
      // The first file of a new epoch is taken whole and by offset: by GTID, MariaDB 11 changes its
      // first event. Who lacks only what was purged begins with the oldest file.
      const oldest = gtids === facts.purgedGtids ? facts.files[0]?.name : undefined
      const file = oldest ?? (await this.#firstFile(facts, plan, signal))
      return await this.#dump({ facts, gtids, expect: { file, offset: 0 }, target }, signal)
    }
    // From the start of a file nothing can be skipped, and nothing may be.
    if (expect?.offset === 0) return await this.#dump({ facts, gtids, expect, target }, signal)
    if (expect !== null && !resumesByGtid(expect, facts)) {
      const resume = byPosition(expect.offset)
      return await this.#dump({ facts, gtids, expect, target, resume }, signal)
    }
    try {
      return await this.#dump({ facts, gtids, expect, target, resume: 'gtid' }, signal)
    } catch (error) {
      // By GTID the source skips the end of a file that holds no transaction any more (its rotate
      // event), files without one, and what an earlier epoch brought. By offset it does not.
      const skipped = codeOf(error) === 'ERR_SOURCE_FILE' || codeOf(error) === 'ERR_SOURCE_GAP'
      if (!skipped || expect === null) throw error
      const resume = byPosition(expect.offset)
      this.#options.log.info({ ...expect, resume }, 'the source skips bytes: asking by position')
      const request = { facts, gtids, expect, target, resume } as const
      const isWhole = codeOf(error) === 'ERR_SOURCE_FILE'
      return await this.#dump(request, signal).catch((cause) => {
        return this.#passTornEnd(request, isWhole, cause, signal)
      })
    }
  }

  /**
   * A MariaDB that was killed while it wrote a transaction leaves a part of it at the end of its
   * file for good, and no dump gets past that. By GTID it began behind this file (`isWhole`): every
   * transaction of the file is held, and the next file is where the stream goes on.
   */
  async #passTornEnd(
    { facts, gtids, expect, target }: DumpRequest,
    isWhole: boolean,
    cause: unknown,
    signal: AbortSignal,
  ): Promise<never> {
    const at = facts.files.findIndex(({ name }) => name === expect?.file)
    const next = at < 0 ? undefined : facts.files[at + 1]
    if (!isWhole || next === undefined || !isRefusal(cause)) throw cause
    const file = next.name
    this.#options.log.warn({ ...expect, file }, 'the source’s file ends torn: going on behind it')
    return await this.#dump({ facts, gtids, expect: { file, offset: 0 }, target }, signal)
  }

  /** Which file the source would start with for the plan's GTIDs. */
  async #firstFile(facts: SourceFacts, plan: StartPlan, signal: AbortSignal): Promise<string> {
    if (facts.gtidMode !== 'ON') throw refuseByGtid(facts.gtidMode)
    let name = ''
    const found = new LandbridgeError('ERR_SOURCE_FILE', 'the first file is known')
    const probe: DumpTarget = {
      accepted: () => undefined,
      file: (file) => {
        name = file
        throw found
      },
      bytes: () => undefined,
      chunkEnd: () => undefined,
      hasRoom: true,
      room: async () => undefined,
    }
    const request = { facts, gtids: plan.gtids, expect: null, target: probe } as const
    await this.#dumpUntil(found, { ...request, resume: 'gtid' }, signal)
    return name
  }

  async #explained(error: LandbridgeError, at: SourcePlace, signal: AbortSignal): Promise<Error> {
    const connection = await this.#connect(signal).catch(() => null)
    try {
      return connection === null ? error : await explainRefusal(error, at, connection)
    } finally {
      connection?.close()
    }
  }

  async #dump(request: DumpRequest, signal: AbortSignal): Promise<never> {
    const { serverId, replicaUuid, reportHost, clock, onConnected } = this.#options
    const { facts, gtids, expect, target, resume = 'offset', isProbe = false } = request
    const connection = await this.#connect(signal)
    const byGtid = resume === 'gtid'
    try {
      const statements = sessionStatements({
        flavor: facts.flavor,
        heartbeatMs: this.#heartbeatMs,
        serverId,
        replicaUuid,
        connectState: byGtid ? gtids : null,
      })
      for (const statement of statements) await connection.query(statement)
    } catch (error) {
      connection.close()
      throw error
    }
    const socket = connection.takeSocket()
    const offset = resume === 'offset' ? (expect?.offset ?? 0) : 0
    const file = byGtid ? '' : (expect?.file ?? '')
    const dump =
      byGtid && facts.flavor === 'mysql'
        ? mysqlGtidDumpPacket(serverId, gtids, isProbe)
        : positionDumpPacket(facts.flavor, serverId, { file, offset, isProbe })
    if (!isProbe) onConnected?.()
    const decoder = new DumpDecoder({
      flavor: facts.flavor,
      checksum: facts.checksum,
      expect,
      resume,
      sink: target,
    })
    const pump = new SocketPump(socket, decoder, target, {
      heartbeatMs: this.#heartbeatMs,
      heldBytes: expect?.offset ?? 0,
      clock,
    })
    this.#pump = pump
    try {
      return await pump.run([registerPacket(serverId, reportHost), dump], signal)
    } catch (error) {
      const { place } = decoder
      const isExplained = facts.flavor === 'mysql' && place !== null && isRefusal(error)
      throw isExplained ? await this.#explained(error, place, signal) : error
    } finally {
      if (this.#pump === pump) this.#pump = null
    }
  }
}

/** A source takes offsets of 32 bits only. */
function byPosition(offset: number): 'offset' | 'count' {
  return offset > POSITION_MAX ? 'count' : 'offset'
}
