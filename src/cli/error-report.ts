import { codeOf, describeError, errorFields, isLandbridgeError } from '../base/errors.ts'
import { hanging } from '../base/plain-text.ts'

const MARGIN_COLUMNS = 4

/** The one shape in which a command says on the terminal that it failed. */
export function formatError(error: unknown): string {
  const lines = [
    `error: ${hanging(describeError(error), MARGIN_COLUMNS)}`,
    `  code: ${codeOf(error)}`,
  ]
  if (isLandbridgeError(error)) {
    if (error.remedy !== undefined) lines.push(`  remedy: ${hanging(error.remedy, MARGIN_COLUMNS)}`)
  } else if (isProgrammerError(error)) {
    lines.push('  This is a defect of landbridge; please report it with these lines:')
    lines.push(String(error.stack).replaceAll(/^/gm, '    '))
  }
  return `${lines.join('\n')}\n`
}

/** The same for `--json`. */
export function errorJson(error: unknown): object {
  const report = {
    ...errorFields(error),
    message: describeError(error),
    ...(isLandbridgeError(error) && { retryable: error.retryable, details: error.details }),
  }
  return { ok: false, error: report }
}

/** Errors of the operating system and of libraries carry a code; a slip of ours does not. */
function isProgrammerError(error: unknown): error is Error {
  return error instanceof Error && codeOf(error) === 'ERR_UNEXPECTED'
}
