import { hanging } from '../../base/plain-text.ts'
import { describeConnection } from '../../database/replica-connection.ts'
import type { ReplicaFacts } from '../../database/replica-facts.ts'
import type { AttachAnswer, DetachAnswer } from '../../gateway/replica-schemas.ts'

/** SQL first, so that it can be copied; then what is to be known about it. */
export function formatAttach(report: AttachAnswer): string {
  const lines = report.statements.map((sql) => `${hanging(sql, 4)};`)
  for (const { severity, message, remedy } of report.findings) {
    lines.push(`${severity}: ${hanging(message, 4)}`, `  remedy: ${hanging(remedy, 4)}`)
  }
  for (const { option, before, after } of report.changes) {
    lines.push(hanging(`${option} was ${before || 'empty'}, now ${after || 'empty'}`, 4))
  }
  if (report.dryRun) lines.push('dry run: nothing was changed')
  else if (report.action === 'none') lines.push('the replica follows this relay already')
  else lines.push('the replica follows this relay')
  return `${lines.join('\n')}\n${report.dryRun ? '' : formatReplica(report.replica)}`
}

export function formatDetach(report: DetachAnswer): string {
  const lines = report.statements.map((sql) => `${hanging(sql, 4)};`)
  if (report.action === 'none') lines.push('the replica does not follow this gateway')
  else lines.push(report.dryRun ? 'dry run: nothing was changed' : 'the replica is detached')
  if (report.kept === 'released') lines.push('the gateway keeps no files for it any more')
  else if (report.kept === 'unknown') {
    lines.push(
      'warning: the gateway could not be asked and may keep files for the replica',
      '  remedy: detach again, as root, when it runs; or wait for retention.replicaAge',
    )
  }
  return `${lines.join('\n')}\n`
}

export function formatReplica(facts: ReplicaFacts): string {
  const { following, others } = facts
  const uuid = facts.serverUuid === null ? '' : `, ${facts.serverUuid}`
  const lines = [`replica    ${facts.version}, server_id ${facts.serverId}${uuid}`]
  if (following === null) {
    lines.push(`follows    nothing${others.length === 0 ? '' : ' of this gateway'}`)
  } else {
    const { delaySeconds, lagSeconds } = following
    const lag = lagSeconds === null ? 'unknown' : `${lagSeconds} s`
    const late = delaySeconds > 0 ? `; it applies ${delaySeconds} s late on purpose` : ''
    lines.push(
      `follows    ${following.user}@${describeConnection(following)}` +
        (following.usesGtid ? ' by GTID' : ' by file and position'),
      `receiver   ${following.receiver}${reason(following.receiverError)}`,
      `applier    ${following.applier}${reason(following.applierError)}`,
      `behind     ${lag}${late}`,
    )
    const filters = [...following.filters, ...facts.filters]
    if (filters.length > 0) lines.push(`leaves out ${filters.join(', ')}`)
  }
  for (const other of others) lines.push(`besides    ${other.user}@${describeConnection(other)}`)
  return `${[...lines, `gtids      ${facts.gtids || '(none)'}`].join('\n')}\n`
}

function reason(text: string | null): string {
  return text === null ? '' : `: ${text}`
}
