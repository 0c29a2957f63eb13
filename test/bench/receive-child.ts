import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock } from '../../src/base/clock.ts'
import { silentLog } from '../../src/base/log.ts'
import type { DumpTarget } from '../../src/source/socket-pump.ts'
import { SpoolStore } from '../../src/spool/spool-store.ts'
import { SpoolWriter } from '../../src/spool/spool-writer.ts'
import { benchReader } from './bench-reader.ts'
import { watchCores } from './watch-cores.ts'

/**
 * One measurement of "raw receive to disk": source station and spool in one process, no link.
 * Arguments: port, folder, last file, its size. Prints a `Received`.
 */
const [port, folder = '', lastFile = '', lastBytes] = process.argv.slice(2)
const GATHER_BYTES = 256 * 1024
const QUEUED_BYTES_MAX = 16 * 1024 * 1024

const directory = await mkdtemp(join(folder, 'receive-'))
const stopping = new AbortController()
const retention = { ageMsMax: null, bytesMax: null, hardLimit: false }
const store = new SpoolStore({ directory, retention, clock: systemClock, log: silentLog })
const { spool } = store

let wake: (() => void) | null = null
const free: Buffer[] = []

const writer = new SpoolWriter({
  store,
  clock: systemClock,
  log: silentLog,
  onSynced: () => {
    wake?.()
    const held = spool.held()
    if (held?.file === lastFile && held.offset >= Number(lastBytes)) stopping.abort()
  },
  onBroken: (error) => {
    throw error
  },
})

class Gatherer implements DumpTarget {
  #buffer: Buffer = Buffer.allocUnsafeSlow(GATHER_BYTES)
  #fill = 0
  #offset = 0

  get hasRoom(): boolean {
    return writer.queuedBytes < QUEUED_BYTES_MAX
  }

  async room(): Promise<void> {
    while (!this.hasRoom) await new Promise<void>((resolve) => (wake = resolve))
  }

  accepted(): void {}

  file(name: string, offset: number): void {
    this.#flush()
    writer.beginFile(name, offset)
    this.#offset = offset
  }

  bytes(chunk: Buffer, start: number, end: number): void {
    for (let at = start; at < end; ) {
      const take = Math.min(end - at, GATHER_BYTES - this.#fill)
      chunk.copy(this.#buffer, this.#fill, at, at + take)
      this.#fill += take
      at += take
      if (this.#fill === GATHER_BYTES) this.#flush()
    }
  }

  chunkEnd(): void {
    if (writer.queuedBytes === 0) this.#flush()
  }

  #flush(): void {
    if (this.#fill === 0) return
    const buffer = this.#buffer
    const bytes = buffer.subarray(0, this.#fill)
    writer.append(this.#offset, bytes, Date.now(), () => free.push(buffer))
    this.#offset += this.#fill
    this.#buffer = free.pop() ?? Buffer.allocUnsafeSlow(GATHER_BYTES)
    this.#fill = 0
  }
}

await writer.open(stopping.signal)
const writing = writer.run(stopping.signal)
const coresBusy = watchCores()
const startedMs = performance.now()
const cpuBefore = process.cpuUsage()
const opened = await benchReader(Number(port)).open(null, stopping.signal)
const { flavor, serverVersion, serverId, serverUuid, gtidDomainId } = opened.facts
const source = { flavor, serverVersion, serverId, serverUuid, gtidDomainId }
await store.beginEpoch({
  source,
  reason: 'bench',
  gtidsBefore: opened.plan.gtids,
  breaksLineage: false,
})
await opened.run(new Gatherer(), stopping.signal).catch((error: unknown) => {
  if (!stopping.signal.aborted) throw error
})
const seconds = (performance.now() - startedMs) / 1000
const busy = coresBusy()
await writing
await writer.close()
await rm(directory, { recursive: true, force: true })
const rssBytes = process.resourceUsage().maxRSS * 1024
const { user, system } = process.cpuUsage(cpuBefore)
const cpuSeconds = (user + system) / 1e6
process.stdout.write(`${JSON.stringify({ seconds, coresBusy: busy, rssBytes, cpuSeconds })}\n`)
