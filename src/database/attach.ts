import type { Clock } from '../base/clock.ts'
import { isLandbridgeError, LandbridgeError } from '../base/errors.ts'
import { replicaKey } from '../mysql/replica-name.ts'
import { SqlLogin, type SqlLoginOptions } from '../mysql/sql-login.ts'
import type { Finding } from './attach-findings.ts'
import { type AttachChoice, type AttachPlan, planAttach } from './attach-plan.ts'
import { type AttachTarget, detachStatements, type Statement } from './attach-statements.ts'
import { describeConnection, type RelayAddress } from './replica-connection.ts'
import {
  type RelayFacts,
  type ReplicaFacts,
  readRelayFacts,
  readReplicaFacts,
} from './replica-facts.ts'

export interface AttachOptions extends AttachChoice {
  readonly replica: SqlLoginOptions
  /** How this process reaches the relay, to compare GTIDs with it. */
  readonly relay: SqlLoginOptions
  readonly target: AttachTarget
  /** Only find out and plan. */
  readonly dryRun: boolean
  /** How long both threads may take to run. */
  readonly waitMs: number
  readonly clock: Clock
}

export interface AttachResult extends AttachPlan {
  readonly replica: ReplicaFacts
}

const POLL_MS = 200
/** A receiver says that it runs when it has connected; a refusal comes a moment later. */
const STEADY_POLLS = 3

/**
 * Points a replica at a relay: looks, plans, runs the statements and waits until both of its
 * threads run. Throws ERR_REPLICA_ATTACH with the first thing that speaks against it.
 */
export async function attachReplica(
  options: AttachOptions,
  signal: AbortSignal,
): Promise<AttachResult> {
  const login = await SqlLogin.open(options.replica, signal)
  try {
    const before = await readReplicaFacts(login, options.target)
    const relay = await askRelay(options.relay, before, signal)
    const plan = planAttach(before, relay instanceof Error ? null : relay, options.target, options)
    const findings = [...plan.findings]
    if (relay instanceof Error) findings.push(relayFinding(relay))
    if (options.dryRun) return { ...plan, findings, replica: before }
    refuseErrors(findings)
    for (const statement of plan.statements) await login.query(statement.sql, statement.shown)
    const after = plan.action === 'none' ? before : await waitUntilRunning(login, options, signal)
    return { ...plan, findings, replica: after }
  } finally {
    login.close()
  }
}

async function askRelay(
  options: SqlLoginOptions,
  replica: ReplicaFacts,
  signal: AbortSignal,
): Promise<RelayFacts | Error> {
  try {
    const login = await SqlLogin.open(options, signal)
    try {
      return await readRelayFacts(login, replicaKey(replica))
    } finally {
      login.close()
    }
  } catch (error) {
    signal.throwIfAborted()
    return error instanceof Error ? error : new Error(String(error))
  }
}

/** ER_ACCESS_DENIED_ERROR */
const ACCESS_DENIED = 1045

function relayFinding(error: Error): Finding {
  const isDenied = isLandbridgeError(error) && error.details?.errno === ACCESS_DENIED
  return {
    severity: 'error',
    message: `the relay does not answer: ${error.message}`,
    remedy: isDenied
      ? 'restart the gateway: it has another user or password than its configuration says now'
      : 'start the gateway, and wait until it has received something (landbridge status)',
  }
}

function refuseErrors(findings: readonly Finding[]): void {
  const first = findings.find(({ severity }) => severity === 'error')
  if (first === undefined) return
  throw new LandbridgeError('ERR_REPLICA_ATTACH', first.message, {
    remedy: first.remedy,
    details: { findings },
  })
}

async function waitUntilRunning(
  login: SqlLogin,
  options: AttachOptions,
  signal: AbortSignal,
): Promise<ReplicaFacts> {
  const endMs = options.clock.monotonicMs() + options.waitMs
  for (let steady = 0; ; ) {
    const facts = await readReplicaFacts(login, options.target)
    const { following } = facts
    const isRunning = following?.receiver === 'running' && following.applier === 'running'
    steady = isRunning ? steady + 1 : 0
    if (steady === STEADY_POLLS) return facts
    const reason = following?.receiverError ?? following?.applierError ?? null
    const isStopped = following?.receiver === 'stopped' || following?.applier === 'stopped'
    // A thread that was just started says `No` for a moment, but without an error.
    const isLate = !isRunning && options.clock.monotonicMs() >= endMs
    if ((isStopped && reason !== null) || isLate) {
      const detail = reason === null ? '' : `: ${reason}`
      throw new LandbridgeError('ERR_REPLICA_ATTACH', `replication does not run${detail}`, {
        remedy:
          'mend at the replica what the error names (SHOW REPLICA STATUS has all), or restore it ' +
          'from a backup of the source; then attach it again',
        retryable: !isStopped,
      })
    }
    await options.clock.sleep(POLL_MS, { signal })
  }
}

export interface DetachOptions {
  readonly replica: SqlLoginOptions
  readonly target: AttachTarget
  readonly dryRun: boolean
  /** Also when it follows something else. */
  readonly force: boolean
  /** Name of the connection that `force` ends; default: the one without a name. */
  readonly channel?: string
}

export interface DetachResult {
  readonly action: 'none' | 'detach'
  readonly statements: readonly Statement[]
  readonly replica: ReplicaFacts
}

/** Stops replication at the replica and makes it forget the relay. */
export async function detachReplica(
  options: DetachOptions,
  signal: AbortSignal,
): Promise<DetachResult> {
  const login = await SqlLogin.open(options.replica, signal)
  try {
    const replica = await readReplicaFacts(login, options.target)
    const { following, others } = replica
    const chosen = following ?? others.find(({ name }) => name === (options.channel ?? ''))
    if (chosen === undefined) return { action: 'none', statements: [], replica }
    if (chosen !== following && !options.force) {
      throw new LandbridgeError(
        'ERR_REPLICA_ATTACH',
        `the replica follows ${describeConnection(chosen)}`,
        { remedy: 'use --force to end that' },
      )
    }
    const statements = detachStatements(replica, chosen.name)
    if (!options.dryRun) for (const { sql } of statements) await login.query(sql)
    return { action: 'detach', statements, replica }
  } finally {
    login.close()
  }
}

/** What a replica is, and the relay if it answers; changes nothing. */
export async function inspectReplica(
  options: Pick<AttachOptions, 'replica' | 'relay'> & { readonly address: RelayAddress },
  signal: AbortSignal,
): Promise<{ readonly replica: ReplicaFacts; readonly relay: RelayFacts | null }> {
  const replica = await replicaFacts(options.replica, options.address, signal)
  const relay = await askRelay(options.relay, replica, signal)
  return { replica, relay: relay instanceof Error ? null : relay }
}

export async function replicaFacts(
  options: SqlLoginOptions,
  relay: RelayAddress,
  signal: AbortSignal,
): Promise<ReplicaFacts> {
  const login = await SqlLogin.open(options, signal)
  try {
    return await readReplicaFacts(login, relay)
  } finally {
    login.close()
  }
}
