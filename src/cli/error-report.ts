import { deniedPathOf, deniedRemedy } from '../base/denied.ts'
import { codeOf, describeError, errorFields, isLandbridgeError, remedyOf } from '../base/errors.ts'
import { hanging } from '../base/plain-text.ts'

const MARGIN_COLUMNS = 4

/** The one shape in which a command says on the terminal that it failed. */
export function formatError(error: unknown): string {
  const lines = [
    `error: ${hanging(describeError(error), MARGIN_COLUMNS)}`,
    `  code: ${codeOf(error)}`,
  ]
  const remedy = remedyFor(error)
  if (remedy !== undefined) lines.push(`  remedy: ${hanging(remedy, MARGIN_COLUMNS)}`)
  if (isProgrammerError(error)) {
    lines.push('  This is a defect of landbridge; please report it with these lines:')
    lines.push(String(error.stack).replaceAll(/^/gm, '    '))
  }
  return `${lines.join('\n')}\n`
}

/** The same for `--json`. */
export function errorJson(error: unknown): object {
  const report = {
    ...errorFields(error),
    remedy: remedyFor(error),
    message: describeError(error),
    ...(isLandbridgeError(error) && { retryable: error.retryable, details: error.details }),
  }
  return { ok: false, error: report }
}

/** What no station expected to be refused still says who may. */
function remedyFor(error: unknown): string | undefined {
  const path = deniedPathOf(error)
  const known = remedyOf(error)
  return known !== undefined || path === null ? known : deniedRemedy(path, 'write')
}

/** Errors of the operating system and of libraries carry a code; a slip of ours does not. */
function isProgrammerError(error: unknown): error is Error {
  return error instanceof Error && codeOf(error) === 'ERR_UNEXPECTED'
}
