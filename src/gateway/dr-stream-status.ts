import type { Clock } from '../base/clock.ts'
import { errorFields } from '../base/errors.ts'
import type { StreamConfig } from '../config/config.ts'
import { FILTER_REMEDY } from '../database/replica-filters.ts'
import type { ReplicaPollerStatus } from '../database/replica-poller.ts'
import { isNotSetUp } from '../database/replica-threads.ts'
import { type ReplicaName, replicaKey } from '../mysql/replica-name.ts'
import type { Spool } from '../spool/spool.ts'
import { isRefused } from '../status/replica-standing.ts'
import type { Problem, ReplicaStatus, StreamStatus } from '../status/status.ts'
import type { DrStream } from './dr-stream.ts'
import { lineageProblems } from './lineage-problems.ts'
import { lackedUnlogged, unloggedProblems } from './unlogged-problems.ts'

/** What the DR gateway says of one stream. Reads the stations, changes nothing. */
export function drStreamStatus(stream: DrStream, config: StreamConfig, clock: Clock): StreamStatus {
  const { spool, newest } = stream
  const told = stream.receiver.status()
  const identity = spool.identity()
  const held = spool.held()
  const files = spool.storedFiles()
  return {
    name: stream.name,
    flavor: identity?.flavor ?? null,
    state: told.state?.state ?? 'idle',
    source: {
      host: told.state?.host ?? null,
      serverVersion: identity?.serverVersion ?? null,
      serverId: identity?.serverId ?? null,
      serverUuid: identity?.serverUuid ?? null,
      position:
        newest === null
          ? null
          : { epoch: null, file: newest.file, offset: newest.offset, gtids: newest.gtids ?? '' },
      connected: told.state?.state === 'streaming',
      heardAgoMs: newest === null ? null : clock.monotonicMs() - newest.atMs,
    },
    spool: {
      directory: spool.directory,
      synced:
        held === null
          ? null
          : { epoch: held.epoch, file: held.file, offset: held.offset, gtids: held.gtids },
      files: files.length,
      bytes: spool.bytes,
      oldestFile: files[0]?.name ?? null,
      pins: spool.pins().map(({ id, file, ageMs }) => ({ replica: id, file, ageMs })),
    },
    receiveLag: stream.receiveLag.status(),
    transactionsReceived: stream.transactions,
    bytesReceived: told.receivedBytes,
    receivedAgoMs: told.receivedMs === null ? null : clock.monotonicMs() - told.receivedMs,
    throttle: { bytesPerSecond: config.throttle.bytesPerSecond },
    replicas: replicasOf(stream, config),
  }
}

const REFUSED = {
  outdated: 'it has the data of before the source was reset',
  doubtful: 'it is not known whether it has the data of before the source was reset',
} as const

/** The relay's sessions, with what the one replica that can be asked says of itself. */
function replicasOf(stream: DrStream, config: StreamConfig): ReplicaStatus[] {
  const kept = new Map(stream.spool.pins().map(({ id, file }) => [id, file]))
  const retained = (replica: ReplicaName) => kept.get(replicaKey(replica)) ?? null
  const sessions = (stream.relay?.status().replicas ?? []).map((session) => ({
    ...session,
    retainsFile: retained(session),
  }))
  const asked = stream.poller?.status()
  if (asked === undefined || asked.identity === null) return sessions
  const { identity } = asked
  const standing = stream.spool.standing(replicaKey(identity))
  const refused = isRefused(standing) ? REFUSED[standing] : null
  const own = {
    appliedGtids: asked.appliedGtids,
    // What it has under the same GTIDs is something else.
    applyLag: refused === null ? stream.applyLag.status() : null,
    applyError: asked.stopReason ?? refused,
    delaySeconds: asked.delaySeconds,
    remainingDelaySeconds: asked.remainingDelaySeconds,
    filters: asked.filters,
    leftOut: stream.spool.leftOut(replicaKey(identity))?.settings ?? null,
    unlogged: lackedUnlogged(stream)?.gtids || null,
  }
  const at = sessions.findIndex((session) => session.serverId === identity.serverId)
  if (at >= 0) {
    return sessions.map((session, index) => (index === at ? { ...session, ...own } : session))
  }
  const address = `${config.replica?.host}:${config.replica?.port}`
  const { serverId, serverUuid } = identity
  const retainsFile = retained(identity)
  const other = { serverId, serverUuid, address, retainsFile, ...own }
  return [...sessions, { ...other, state: 'disconnected', sent: null }]
}

