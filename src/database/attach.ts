import { abortable } from '../base/abortable.ts'
import type { Clock } from '../base/clock.ts'
import { isLandbridgeError, LandbridgeError } from '../base/errors.ts'
import { plural } from '../base/quantity-text.ts'
import { replicaKey } from '../mysql/replica-name.ts'
import { SqlLogin, type SqlLoginOptions } from '../mysql/sql-login.ts'
import type { Finding } from './attach-findings.ts'
import { type AttachChoice, type AttachPlan, planAttach } from './attach-plan.ts'
import { type AttachTarget, detachStatements, type Statement } from './attach-statements.ts'
import { describeConnection, type RelayAddress, threadsOf } from './replica-connection.ts'
import {
  type RelayFacts,
  type ReplicaFacts,
  readRelayFacts,
  readReplicaFacts,
} from './replica-facts.ts'

/** One step, for people: what was seen, or what is done next. Throws to stop before that. */
export type OnStep = (step: string) => void

/** `host` null: the address that this machine has towards the replica, as its login shows. */
export type AttachAim = Omit<AttachTarget, 'host'> & Pick<RelayAddress, 'host'>

export interface AttachOptions extends AttachChoice {
  readonly replica: SqlLoginOptions
  /** How this process reaches the relay, to compare GTIDs with it. */
  readonly relay: SqlLoginOptions
  readonly target: AttachAim
  /** Only find out and plan. */
  readonly dryRun: boolean
  /** How long both threads may take to run. */
  readonly waitMs: number
  readonly clock: Clock
  readonly onStep?: OnStep
}

export interface AttachResult extends AttachPlan {
  readonly replica: ReplicaFacts
}

const POLL_MS = 200
/** A receiver says that it runs when it has connected; a refusal comes a moment later. */
const STEADY_POLLS = 3

/**
 * Points a replica at a relay: looks, plans, runs the statements and waits until both of its
 * threads run. Throws ERR_REPLICA_ATTACH with the first thing that speaks against it, and
 * ERR_SQL_LOGIN or ERR_SQL_STATEMENT of the replica. Once `signal` is aborted no further statement
 * begins, and the one under way is not waited for; attached again, the replica is looked at anew.
 */
export async function attachReplica(
  options: AttachOptions,
  signal: AbortSignal,
): Promise<AttachResult> {
  const { onStep = ignore } = options
  const login = await SqlLogin.open(options.replica, signal)
  try {
    const target = targetOf(options.target, login)
    const before = await looked(login, target, { onStep, signal })
    const relay = await askRelay(options.relay, before, signal)
    const plan = planAttach(before, relay instanceof Error ? null : relay, target, options)
    const findings = [...plan.findings]
    if (relay instanceof Error) findings.push(relayFinding(relay))
    onStep(`planned: ${plan.action}, with ${plural(plan.statements.length, 'statement')}`)
    if (options.dryRun) return { ...plan, findings, replica: before }
    refuseErrors(findings)
    await runStatements(login, plan.statements, { onStep, signal })
    const waiting = { ...options, target }
    const after = plan.action === 'none' ? before : await waitUntilRunning(login, waiting, signal)
    return { ...plan, findings, replica: after }
  } finally {
    login.close()
  }
}

function ignore(): void {}

/** There the replica finds a relay that listens everywhere, unless addresses are translated. */
function targetOf(aim: AttachAim, login: SqlLogin): AttachTarget {
  const host = aim.host ?? login.localAddress
  if (host !== null) return { ...aim, host }
  throw new LandbridgeError('ERR_SQL_LOGIN', 'the replica closed the connection', {
    retryable: true,
    remedy: 'Ask again; where it repeats, look at the log of the replica.',
  })
}

interface Course {
  readonly onStep: OnStep
  readonly signal: AbortSignal
}

async function looked(
  login: SqlLogin,
  relay: RelayAddress,
  { onStep, signal }: Course,
): Promise<ReplicaFacts> {
  const facts = await abortable(readReplicaFacts(login, relay), signal)
  onStep(`looked: the replica is ${facts.version}, server_id ${facts.serverId}`)
  return facts
}

async function runStatements(
  login: SqlLogin,
  statements: readonly Statement[],
  { onStep, signal }: Course,
): Promise<void> {
  for (const [index, { sql, shown }] of statements.entries()) {
    signal.throwIfAborted()
    onStep(`statement ${index + 1} of ${statements.length}: ${shown}`)
    await abortable(login.query(sql, shown), signal)
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
      return await abortable(readRelayFacts(login, replicaKey(replica)), signal)
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
      : 'wait until the gateway has received something (landbridge status); start it if it is down',
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
  const { clock, onStep = ignore } = options
  const endMs = clock.monotonicMs() + options.waitMs
  let told = ''
  for (let steady = 0; ; ) {
    const facts = await abortable(readReplicaFacts(login, options.target), signal)
    const { following } = facts
    const seen = following === null ? 'it follows nothing of this gateway' : threadsOf(following)
    if (seen !== told) onStep(`waiting until both threads run: ${seen}`)
    told = seen
    const isRunning = following?.receiver === 'running' && following.applier === 'running'
    steady = isRunning ? steady + 1 : 0
    if (steady === STEADY_POLLS) return facts
    const reason = following?.receiverError ?? following?.applierError ?? null
    const isStopped = following?.receiver === 'stopped' || following?.applier === 'stopped'
    // A thread that was just started says `No` for a moment, but without an error.
    const isLate = !isRunning && clock.monotonicMs() >= endMs
    if ((isStopped && reason !== null) || isLate) {
      const detail = reason === null ? '' : `: ${reason}`
      throw new LandbridgeError('ERR_REPLICA_ATTACH', `replication does not run${detail}`, {
        remedy:
          'mend at the replica what the error names (SHOW REPLICA STATUS has all), or restore it ' +
          'from a backup of the source; then attach it again',
        retryable: !isStopped,
      })
    }
    await clock.sleep(POLL_MS, { signal })
  }
}

export interface DetachOptions {
  readonly replica: SqlLoginOptions
  readonly target: AttachAim
  readonly dryRun: boolean
  /** Also when it follows something else. */
  readonly force: boolean
  /** Name of the connection that `force` ends; default: the one without a name. */
  readonly channel?: string
  readonly onStep?: OnStep
}

export interface DetachResult {
  readonly action: 'none' | 'detach'
  readonly statements: readonly Statement[]
  readonly replica: ReplicaFacts
}

/**
 * Stops replication at the replica and makes it forget the relay. Throws ERR_REPLICA_ATTACH where
 * it follows something else; is aborted as `attachReplica` is.
 */
export async function detachReplica(
  options: DetachOptions,
  signal: AbortSignal,
): Promise<DetachResult> {
  const { onStep = ignore } = options
  const login = await SqlLogin.open(options.replica, signal)
  try {
    const replica = await looked(login, targetOf(options.target, login), { onStep, signal })
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
    if (!options.dryRun) await runStatements(login, statements, { onStep, signal })
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
    return await abortable(readReplicaFacts(login, relay), signal)
  } finally {
    login.close()
  }
}
