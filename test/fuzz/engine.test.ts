import { describe, expect, test } from 'vitest'
import { type CampaignOptions, type CampaignResult, runCampaign } from './engine/campaign.ts'
import { instrument } from './engine/instrument.ts'
import { substitutions } from './engine/substitution.ts'

const PLANTED = new URL('./planted/', import.meta.url)

function fuzz(name: string, options: Partial<CampaignOptions> = {}): Promise<CampaignResult> {
  return runCampaign({
    module: new URL(`${name}.ts`, PLANTED),
    instrumented: [PLANTED],
    seed: 5,
    limits: { executions: 20_000, seconds: Number.POSITIVE_INFINITY },
    ...options,
  })
}

describe('a defect behind five comparisons', () => {
  test('is found by following what the runs reach, and shrunk to what it takes', async () => {
    const { findings, figures } = await fuzz('nested')
    expect(findings.map(({ key }) => key)).toEqual([
      expect.stringContaining('TypeError at test/fuzz/planted/nested.ts:9'),
    ])
    expect(findings[0]?.input.subarray(3).toString('hex')).toBe('6cb117f03d')
    expect(figures.executions).toBe(20_000)
    expect(figures.covered).toBeGreaterThan(5)
  })

  test('is not found by as many blind changes of the same input', async () => {
    const { findings, figures } = await fuzz('nested', { isGuided: false })
    expect(findings).toEqual([])
    expect(figures.executions).toBe(20_000)
  })
})

test('the same seed makes the same run', async () => {
  const limits = { executions: 3_000, seconds: Number.POSITIVE_INFINITY }
  const [first, second] = [await fuzz('nested', { limits }), await fuzz('nested', { limits })]
  expect(second.corpus).toEqual(first.corpus)
})

test('a run that never ends is ended and reported with its input', async () => {
  const { findings } = await fuzz('hang', { hangMs: 5_000 })
  expect(findings).toHaveLength(1)
  expect(findings[0]?.message).toContain('one execution runs for more than 5000 ms')
  expect(findings[0]?.input[0]).toBe(0xee)
})

test('what is kept of every input is noticed', async () => {
  const limits = { executions: 90_000, seconds: Number.POSITIVE_INFINITY }
  const { findings } = await fuzz('leak', { limits })
  expect(findings[0]?.message).toMatch(/memory grew by \d+ bytes/)
})

test('a length that is believed is noticed by the buffer that it asks for', async () => {
  const limits = { executions: 300, seconds: Number.POSITIVE_INFINITY }
  const { findings } = await fuzz('believing', { limits })
  expect(findings[0]?.message).toMatch(/asked for a buffer of \d+ bytes/)
})

test('an input of an earlier finding is tried before anything else', async () => {
  const inputs = [Buffer.from('0000006cb117f03d', 'hex')]
  const limits = { executions: 0, seconds: Number.POSITIVE_INFINITY }
  const { findings, figures } = await fuzz('nested', { inputs, limits })
  expect(findings).toHaveLength(1)
  expect(figures.executions).toBe(2)
})

describe('instrumenting', () => {
  test('keeps lines where they are, and counts the branch that is not written down', () => {
    const { code, counters, literals } = instrument(
      "if (a === 'b') x()\nconst f = (n) => n > 7\n",
      3,
    )
    expect(code.split('\n')).toHaveLength(3)
    expect(code).toContain("if ($k0(a , 'b')) {$c[3]++;x()}else{$c[4]++;}\n")
    expect(code).toContain('(n) => ($c[5]++,$k1(n , 7))\n')
    expect(counters).toBe(3)
    expect(literals).toEqual(['b', 7])
  })
})

test('a side of a comparison is put where the other one stands, in every form', () => {
  const input = Buffer.from('00123456ff', 'hex')
  const found = substitutions(input, [[0x3412, 0x0102]]).map((bytes) => bytes.toString('hex'))
  expect(found).toEqual(['00020156ff'])
  const text = substitutions(Buffer.from('type=12'), [[12, 345]]).map(String)
  expect(text).toEqual(['type=345'])
})
