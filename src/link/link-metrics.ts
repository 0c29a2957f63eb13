import { type MetricSheet, seconds } from '../observe/metric-sheet.ts'
import type { LinkStatus } from '../status/status.ts'

export function linkMetrics(sheet: MetricSheet, links: readonly LinkStatus[]): void {
  for (const link of links) {
    const own = sheet.of('landbridge_link_', { peer: link.peer, role: link.role })
    own.gauge('up', '1 while the peer is connected', Number(link.state === 'up'))
    own.gauge('unsteady_sessions', 'Sessions since one last lasted', link.unsteadySessions)
    own.gauge('streams', 'Streams that go over it', link.carries.length)
    own.gauge('round_trip_seconds', 'Round trip to the peer', seconds(link.roundTripMs))
    own.gauge('clock_offset_seconds', 'Peer clock minus own', seconds(link.clockOffsetMs))
    const doubt = seconds(link.clockDoubtMs)
    own.gauge('clock_doubt_seconds', 'How far that offset may be off', doubt)
    own.counter('sessions_total', 'Sessions since start', link.sessions)
    own.counter('received_bytes_total', 'Bytes received', link.receivedBytes)
    own.counter('sent_bytes_total', 'Bytes sent', link.sentBytes)
  }
}
