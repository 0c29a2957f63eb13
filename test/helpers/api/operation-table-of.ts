import { Journal } from '../../../src/api/journal.ts'
import { OperationTable } from '../../../src/api/operation-table.ts'
import { silentLog } from '../../../src/base/log.ts'
import type { Operation } from '../../../src/base/operation.ts'
import { replicaRelease } from '../../../src/gateway/replica-release.ts'
import type { Stream } from '../../../src/gateway/stream.ts'
import { MemoryDisk } from '../disk/memory-disk.ts'
import { FakeClock } from '../fake-clock.ts'

/** A table with a journal in memory. */
export function operationTableOf(operations: readonly Operation[] = []): OperationTable {
  const options = { path: '/data/journal.jsonl', clock: new FakeClock(), log: silentLog }
  return new OperationTable(operations, new Journal({ ...options, disk: new MemoryDisk() }))
}

/** `replica.release`, for streams that do what the test says, by name. */
export function releaseOf(
  streams: Readonly<Record<string, (replica: string) => Promise<boolean>>>,
): Operation {
  const all = Object.entries(streams).map(([name, releaseReplica]) => {
    return { name, half: { releaseReplica } }
  })
  return replicaRelease(all as unknown as readonly Stream[])
}
