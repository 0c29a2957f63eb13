import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { type PromtoolRun, promtool } from './promtool.ts'

/** Values of a series a minute apart, in promtool's notation, by the series without its job. */
export type Series = Readonly<Record<string, string>>

export interface RuleCase {
  readonly name: string
  readonly series: Series
  /** Which alerts fire at that minute. */
  readonly atMinute: number
  readonly fires: readonly string[]
}

const TARGET = { job: 'landbridge', instance: 'azure:9400' }

/** Every series of an export as it is, for ever: a gateway that is well. */
export function constantSeries(exported: string): Record<string, string> {
  const lines = exported.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  const series = lines.map((line) => {
    const at = line.lastIndexOf(' ')
    return [line.slice(0, at), `${line.slice(at + 1)}x90`] as const
  })
  return { ...Object.fromEntries(series), up: '1x90' }
}

/** Runs `promtool test rules` on the file `rules`, all cases at once. */
export async function testRules(
  rules: string,
  cases: readonly RuleCase[],
  folder: string,
): Promise<PromtoolRun> {
  const path = join(folder, 'cases.yml')
  const document = { rule_files: [rules], evaluation_interval: '1m', tests: cases.map(testOf) }
  await writeFile(path, stringify(document, { lineWidth: 0 }))
  try {
    return await promtool(['test', 'rules', path])
  } finally {
    await rm(path)
  }
}

function testOf({ name, series, atMinute, fires }: RuleCase): object {
  const samples = [...fires].sort().map((alertname) => ({
    labels: `{alertname="${alertname}"}`,
    value: 1,
  }))
  return {
    name,
    interval: '1m',
    input_series: Object.entries(series).map(([one, values]) => ({
      series: withTarget(one),
      values,
    })),
    promql_expr_test: [
      {
        expr: 'count by (alertname) (count by (alertname) (ALERTS{alertstate="firing"}))',
        eval_time: `${atMinute}m`,
        exp_samples: samples,
      },
    ],
  }
}

function withTarget(series: string): string {
  const target = Object.entries(TARGET)
    .map(([name, value]) => `${name}="${value}"`)
    .join(',')
  if (!series.includes('{')) return `${series}{${target}}`
  return series.replace(/\}$/, `,${target}}`)
}
