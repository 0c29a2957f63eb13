import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { LONGEST } from '../../../helpers/runner/longest-first.ts'

test.each(LONGEST)('%s, which is to begin early, is there', (name) => {
  expect(existsSync(fileURLToPath(new URL(`../../../integration/${name}`, import.meta.url)))).toBe(
    true,
  )
})
