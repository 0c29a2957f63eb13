import { isAbortError, LandbridgeError } from '../../base/errors.ts'
import { errorOutput } from './terminal.ts'

/**
 * Runs `work` with a signal that SIGINT, SIGTERM or SIGHUP aborts. The work is to end by itself
 * then; whoever asks a second time does not want to wait for that.
 */
export async function withStopSignal<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const stopping = new AbortController()
  let received = ''
  const stop = (name: NodeJS.Signals) => {
    if (stopping.signal.aborted) process.exit(1)
    received = name
    errorOutput.write(`\n${name}: stopping\n`)
    stopping.abort()
  }
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const name of names) process.on(name, stop)
  try {
    return await work(stopping.signal)
  } catch (error) {
    if (!isAbortError(error) || !stopping.signal.aborted) throw error
    throw new LandbridgeError('ERR_INTERRUPTED', `stopped by ${received}`)
  } finally {
    for (const name of names) process.off(name, stop)
  }
}
