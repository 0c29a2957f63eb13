import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { runCampaign } from './engine/campaign.ts'
import { FOUND_FOLDER, readInputs } from './engine/saved-input.ts'
import { isTarget, isWaiting, moduleOf, TARGETS } from './targets.ts'

const EXECUTIONS = 3_000
const WAITING_EXECUTIONS = 150

/** Inputs that broke something once, then a short run from a fixed seed. */
describe.each(TARGETS)('%s', (target) => {
  test('keeps its contract on everything found before, and on new inputs', async () => {
    const inputs = readInputs(join(FOUND_FOLDER, target))
    const executions = isWaiting(target) ? WAITING_EXECUTIONS : EXECUTIONS
    const { findings, figures } = await runCampaign({
      module: moduleOf(target),
      inputs,
      seed: crc32(target),
      limits: { executions, seconds: Number.POSITIVE_INFINITY },
    })
    expect(findings.map(({ key, message }) => `${key}\n${message}`)).toEqual([])
    expect(figures.executions).toBeGreaterThanOrEqual(executions)
    expect(figures.corpus).toBeGreaterThan(1)
  })
})

test('every folder of found inputs belongs to a target', () => {
  expect(readdirSync(FOUND_FOLDER).filter((name) => !isTarget(name))).toEqual([])
})
