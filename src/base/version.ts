import { readFileSync } from 'node:fs'

/** package.json lies two folders up, from src/base as from dist/base. */
const PACKAGE_FILE = new URL('../../package.json', import.meta.url)

export function packageVersion(): string {
  const parsed = JSON.parse(readFileSync(PACKAGE_FILE, 'utf8')) as { readonly version: string }
  return parsed.version
}
