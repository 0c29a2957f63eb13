import { LandbridgeError } from '../../base/errors.ts'
import { BINLOG_MAGIC, EVENT_HEADER_BYTES, EventType } from '../../binlog/event-type.ts'
import type { LogFile } from '../../binlog/log.ts'
import type { ServedLog } from '../served-log.ts'
import { anonymousRefusal } from './dump-refusal.ts'

/** What the newest transaction of a file is. */
type Tail = 'gtid' | 'anonymous' | 'none'

const WINDOW_BYTES = 256 * 1024
const REMEMBERED_MAX = 10_000

/** Of files that something newer follows: they do not change any more. */
const remembered = new WeakMap<ServedLog, Map<string, Tail>>()

/**
 * A MySQL file is chosen by the GTIDs before it, and transactions without a GTID (the source ran
 * with another gtid_mode for a while) do not count there: a start behind them looks the same as one
 * before them. A real source begins behind them, and the replica never gets them. So whoever holds
 * nothing that was written from `file` on must not begin there when the last transaction before it
 * has none. Throws ERR_DUMP_REFUSED.
 */
export async function refuseBehindAnonymous(store: ServedLog, file: LogFile): Promise<void> {
  const earlier = store.files().filter(({ ordinal }) => ordinal < file.ordinal)
  for (const before of earlier.toReversed()) {
    const tail = await tailOf(store, before)
    if (tail === 'gtid') return
    if (tail === 'none') continue
    throw anonymousRefusal(`in ${before.name}, and nothing tells whether this replica has them`)
  }
}

async function tailOf(store: ServedLog, file: LogFile): Promise<Tail> {
  const known = remembered.get(store) ?? new Map<string, Tail>()
  remembered.set(store, known)
  const key = `${file.ordinal} ${file.epoch} ${file.name}`
  const tail = known.get(key) ?? (await readTail(store, file))
  const [oldest] = known.keys()
  if (known.size >= REMEMBERED_MAX && oldest !== undefined) known.delete(oldest)
  known.set(key, tail)
  return tail
}

/** Walks over all headers of a file, in constant memory. */
async function readTail(store: ServedLog, file: LogFile): Promise<Tail> {
  const end = store.readableBytes(file)
  const window = Buffer.allocUnsafe(Math.min(WINDOW_BYTES, end))
  const handle = await store.open(file)
  try {
    let tail: Tail = 'none'
    let at = BINLOG_MAGIC.length
    while (at + EVENT_HEADER_BYTES <= end) {
      const { bytesRead } = await handle.read(window, 0, Math.min(window.length, end - at), at)
      const from = at
      while (at - from + EVENT_HEADER_BYTES <= bytesRead) {
        const type = window[at - from + 4]
        const size = window.readUInt32LE(at - from + 9)
        // A torn end: nothing behind it was ever served.
        if (size < EVENT_HEADER_BYTES) return tail
        if (type === EventType.MysqlAnonymousGtid) tail = 'anonymous'
        else if (type === EventType.MysqlGtid || type === EventType.MysqlTaggedGtid) tail = 'gtid'
        at += size
      }
      if (at === from) return refuseFile(file, at)
    }
    return tail
  } finally {
    await handle.close()
  }
}

function refuseFile({ name }: LogFile, offset: number): never {
  throw new LandbridgeError('ERR_SPOOL_FILE', 'a stored file does not hold whole events', {
    details: { file: name, offset },
  })
}
