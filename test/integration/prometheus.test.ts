import { describe, expect, test } from 'vitest'
import { needs } from '../helpers/needs.ts'
import { fullExport } from '../helpers/observe/full-export.ts'
import { promtool } from '../helpers/observe/promtool.ts'

describe('what Prometheus itself says', needs('promtool'), () => {
  test('of all that a gateway can export: nothing', async () => {
    const { code, text } = await promtool(['check', 'metrics'], { input: await fullExport() })
    expect([text, code]).toEqual(['', 0])
  })
})
