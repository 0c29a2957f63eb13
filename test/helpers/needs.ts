import { describe, test } from 'vitest'
import type { Flavor } from '../../src/base/flavor.ts'
import { type Need, parseMissing, unmetReason } from './runner/missing.ts'

declare module 'vitest' {
  interface TaskMeta {
    /** Why a test does not run here: the test command prints it. */
    skipReason?: string
  }
}

export const FLAVORS = ['mysql', 'mariadb'] as const satisfies readonly Flavor[]

const MISSING = parseMissing(process.env.LANDBRIDGE_MISSING)

interface Needs {
  readonly skip?: true
  readonly meta?: { readonly skipReason: string }
}

/**
 * Declares what a test or a group of tests needs of its machine; where that cannot be had they are
 * skipped, with the reason:
 *
 *     describe('a lab', needs('root', 'mysql'), () => { ... })
 *     test('two servers', { timeout: 60_000, ...needs('mariadb') }, async () => { ... })
 */
export function needs(...wanted: readonly Need[]): Needs {
  const skipReason = unmetReason(wanted, MISSING, process.getuid?.() === 0)
  return skipReason === null ? {} : { skip: true, meta: { skipReason } }
}

type Body<Result> = (flavor: Flavor) => Result

interface FlavorOptions {
  readonly timeout?: number
  /** Besides the server. */
  readonly needs?: readonly Need[]
}

/** The same tests once a flavour, each needing its server: `%s` in the title is the flavour. */
export function describeFlavors(title: string, body: Body<void>): void
export function describeFlavors(title: string, options: FlavorOptions, body: Body<void>): void
export function describeFlavors(title: string, ...rest: Rest<void>): void {
  const [{ needs: wanted = [], ...options }, body] = optionsAndBody(rest)
  for (const flavor of FLAVORS) {
    const all = { ...options, ...needs(flavor, ...wanted) }
    describe(title.replace('%s', flavor), all, () => body(flavor))
  }
}

/** One test a flavour. */
export function testFlavors(title: string, body: Body<Promise<void>>): void
export function testFlavors(title: string, options: FlavorOptions, body: Body<Promise<void>>): void
export function testFlavors(title: string, ...rest: Rest<Promise<void>>): void {
  const [{ needs: wanted = [], ...options }, body] = optionsAndBody(rest)
  for (const flavor of FLAVORS) {
    const all = { ...options, ...needs(flavor, ...wanted) }
    test(title.replace('%s', flavor), all, () => body(flavor))
  }
}

type Rest<Result> = [Body<Result>] | [FlavorOptions, Body<Result>]

function optionsAndBody<Result>(rest: Rest<Result>): [FlavorOptions, Body<Result>] {
  return rest.length === 1 ? [{}, rest[0]] : rest
}
