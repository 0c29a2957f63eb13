const startedMs = Date.now()

/**
 * All words of the set-up go to stderr: stdout belongs to what is run afterwards, and with
 * `--json` a program reads it.
 */
export function say(text) {
  const elapsed = `${((Date.now() - startedMs) / 1000).toFixed(0)} s`
  process.stderr.write(`[set-up ${elapsed.padStart(5)}] ${text}\n`)
}

/** The machine lacks something that the set-up cannot give it. */
export class SetupError extends Error {
  constructor(message, remedy) {
    super(message)
    this.name = 'SetupError'
    this.remedy = remedy
  }
}
