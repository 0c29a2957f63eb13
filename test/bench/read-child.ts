import { benchReader } from './bench-reader.ts'
import { watchCores } from './watch-cores.ts'

/**
 * The source station alone: every byte is read and checked, none is kept. Nothing that stores them
 * can be faster. Arguments: port, last file, its size. Prints a `Received`.
 */
const [port, lastFile = '', lastBytes] = process.argv.slice(2)
const stopping = new AbortController()
const at = { file: '', offset: 0 }

const coresBusy = watchCores()
const startedMs = performance.now()
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
    // The file behind the last is begun in the chunk that ends the last.
    const isBehind = at.file.length === lastFile.length && at.file > lastFile
    if (isBehind || (at.file === lastFile && at.offset >= Number(lastBytes))) stopping.abort()
  },
}
await opened.run(target, stopping.signal).catch((error: unknown) => {
  if (!stopping.signal.aborted) throw error
})
const seconds = (performance.now() - startedMs) / 1000
const rssBytes = process.resourceUsage().maxRSS * 1024
process.stdout.write(`${JSON.stringify({ seconds, coresBusy: coresBusy(), rssBytes })}\n`)
