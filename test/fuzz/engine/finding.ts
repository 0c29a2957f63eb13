/** An input on which a target does not hold its contract. */
export interface Finding {
  /** Equal for findings that are likely the same defect. */
  readonly key: string
  readonly message: string
  readonly input: Buffer
}

export function findingOf(input: Buffer, error: unknown): Finding {
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return { key: keyOf(error, message), message, input: Buffer.from(input) }
}

/** Where it was thrown: messages have the values of the input in them. */
function keyOf(error: unknown, stack: string): string {
  const frames = stack.split('\n').filter((line) => /^\s+at .*\/(?:src|test)\//.test(line))
  const place = /\/((?:src|test)\/[^)]*)/.exec(frames[0] ?? '')?.[1]
  const name = error instanceof Error ? error.name : typeof error
  return `${name} at ${place ?? stack.split('\n')[0]}`
}
