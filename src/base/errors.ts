/**
 * The one error class of landbridge. `code` is stable and documented in ERRORS.md beside this
 * file; `message` is for people and may change. Nothing may match on `message`.
 */
export interface LandbridgeErrorOptions {
  /** What a person should do about it: one sentence, an SQL statement or a command. */
  readonly remedy?: string
  /** True when trying the same thing again later can help without anybody acting. */
  readonly retryable?: boolean
  /** Values for logs and `--json`. Never a secret. */
  readonly details?: Readonly<Record<string, unknown>>
  readonly cause?: unknown
}

export class LandbridgeError extends Error {
  readonly code: string
  readonly retryable: boolean
  readonly remedy: string | undefined
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: `ERR_${string}`, message: string, options: LandbridgeErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'LandbridgeError'
    this.code = code
    this.retryable = options.retryable ?? false
    this.remedy = options.remedy
    this.details = options.details ?? {}
  }
}

export function isLandbridgeError(error: unknown): error is LandbridgeError {
  return error instanceof LandbridgeError
}

/** `code` of a LandbridgeError, of a Node system error (`ENOENT`), else `ERR_UNEXPECTED`. */
export function codeOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code
  return 'ERR_UNEXPECTED'
}

/** What a person should do about it, where the error knows. */
export function remedyOf(error: unknown): string | undefined {
  return isLandbridgeError(error) ? error.remedy : undefined
}

/** What a line of the log says of an error beside its message. */
export function errorFields(error: unknown): { readonly code: string; readonly remedy?: string } {
  const remedy = remedyOf(error)
  return { code: codeOf(error), ...(remedy !== undefined && { remedy }) }
}

/** Message with the causes behind it, innermost last; for logs and status. */
export function describeError(error: unknown): string {
  const parts: string[] = []
  let current: unknown = error
  for (let depth = 0; current !== undefined && depth < 5; depth += 1) {
    const text = current instanceof Error ? current.message || codeOf(current) : String(current)
    // A message that names its cause already says it once.
    if (!parts.some((part) => part.includes(text))) parts.push(text)
    current = current instanceof Error ? current.cause : undefined
  }
  return parts.join(': ')
}

export function isAbortError(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError'
}
