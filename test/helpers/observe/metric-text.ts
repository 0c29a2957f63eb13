export interface MetricFamily {
  readonly name: string
  readonly type: string
  readonly help: string
  /** Names of labels, without the `le` of buckets, in the order of the first series. */
  readonly labels: readonly string[]
  readonly series: number
}

/** What a text in Prometheus' format exports, a family for each HELP, by name. */
export function metricFamilies(text: string): MetricFamily[] {
  const families = new Map<string, MetricFamily>()
  const types = new Map([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, n, t]) => [n, t]))
  for (const [, name = '', help = ''] of text.matchAll(/^# HELP (\S+) (.+)$/gm)) {
    const type = types.get(name) ?? 'untyped'
    const suffix = type === 'histogram' || type === 'summary' ? '(?:_bucket|_sum|_count)?' : ''
    const lines = [...text.matchAll(new RegExp(`^${name}${suffix}(?:\\{(.*)\\})? \\S+$`, 'gm'))]
    const found = lines.flatMap(([, list = '']) => labelNames(list))
    const labels = [...new Set(found)].filter((label) => label !== 'le')
    families.set(name, { name, type, help, labels, series: lines.length })
  }
  return [...families.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
}

function labelNames(list: string): string[] {
  return [...list.matchAll(/(\w+)="(?:[^"\\]|\\.)*"/g)].map(([, name = '']) => name)
}
