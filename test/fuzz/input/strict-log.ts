import type { Log } from '../../../src/base/log.ts'

/**
 * A log for readers that never throw: they say there what went wrong, and an error without a code
 * of its own is a defect.
 */
export class StrictLog implements Log {
  readonly codes: string[] = []

  debug(): void {}

  info(): void {}

  warn(fields: object): void {
    if ('code' in fields) this.codes.push(`${fields.code}: ${'error' in fields && fields.error}`)
  }

  error(fields: object): void {
    this.warn(fields)
  }

  child(): Log {
    return this
  }

  /** Throws when something was logged whose code no foreign bytes may cause. */
  check(): void {
    const unexpected = this.codes.find((code) => !isExpected(code))
    if (unexpected !== undefined) throw new Error(`logged ${unexpected}`)
  }
}

function isExpected(line: string): boolean {
  return /^ERR_[A-Z_]+:/.test(line) && !/^ERR_(?:UNEXPECTED|ASSERTION|INVALID_|OUT_OF)/.test(line)
}
