import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import { runTogether } from '../base/tasks.ts'
import { losesData } from '../database/replica-filters.ts'
import { ReplicaPoller } from '../database/replica-poller.ts'
import { openReplica } from '../database/replica-queries.ts'
import { lackedUnlogged, unloggedProblems } from '../database/unlogged-problems.ts'
import type { ConnectAttempts } from '../mysql/connect-attempts.ts'
import { type ReplicaName, replicaKey } from '../mysql/replica-name.ts'
import { RelayServer } from '../relay/relay-server.ts'
import type { Spool } from '../spool/spool.ts'
import { isRefused } from '../status/replica-standing.ts'
import type { Problem, RefusedStatus, ReplicaStatus } from '../status/status.ts'
import type { StreamConfig } from './config/gateway-config.ts'
import type { LagMeter } from './lag-meter.ts'
import { relayAddress } from './relay-address.ts'
import type { RelayPlaces } from './relay-places.ts'
import { relayProblems, replicaProblems, resetProblems } from './replica-problems.ts'
import type { StreamIdentity } from './stream-identity.ts'

export interface ReplicaWatchOptions {
  readonly config: StreamConfig
  readonly spool: Spool
  readonly lag: LagMeter
  readonly keepSentMs: number
  /** How many connections the relay may have. */
  readonly relayPlaces: RelayPlaces
  readonly identity: StreamIdentity
  /** Of the replica's server, shared with every stream that has the same. */
  readonly replicaAttempts: ConnectAttempts
  readonly clock: Clock
  readonly log: Log
}

const REFUSED = {
  outdated: 'it has the data of before the source was reset',
  doubtful: 'it is not known whether it has the data of before the source was reset',
} as const

/** Who reads the spool: the relay that serves them, and the one replica that can be asked. */
export class ReplicaWatch {
  readonly #options: ReplicaWatchOptions
  readonly #relay: RelayServer | null
  readonly #poller: ReplicaPoller | null

  constructor(options: ReplicaWatchOptions) {
    this.#options = options
    this.#relay = this.#createRelay()
    this.#poller = this.#createPoller()
  }

  async run(signal: AbortSignal): Promise<void> {
    await runTogether([this.#relay, this.#poller], signal)
  }

  /** There is more for them: the one that can be asked is asked sooner. */
  nudge(): void {
    this.#poller?.nudge()
  }

  /** What each replica needs is confirmed before retention looks at it. */
  confirmClaims(): void {
    this.#relay?.confirmClaims()
  }

  refused(): RefusedStatus[] {
    const where = `relay:${this.#options.config.name}`
    const atRelay = this.#relay?.status().refused ?? []
    return atRelay.map((refused) => ({ where, ...refused }))
  }

  problems(): Problem[] {
    const { config, spool, lag, clock } = this.#options
    const facts = {
      stream: config.name,
      spool,
      relay: this.#relay?.status() ?? null,
      asked: this.#poller?.status() ?? null,
    }
    return [
      ...resetProblems(facts),
      ...unloggedProblems(config.name, lag.unlogged(), facts.asked),
      ...relayProblems(facts),
      ...replicaProblems(facts, clock.wallMs()),
    ]
  }

  /** The relay's sessions, with what the one replica that can be asked says of itself. */
  status(): ReplicaStatus[] {
    const { config, spool, lag } = this.#options
    const kept = new Map<string, string | null>(
      spool.claims.list().map(({ claim, file }) => [claim, file]),
    )
    const retained = (replica: ReplicaName) => kept.get(`replica:${replicaKey(replica)}`) ?? null
    const sessions = (this.#relay?.status().replicas ?? []).map((session) => ({
      ...session,
      retainsFile: retained(session),
    }))
    const asked = this.#poller?.status()
    if (asked === undefined || asked.identity === null) return sessions
    const { identity } = asked
    const standing = spool.claims.standing(replicaKey(identity))
    const refused = isRefused(standing) ? REFUSED[standing] : null
    const own = {
      appliedGtids: asked.appliedGtids,
      // What it has under the same GTIDs is something else.
      applyLag: refused === null ? lag.applyStatus() : null,
      applyError: asked.stopReason ?? refused,
      delaySeconds: asked.delaySeconds,
      remainingDelaySeconds: asked.remainingDelaySeconds,
      filters: asked.filters,
      leftOut: spool.claims.leftOut(replicaKey(identity))?.settings ?? null,
      unlogged: lackedUnlogged(lag.unlogged(), asked)?.gtids || null,
    }
    const at = sessions.findIndex((session) => session.serverId === identity.serverId)
    if (at >= 0) {
      return sessions.map((session, index) => (index === at ? { ...session, ...own } : session))
    }
    const address = `${config.database?.host}:${config.database?.port}`
    const { serverId, serverUuid } = identity
    const retainsFile = retained(identity)
    const other = { serverId, serverUuid, address, retainsFile, ...own }
    return [...sessions, { ...other, state: 'disconnected', sent: null }]
  }

  #createRelay(): RelayServer | null {
    const { config, spool, lag, keepSentMs, relayPlaces, identity, clock, log } = this.#options
    const { relay } = config
    if (relay === null) return null
    return new RelayServer({
      store: spool,
      listen: relay.listen,
      user: relay.user,
      password: relay.password,
      tls: { key: relay.privateKeyPem, certificate: relay.certificatePem },
      serverId: relay.serverId ?? identity.relay.serverId,
      serverUuid: identity.relay.uuid,
      appliedBy: (replica) => this.#appliedBy(replica),
      atSource: () => ({ gtids: lag.sourceGtids, unlogged: lag.unlogged()?.gtids ?? null }),
      keepSentMs,
      limits: relayPlaces,
      clock,
      log,
    })
  }

  /** Of the one replica that can be asked, its last answer. */
  #appliedBy(replica: ReplicaName): string | null {
    const { identity, appliedGtids } = this.#poller?.status() ?? {}
    const isAsked = identity && replicaKey(identity) === replicaKey(replica)
    return isAsked ? (appliedGtids ?? null) : null
  }

  #createPoller(): ReplicaPoller | null {
    const { config, spool, lag, identity, replicaAttempts, clock } = this.#options
    const { database, relay: served } = config
    if (database === null) return null
    const relay = served && relayAddress(served, identity)
    const login = { ...database, attempts: replicaAttempts }
    return new ReplicaPoller({
      clock,
      open: (signal) => openReplica(login, relay, signal),
      onApplied: (gtids) => lag.applied(gtids),
      onReplication: ({ filters, isApplying }, asked) => {
        if (filters === null || !losesData(filters, isApplying)) return
        spool.claims.noteLeftOut(replicaKey(asked), filters.join(', '))
      },
      isBehind: () => lag.isBehind,
    })
  }
}
