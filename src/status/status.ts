import type { Flavor } from '../base/flavor.ts'
import type { TermRecord } from './term-record.ts'

/** Of the status: raised when a field changes its meaning or goes away. */
export const STATUS_SCHEMA = 3

/**
 * What a gateway says of itself: the body of `GET /v1/status` on the admin socket and of
 * `landbridge status --json`. Fields may be added at any time. Times are milliseconds since 1970 in
 * this gateway's clock, ages and lags are milliseconds with at most three decimals, GTID sets are
 * text as the server prints it.
 */
export interface GatewayStatus {
  readonly schema: typeof STATUS_SCHEMA
  readonly name: string
  readonly site: string
  readonly version: string
  readonly pid: number
  readonly startedAtMs: number
  readonly nowMs: number
  /** The worst of the problems below. `blocked`: a person must act before data flows again. */
  readonly state: 'ok' | 'degraded' | 'blocked'
  readonly problems: readonly Problem[]
  /** Is it up, how far is it behind, can it take over: for each stream. */
  readonly verdicts: readonly Verdict[]
  readonly tunnel: TunnelStatus
  /** Of each peer two: what comes from it, and what goes to it. */
  readonly links: readonly LinkStatus[]
  readonly streams: readonly StreamStatus[]
  /** Connections that were turned away before they proved who they are, since the start. */
  readonly refused: readonly RefusedStatus[]
}

/**
 * One of the questions of the person on call, answered in a line: is it up, how far behind is it,
 * what would be lost, can the copy take over?
 */
export interface Verdict {
  readonly question: 'tunnel' | 'lag' | 'loss' | 'failover'
  /** Null where there is only one stream, or where it is not about a stream. */
  readonly stream: string | null
  readonly mood: 'good' | 'warn' | 'bad'
  readonly answer: string
}

export interface RefusedStatus {
  /** Which station: `link`, `relay:main`. */
  readonly where: string
  /** crowded, late, too-often, certificate, malformed, no-tls, password, tls. */
  readonly reason: string
  readonly connections: number
}

export interface Problem {
  /** An error code of ERRORS.md. */
  readonly code: string
  readonly severity: 'warning' | 'error' | 'blocked'
  /**
   * Which station: `tunnel`, `link` (of several peers `tunnel:azure`, `link:azure`), `stream:main`,
   * `source:main`, `spool:main`, `relay:main`, `replica:main`.
   */
  readonly where: string
  readonly message: string
  readonly remedy?: string
  readonly sinceMs: number
}

export interface TunnelStatus {
  /** The worst of its peers'. `down`: there is no interface. `external`: somebody else's VPN. */
  readonly state: TunnelPeerStatus['state']
  readonly backend: 'kernel' | 'userspace' | 'external'
  readonly interface: string | null
  readonly localAddress: string | null
  readonly mtu: number | null
  /** What peers may reach of this machine; null for a tunnel that somebody else keeps. */
  readonly firewall: TunnelFirewallStatus | null
  /** In the order of the configuration. */
  readonly peers: readonly TunnelPeerStatus[]
}

/** One of the gateways at the other ends of the tunnel. */
export interface TunnelPeerStatus {
  readonly name: string
  /** `never`: no handshake yet. `stale`: handshake too old, or nothing comes back. */
  readonly state: 'up' | 'stale' | 'never' | 'down' | 'external'
  /** Inside the tunnel. */
  readonly address: string
  /** Outside of it, as far as known. */
  readonly endpoint: string | null
  readonly handshakeAgeMs: number | null
  /** How long ago something came from it last; null when nothing has since the start. */
  readonly heardAgoMs: number | null
  readonly receivedBytes: number
  readonly sentBytes: number
}

export interface TunnelFirewallStatus {
  /** Whether the rules are set: without them everything that listens can be reached. */
  readonly inPlace: boolean
  /** Ports of the tunnel address, `tcp/7400`; besides these only answers and ping. */
  readonly accepts: readonly string[]
  /** Whether anything is passed on between the tunnel and other interfaces. */
  readonly forwards: boolean
}

