import { readFile } from 'node:fs/promises'
import { expect } from 'vitest'
import type { GatewayStatus } from '../../../src/status/status.ts'
import { statusSchema } from '../../../src/status/status-schema.ts'
import { metricFamilies } from './metric-text.ts'
import { promtool } from './promtool.ts'

const ROWS = /^\| ([a-z]\w+) \| (\w+) \| (.*) \| (.*) \|$/gm

/**
 * Checks what a real gateway says of itself: its status against the schema, without a field that
 * the schema does not know, and its metrics against METRICS.md and Prometheus' own checker.
 */
export async function expectSound(status: GatewayStatus | null, metrics: string): Promise<void> {
  expect(statusSchema.parse(status)).toEqual(status)
  const page = await readFile('src/observe/METRICS.md', 'utf8')
  const known = new Map(
    [...page.matchAll(ROWS)].map(([, name, type, labels]) => [name, { type, labels }]),
  )
  for (const { name, type, labels, series } of metricFamilies(metrics)) {
    const isOwn = /^(landbridge|wireguard)_/.test(name)
    const shown = { type, labels: isOwn && series > 0 ? labels.join(', ') : '' }
    expect({ name, ...shown }).toEqual({ name, ...known.get(name) })
  }
  const { code, text } = await promtool(['check', 'metrics'], { input: metrics })
  expect([text, code]).toEqual(['', 0])
}
