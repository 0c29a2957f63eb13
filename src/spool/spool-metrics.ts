import type { MetricSheet } from '../observe/metric-sheet.ts'
import { seconds } from '../observe/metric-sheet.ts'
import type { StreamStatus } from '../status/status.ts'

/** `sheet` is that of the stream. */
export function spoolMetrics(sheet: MetricSheet, spool: StreamStatus['spool']): void {
  if (spool === null) return
  const own = sheet.of('spool_')
  own.gauge('bytes', 'Bytes of binlog held', spool.bytes)
  own.gauge('files', 'Binlog files held', spool.files)
  own.gauge('epoch', 'Epoch of the newest byte held', spool.synced?.epoch ?? null)
  own.gauge('epochs', 'Epochs held or begun', spool.epochs)
  own.gauge('resets', 'Epochs that began because the source was reset', spool.resets)
  const { room, syncs } = spool
  own.gauge('disk_free_bytes', 'What may still be written to its disk', room?.freeBytes ?? null)
  own.gauge('disk_size_bytes', 'Size of its disk', room?.totalBytes ?? null)
  own.histogram('sync_seconds', 'How long fdatasync took', syncs)
  const help = 'Longest fdatasync of the last one to two minutes'
  own.gauge('sync_max_seconds', help, seconds(syncs.maxMs))
  for (const { claim, kind, bytes, ageMs } of spool.claims) {
    const kept = sheet.of('claim_', { claim, kind })
    kept.gauge('bytes', 'Bytes that may not be removed because of this consumer', bytes)
    kept.gauge('age_seconds', 'Since this consumer last moved on', seconds(ageMs))
  }
}