/** One session, or the lack of it: of a receiver, which dials, and a sender, which listens. */
export interface LinkStatus {
  readonly state: 'down' | 'greeting' | 'up'
  readonly peer: string
  /** What this gateway is in it. */
  readonly role: 'receiver' | 'sender'
  /** Names of the streams that go over it in the terms of now. */
  readonly carries: readonly string[]
  readonly sinceMs: number | null
  /** Since when no session has lasted for 5 s; null while one does. */
  readonly unsteadySinceMs: number | null
  /** Sessions that came up in that time. More than one: the link comes and goes. */
  readonly unsteadySessions: number
  readonly roundTripMs: number | null
  /** Peer clock minus own clock. */
  readonly clockOffsetMs: number | null
  /** How far off that may be: half of the quickest round trip, and drift since. */
  readonly clockDoubtMs: number | null
  readonly sessions: number
  readonly receivedBytes: number
  readonly sentBytes: number
  readonly lastError: {
    readonly code: string
    readonly message: string
    readonly remedy?: string
    readonly atMs: number
  } | null
}

/** A place in a stream's binlog. */
export interface PositionStatus {
  readonly epoch: number | null
  /** Null, and `offset` too, of a source whose log is one sequence without files. */
  readonly file: string | null
  readonly offset: number | null
  readonly gtids: string
}

/** How far one place is behind another. Idle is 0 with `provenAgoMs` small. */
export interface LagStatus {
  readonly bytes: number | null
  readonly transactions: number | null
  /** Age of the oldest transaction that is known to be missing; 0 when none is. */
  readonly ms: number | null
  /** How far `ms` may be off: clocks, the resolution of commit times; null while `ms` is. */
  readonly uncertaintyMs: number | null
  /** How long ago the figures were last confirmed by a measurement. */
  readonly provenAgoMs: number | null
  /** Delay of single transactions. */
  readonly windows: DelayWindows
  /**
   * While it is behind: how long until it is not, at the speed of the last half minute. Null: it is
   * not behind, does not come nearer, or nobody knows yet.
   */
  readonly catchUpMs: number | null
}

/** Null: there was no transaction in that window. */
export interface DelayWindows {
  readonly minute: DelayWindow | null
  readonly quarterHour: DelayWindow | null
  readonly day: DelayWindow | null
}

export interface DelayWindow {
  readonly p50Ms: number
  readonly p95Ms: number
  readonly p99Ms: number
  readonly maxMs: number
  readonly count: number
  /** How much of the window lies behind the start. */
  readonly coveredMs: number
}

/** What a loss of the origin now would cost. progress/LAG.md has the definitions. */
export interface ExposureStatus {
  /** Lower bound: what is known to be missing. Null: nothing was heard of the source yet. */
  readonly atLeast: {
    readonly ms: number | null
    readonly transactions: number | null
    readonly bytes: number | null
  }
  /**
   * Upper bound: everything committed longer ago is proven to be synced; and how many transactions
   * that time held at most, at the densest that was measured. Null: not known.
   */
  readonly atMost: { readonly ms: number | null; readonly transactions: number | null }
  /** The source has committed nothing for a while, and was asked just now: nothing is exposed. */
  readonly isIdle: boolean
}

/** Whether the lag is within what was promised. */
export interface ObjectiveStatus {
  /** Null: there is none. */
  readonly maxMs: number | null
  readonly exposure: ObjectiveState | null
  readonly apply: ObjectiveState | null
}

export const NO_OBJECTIVE: ObjectiveStatus = { maxMs: null, exposure: null, apply: null }

export interface ObjectiveState {
  readonly state: 'met' | 'breached'
  readonly sinceMs: number
}

