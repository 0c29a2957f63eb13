/** What runs until its signal is aborted, and settles once its sockets and files are closed. */
export interface Task {
  run(signal: AbortSignal): Promise<void>
}

/**
 * Runs all of them until abort. One that fails stops the others: all are waited for, and its error
 * is thrown.
 */
export async function runTogether(
  tasks: readonly (Task | null)[],
  signal: AbortSignal,
): Promise<void> {
  const ending = new AbortController()
  const stop = AbortSignal.any([signal, ending.signal])
  const running = tasks.map((task) => task?.run(stop))
  try {
    await Promise.all(running)
  } finally {
    ending.abort()
    await Promise.allSettled(running)
  }
}
