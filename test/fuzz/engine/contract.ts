import { readFileSync } from 'node:fs'
import { isLandbridgeError } from '../../../src/base/errors.ts'

const TABLE = new URL('../../../src/base/ERRORS.md', import.meta.url)
const CODES: ReadonlySet<string> = new Set(
  [...readFileSync(TABLE, 'utf8').matchAll(/^\| (ERR_[A-Z0-9_]+) \|/gm)].map(
    ([, code]) => code ?? '',
  ),
)

/** What reading came to: a value, or the code of the error that refuses the bytes. */
export type Outcome<T> = { readonly value: T } | { readonly code: string }

/** Whether an error is one that foreign bytes may cause: ours, with a row in ERRORS.md. */
export function isAllowed(error: unknown): boolean {
  return isLandbridgeError(error) && CODES.has(error.code)
}

function refusal(error: unknown): { readonly code: string } {
  if (isLandbridgeError(error) && CODES.has(error.code)) return { code: error.code }
  throw error
}

export function attempt<T>(read: () => T): Outcome<T> {
  try {
    return { value: read() }
  } catch (error) {
    return refusal(error)
  }
}

export async function attemptAsync<T>(read: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { value: await read() }
  } catch (error) {
    return refusal(error)
  }
}