export function drStreamProblems(stream: DrStream, nowMs: number): Problem[] {
  const problems: Problem[] = []
  const { name, loadProblem } = stream
  if (loadProblem !== null) problems.push(loadProblem)
  const told = stream.receiver.status().state
  if (told?.problem) {
    const { code, message, remedy } = told.problem
    const sinceMs = stream.ownTimeOf(told.problem.sinceMs)
    const severity = told.state === 'blocked' ? 'blocked' : 'error'
    const where = `source:${name}`
    problems.push({ code, severity, where, message, sinceMs, ...(remedy !== null && { remedy }) })
  }
  const disk = stream.writer.problem
  if (disk !== null) {
    const { error, sinceMs } = disk
    // A disk may have room again.
    const needsPerson = ['ERR_SPOOL_FLAVOR', 'ERR_BINLOG_NAME'].includes(error.code)
    const severity = needsPerson ? 'blocked' : 'error'
    const where = `spool:${name}`
    problems.push({ ...errorFields(error), severity, where, message: error.message, sinceMs })
  }
  problems.push(...lineageProblems(stream), ...unloggedProblems(stream))
  const relay = stream.relay?.status()
  if (relay?.state === 'down' && relay.lastError !== null) {
    const { code, message, sinceMs } = relay.lastError
    problems.push({ code, severity: 'error', where: `relay:${name}`, message, sinceMs })
  }
  if (relay?.dumpError) {
    const { code, replica, sinceMs, remedy } = relay.dumpError
    const message = `replica ${replica} cannot be served: ${relay.dumpError.message}`
    const where = `relay:${name}`
    problems.push({ code, severity: 'error', where, message, sinceMs, ...(remedy && { remedy }) })
  }
  problems.push(...replicaProblems(stream, nowMs))
  return problems
}

/** A thread that somebody stopped is only started; one that failed would fail again. */
function stopRemedy(reason: string): string {
  if (isNotSetUp(reason)) return 'landbridge replica attach --config FILE'
  if (reason.startsWith('stopped: ')) return 'landbridge replica attach --config FILE starts it'
  return (
    'Mend at the replica what the error names, or restore it from a backup of the source; ' +
    'then `landbridge replica attach --config FILE` starts it again.'
  )
}

/** What is left out now, or was: it stays missing. */
function filterProblems(asked: ReplicaPollerStatus, where: string, spool: Spool): Problem[] {
  const { identity, filters, filteredSinceMs } = asked
  const code = 'ERR_REPLICA_FILTERED'
  if (filters?.length) {
    const message = `the DR replica leaves out data, and cannot take over: ${filters.join(', ')}`
    const sinceMs = filteredSinceMs ?? 0
    return [{ code, severity: 'error', where, message, remedy: FILTER_REMEDY, sinceMs }]
  }
  const id = identity === null ? '' : replicaKey(identity)
  const leftOut = spool.leftOut(id)
  if (leftOut === null) return []
  const { settings, sinceMs } = leftOut
  const message = `the DR replica left out data, and cannot take over: it had ${settings}`
  const remedy =
    'Restore it from a backup of the source; then run: ' +
    `landbridge replica detach ${id}, and attach it.`
  return [{ code, severity: 'error', where, message, remedy, sinceMs }]
}

const REPLICA_AWAY_MS = 30_000

/** The replica that can be asked: does it answer, does its replication run? */
function replicaProblems({ name, poller, relay, spool }: DrStream, nowMs: number): Problem[] {
  const problems: Problem[] = []
  const where = `replica:${name}`
  const asked = poller?.status()
  if (asked?.error) {
    const { code, message, remedy, sinceMs } = asked.error
    // A replica that is configured and stays away cannot take over: that is worth a call.
    const severity = nowMs - sinceMs > REPLICA_AWAY_MS ? 'error' : 'warning'
    problems.push({ code, severity, where, message, sinceMs, ...(remedy && { remedy }) })
  }
  if (asked !== undefined) problems.push(...filterProblems(asked, where, spool))
  if (!asked?.stopReason) return problems
  // Before its first attachment a replica is not broken, it is still to come.
  const isNew = isNotSetUp(asked.stopReason) && relay?.status().replicas.length === 0
  problems.push({
    code: 'ERR_REPLICA_STOPPED',
    severity: isNew ? 'warning' : 'error',
    where,
    message: isNew
      ? 'the DR replica does not follow this gateway yet'
      : `replication on the DR replica does not run: ${asked.stopReason}`,
    remedy: isNew ? 'landbridge replica attach --config FILE' : stopRemedy(asked.stopReason),
    sinceMs: asked.stoppedSinceMs ?? 0,
  })
  return problems
}
