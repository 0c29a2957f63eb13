import type { Finding, SourceFile } from './source-file.ts'

const REAL = /^test\/(?:integration|browser|alone|long|docker)\/.+\.test\.ts$/
const DECLARES = /\b(?:needs|describeFlavors|testFlavors)\(/

/** Tests on real servers say what they need, so that a machine without it skips them by name. */
export function declaredNeeds({ path, text }: SourceFile): Finding[] {
  if (!REAL.test(path) || DECLARES.test(text)) return []
  return [{ path, message: 'it does not declare what it needs of its machine (needs())' }]
}