export interface StreamStatus {
  readonly name: string
  /** What this site is in the term of now. */
  readonly role: 'origin' | 'copy'
  readonly term: TermRecord
  readonly flavor: Flavor | null
  /** `parked`: the dump is closed on purpose because the peer does not take more. */
  readonly state: 'idle' | 'connecting' | 'streaming' | 'parked' | 'blocked'
  /** At a copy: the gateway that it is received from; null without a session. */
  readonly peer: string | null
  /** At the origin: the gateways that may have a copy. */
  readonly copies: readonly CopyStatus[]
  /** The source as last heard of, also seen from a copy. */
  readonly source: {
    readonly host: string | null
    readonly serverVersion: string | null
    readonly serverId: number | null
    readonly serverUuid: string | null
    readonly position: PositionStatus | null
    readonly connected: boolean
    readonly heardAgoMs: number | null
  }
  /** At a copy: what is held. `synced` is the only truth. */
  readonly spool: {
    readonly directory: string
    readonly synced: PositionStatus | null
    readonly files: number
    readonly bytes: number
    readonly oldestFile: string | null
    /** What is kept for those who consume the stream, connected or not. */
    readonly claims: readonly {
      /** `replica:` with its server_uuid or `id:SERVER_ID`, `backup:NAME`. */
      readonly claim: string
      readonly kind: 'replica' | 'reader' | 'backup' | 'follower'
      /** The oldest stored file that it keeps; null when there is none any more. */
      readonly file: string | null
      /** Since its consumer last moved on. */
      readonly ageMs: number
    }[]
  } | null
  /** At a copy: source to synced. */
  readonly receiveLag: LagStatus | null
  /** At a copy: what a loss of the origin now would cost ("RPO now"). */
  readonly exposure: ExposureStatus | null
  readonly objective: ObjectiveStatus
  /** At a copy: what was synced in the last ten seconds. */
  readonly rates: StreamRates | null
  readonly transactionsReceived: number
  readonly bytesReceived: number
  /** At a copy: how long ago the last of them came; null before the first. */
  readonly receivedAgoMs: number | null
  readonly throttle: { readonly bytesPerSecond: number | null }
  readonly replicas: readonly ReplicaStatus[]
}

export interface StreamRates {
  readonly transactionsPerSecond: number
  readonly bytesPerSecond: number
}

export interface CopyStatus {
  readonly peer: string
  readonly site: string
  readonly state: StreamStatus['state']
  /** Bytes of binlog that were sent to it since the start. */
  readonly sentBytes: number
  /** Sent, and not yet synced there. */
  readonly inFlightBytes: number
}

export interface ReplicaStatus {
  readonly serverId: number
  readonly serverUuid: string | null
  readonly address: string
  readonly state: 'greeting' | 'streaming' | 'caught-up' | 'disconnected'
  readonly sent: { readonly epoch: number; readonly file: string; readonly offset: number } | null
  /** The oldest stored file that is kept for it; null when nothing is. */
  readonly retainsFile: string | null
  /** Asked of the replica itself; null when the gateway has no login there. */
  readonly appliedGtids: string | null
  readonly applyLag: LagStatus | null
  readonly applyError: string | null
  /**
   * How long it waits on purpose before it applies what comes from here (`SOURCE_DELAY`,
   * `MASTER_DELAY`); 0: not at all. Null when nobody can ask it.
   */
  readonly delaySeconds: number | null
  /** Until it applies what comes next; null when it does not wait just now. */
  readonly remainingDelaySeconds: number | null
  /**
   * Settings at the replica by which it leaves out what the source wrote (`IGNORE_DOMAIN_IDS=7`,
   * `replicate_ignore_table=d.t`), or passes over what does not fit (`slave_skip_errors=1062`).
   * Null when nobody can ask it.
   */
  readonly filters: readonly string[] | null
  /**
   * Such settings that were first seen while it was fed from here. What they left out is missing,
   * also when they are gone, until it was made anew and detached; null for none.
   */
  readonly leftOut: string | null
  /**
   * GTIDs that the source has executed, that none of its files ever had (added to `gtid_purged`
   * there) and that this replica, as far as it can be asked, lacks too; null for none.
   */
  readonly unlogged: string | null
}
