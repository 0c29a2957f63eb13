import { codeOf, describeError, errorFields, isLandbridgeError } from '../base/errors.ts'

/** The one shape in which a command says on the terminal that it failed. */
export function formatError(error: unknown): string {
  const lines = [`error: ${describeError(error)}`, `  code: ${codeOf(error)}`]
  if (isLandbridgeError(error)) {
    if (error.remedy !== undefined)
      lines.push(`  remedy: ${error.remedy.replaceAll('\n', '\n    ')}`)
  } else if (isProgrammerError(error)) {
    lines.push('  This is a defect of landbridge; please report it with these lines:')
    lines.push(String(error.stack).replaceAll(/^/gm, '    '))
  }
  return `${lines.join('\n')}\n`
}

/** The same for `--json`: one object on one line. */
export function formatErrorJson(error: unknown): string {
  const report = {
    ...errorFields(error),
    message: describeError(error),
    ...(isLandbridgeError(error) && { retryable: error.retryable, details: error.details }),
  }
  return `${JSON.stringify({ ok: false, error: report }, bigintAsText)}\n`
}

/** Errors of the operating system and of libraries carry a code; a slip of ours does not. */
function isProgrammerError(error: unknown): error is Error {
  return error instanceof Error && codeOf(error) === 'ERR_UNEXPECTED'
}

function bigintAsText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value
}
