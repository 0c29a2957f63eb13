import { benchReader } from './bench-reader.ts'
import { isBehind } from './binlog-file.ts'
import { watchCores } from './watch-cores.ts'

/**
 * The source station alone: every byte is read and checked, none is kept. Nothing that stores them
 * can be faster. Arguments: port, last file, its size. Prints a `Received`.
 */
const [port, name = '', bytes] = process.argv.slice(2)
const last = { name, bytes: Number(bytes) }
const stopping = new AbortController()
const at = { file: '', offset: 0 }

const coresBusy = watchCores()
const startedMs = performance.now()
const cpuBefore = process.cpuUsage()
const opened = await benchReader(Number(port)).open(null, stopping.signal)
const target = {
  hasRoom: true,
  room: async () => undefined,
  accepted: () => undefined,
  file: (file: string, offset: number) => Object.assign(at, { file, offset }),
  bytes: (_chunk: Buffer, start: number, end: number) => {
    at.offset += end - start
  },
  chunkEnd: () => {
    if (isBehind(at, last)) stopping.abort()
  },
}
await opened.run(target, stopping.signal).catch((error: unknown) => {
  if (!stopping.signal.aborted) throw error
})
const seconds = (performance.now() - startedMs) / 1000
const rssBytes = process.resourceUsage().maxRSS * 1024
const { user, system } = process.cpuUsage(cpuBefore)
const cpuSeconds = (user + system) / 1e6
process.stdout.write(
  `${JSON.stringify({ seconds, coresBusy: coresBusy(), rssBytes, cpuSeconds })}\n`,
)
