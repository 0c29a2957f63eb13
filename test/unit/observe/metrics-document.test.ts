import { expect, test } from 'vitest'
import { fullExport } from '../../helpers/observe/full-export.ts'
import { type MetricFamily, metricFamilies } from '../../helpers/observe/metric-text.ts'

const INTRODUCTION = `# Metrics

What \`GET /metrics\` of a gateway has: on its admin socket, and on \`metrics.listen\` where the
file of the gateway has it. Durations are seconds, sizes are bytes, times are Unix time. What is
not known has no series: it is never shown as 0. Series of a stream have the label \`stream\`; what
only a copy knows has no series at the origin. A replica is named by \`server_id\` and
\`server_uuid\` (empty on MariaDB), which stay the same when it connects again; where it is says
\`landbridge_stream_replica_info\`.

\`*_state\` has a series for each state, 1 for the one that it is in. \`wireguard_*\` has names
and labels of the exporters that dashboards know. Alert rules and a dashboard are in
\`gateway/prometheus/\`.

\`npx vitest run test/unit/observe/metrics-document.test.ts -u\` writes this page anew.

`

test('METRICS.md has every metric that a gateway can export, and no other', async () => {
  const families = metricFamilies(await fullExport())
  const own = families.filter(({ name }) => /^(landbridge|wireguard)_/.test(name))
  const process = families.filter((family) => !own.includes(family))
  const text =
    `${INTRODUCTION}${table(own)}\n## Of the process\n\n` +
    `As every program that uses prom-client has them.\n\n${table(process.map(unlabelled))}`
  await expect(text).toMatchFileSnapshot('../../../src/observe/METRICS.md')
})

/** Labels that some of them have only once something has happened. */
function unlabelled(family: MetricFamily): MetricFamily {
  return { ...family, labels: [] }
}

function table(families: readonly MetricFamily[]): string {
  const rows = families.map(({ name, type, labels, help }) => {
    return `| ${name} | ${type} | ${labels.join(', ')} | ${help.replace(/\.$/, '')} |\n`
  })
  return `| metric | type | labels | what |\n|---|---|---|---|\n${rows.join('')}`
}
