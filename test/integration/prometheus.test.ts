import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { needs } from '../helpers/needs.ts'
import { fullExport } from '../helpers/observe/full-export.ts'
import { metricFamilies } from '../helpers/observe/metric-text.ts'
import { promtool } from '../helpers/observe/promtool.ts'
import { constantSeries, type RuleCase, testRules } from '../helpers/observe/rule-test.ts'

const RULES = resolve('gateway/prometheus/landbridge.rules.yml')
const DASHBOARD = resolve('gateway/prometheus/landbridge.dashboard.json')

interface Rule {
  readonly alert: string
  readonly expr: string
  readonly labels: { readonly severity: string }
  readonly annotations: Readonly<Record<string, string>>
}

async function rules(): Promise<readonly Rule[]> {
  const text = await readFile(RULES, 'utf8')
  const { groups } = parse(text) as { groups: readonly { rules: readonly Rule[] }[] }
  return groups.flatMap((group) => group.rules)
}

const REPLICA = 'stream="main",server_id="2",server_uuid="7f3c0a52-93b1-11ef-8a0f-0242ac120002"'
const CLAIM = 'stream="main",claim="replica:7f3c0a52-93b1-11ef-8a0f-0242ac120002",kind="replica"'
const LINK = 'peer="ec2",role="receiver"'
const ON = '1x90'
const OFF = '0x90'
const CANNOT = 'landbridge_stream_failover_state{stream="main",state='
const OBJECTIVE = 'landbridge_stream_objective_breached{stream="main",objective='
const DISK = 'landbridge_stream_spool_disk_free_bytes{stream="main"}'
const IN_A_WEEK = { name: 'landbridge_certificate_expiry_timestamp_seconds{certificate="own"}' }

interface Dashboard {
  readonly panels: readonly { readonly targets?: readonly { readonly expr: string }[] }[]
}

async function dashboardQueries(): Promise<string[]> {
  const { panels } = JSON.parse(await readFile(DASHBOARD, 'utf8')) as Dashboard
  return panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))
}

/** What of the export is otherwise, and which alerts are to fire then, and no others. */
const CASES: readonly (readonly [string, Record<string, string | null>, readonly string[]])[] = [
  ['a gateway that is well', {}, []],
  ['no answer', { up: OFF }, ['LandbridgeGatewayDown']],
  ['no target', { up: null }, ['LandbridgeGatewayAbsent']],
  ['blocked', { 'landbridge_state{state="blocked"}': ON }, ['LandbridgeBlocked']],
  ['degraded', { 'landbridge_state{state="degraded"}': ON }, ['LandbridgeDegraded']],
  ['restarts', { landbridge_start_time_seconds: '0+60x90' }, ['LandbridgeRestarting']],
  ['a changed journal', { landbridge_journal_damaged: ON }, ['LandbridgeJournalDamaged']],
  [
    'a full disk of the journal',
    { landbridge_journal_unwritten_lines: '3x90' },
    ['LandbridgeJournalUnwritten'],
  ],
  [
    'a webhook that fails',
    { landbridge_webhook_waiting_alerts: '2x90' },
    ['LandbridgeWebhookFailing'],
  ],
  [
    'a certificate of a week',
    { [IN_A_WEEK.name]: `${7 * 86_400}x90` },
    ['LandbridgeCertificateExpiresSoon'],
  ],
  [
    'a certificate of a day',
    { [IN_A_WEEK.name]: `${2 * 86_400}x90` },
    ['LandbridgeCertificateExpiresSoon', 'LandbridgeCertificateExpires'],
  ],
  [
    'a dead tunnel',
    { 'landbridge_tunnel_up{peer="ec2",backend="userspace"}': OFF },
    ['LandbridgeTunnelStale'],
  ],
  ['a link that is down', { [`landbridge_link_up{${LINK}}`]: OFF }, ['LandbridgeLinkDown']],
  [
    'a clock that is off',
    { [`landbridge_link_clock_offset_seconds{${LINK}}`]: '-30x90' },
    ['LandbridgeClocksDiffer'],
  ],
  [
    'a breach of the exposure',
    { [`${OBJECTIVE}"exposure"}`]: ON },
    ['LandbridgeObjectiveBreached'],
  ],
  ['a breach of the apply lag', { [`${OBJECTIVE}"apply"}`]: ON }, ['LandbridgeObjectiveBreached']],
  // As during a cut: the known lag stays at 0, the age of the proof grows.
  [
    'exposure without an objective',
    {
      'landbridge_stream_objective_seconds{stream="main"}': null,
      'landbridge_stream_exposure_at_most_seconds{stream="main"}': '0+60x90',
    },
    ['LandbridgeExposure'],
  ],
  [
    'unknown exposure',
    { 'landbridge_stream_exposure_at_most_seconds{stream="main"}': null },
    ['LandbridgeExposureUnknown'],
  ],
  [
    'a reset of the source',
    { 'landbridge_stream_spool_resets{stream="main"}': '0x60 1x90' },
    ['LandbridgeSourceReset'],
  ],
  [
    'a pause',
    { 'landbridge_stream_throttle_paused{stream="back"}': ON },
    ['LandbridgeThrottlePaused'],
  ],
  [
    'a throttle',
    { 'landbridge_stream_throttle_waiting_bytes{stream="back"}': '9x90' },
    ['LandbridgeThrottledLong'],
  ],
  ['a disk that is low', { [DISK]: '15e9x90' }, ['LandbridgeSpoolDiskLow']],
  [
    'a disk that is full',
    { [DISK]: '2e9x90' },
    ['LandbridgeSpoolDiskLow', 'LandbridgeSpoolDiskFull'],
  ],
  ['a disk that fills up', { [DISK]: '60000000000-100000000x90' }, ['LandbridgeSpoolDiskFillsUp']],
  [
    'a slow disk',
    { 'landbridge_stream_spool_sync_max_seconds{stream="main"}': '4x90' },
    ['LandbridgeSyncSlow'],
  ],
  [
    'a consumer that is stuck',
    {
      [`landbridge_stream_claim_age_seconds{${CLAIM}}`]: '400000x90',
      [`landbridge_stream_claim_bytes{${CLAIM}}`]: '3e9x90',
    },
    ['LandbridgeConsumerStuck'],
  ],
  [
    'no replica that can take over',
    {
      [`${CANNOT}"ready"}`]: OFF,
      // The reason changes meanwhile.
      [`${CANNOT}"failed"}`]: '1x57 0x90',
      [`${CANNOT}"unknown"}`]: '0x57 1x90',
    },
    ['LandbridgeCannotFailOver'],
  ],
  [
    'a replica that fails',
    { [`landbridge_stream_replica_failed{${REPLICA}}`]: ON },
    ['LandbridgeReplicaNotApplying'],
  ],
  [
    'a replica that is away',
    { [`landbridge_stream_replica_connected{${REPLICA}}`]: OFF },
    ['LandbridgeReplicaDisconnected'],
  ],
  [
    'a replica that lacks data',
    { [`landbridge_stream_replica_incomplete{${REPLICA}}`]: ON },
    ['LandbridgeReplicaIncomplete'],
  ],
  [
    'apply lag',
    { [`landbridge_stream_apply_lag_seconds{${REPLICA}}`]: '400x90' },
    ['LandbridgeApplyLag'],
  ],
  [
    'apply lag of a replica that cannot be asked for its delay',
    {
      [`landbridge_stream_apply_lag_seconds{${REPLICA}}`]: '400x90',
      [`landbridge_stream_replica_late_seconds{${REPLICA}}`]: null,
    },
    ['LandbridgeApplyLag'],
  ],
  [
    'apply lag on purpose',
    {
      [`landbridge_stream_apply_lag_seconds{${REPLICA}}`]: '3650x90',
      [`landbridge_stream_replica_late_seconds{${REPLICA}}`]: '3600x90',
    },
    [],
  ],
]

describe('what Prometheus itself says', needs('promtool'), () => {
  let folder = ''
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'landbridge-rules-'))
  })
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true })
  })

  test('of all that a gateway can export: nothing', async () => {
    const { code, text } = await promtool(['check', 'metrics'], { input: await fullExport() })
    expect([text, code]).toEqual(['', 0])
  })

  test('of the alert rules: nothing', async () => {
    const { code, text } = await promtool(['check', 'rules', '--lint=all', RULES])
    expect(text).toContain('SUCCESS')
    expect(code).toBe(0)
  })

  test('each rule fires on what it is for, and none does on a gateway that is well', async () => {
    const well = constantSeries(await fullExport())
    const cases = CASES.map(([name, change, fires]): RuleCase => {
      for (const series of Object.keys(change)) expect(Object.keys(well)).toContain(series)
      const changed = Object.entries({ ...well, ...change })
      const series = Object.fromEntries(changed.filter(([, values]) => values !== null))
      return { name, series: series as Record<string, string>, atMinute: 75, fires }
    })
    const { code, text } = await testRules(RULES, cases, folder)
    expect(text).toContain('SUCCESS')
    expect(code).toBe(0)
    const fired = new Set(CASES.flatMap(([, , fires]) => fires))
    const all = (await rules()).map(({ alert }) => alert)
    expect([...fired].sort()).toEqual([...all].sort())
  })

  test('of the queries of the dashboard: nothing', async () => {
    const path = join(folder, 'dashboard.yml')
    const recorded = (await dashboardQueries()).map((query, index) => {
      const expr = query.replaceAll('$__rate_interval', '5m')
      return { record: `dashboard_${index}`, expr }
    })
    expect(recorded.length).toBeGreaterThan(20)
    await writeFile(path, stringify({ groups: [{ name: 'dashboard', rules: recorded }] }))
    const { code, text } = await promtool(['check', 'rules', path])
    expect(text).toContain('SUCCESS')
    expect(code).toBe(0)
  })

  test('a rule that does not fire is noticed', async () => {
    const well = constantSeries(await fullExport())
    const never = { name: 'well', series: well, atMinute: 75, fires: ['LandbridgeBlocked'] }
    const { code, text } = await testRules(RULES, [never], folder)
    expect(text).toContain('FAILED')
    expect(code).toBe(1)
  })
})

test('every metric that rules and dashboard use exists', async () => {
  const families = metricFamilies(await fullExport())
  const names = families.flatMap(({ name, type }) =>
    type === 'histogram' ? [name, `${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
  )
  const dashboard = await readFile(DASHBOARD, 'utf8')
  for (const text of [...(await rules()).map(({ expr }) => expr), dashboard]) {
    for (const [name] of text.matchAll(/\b(?:landbridge|wireguard|nodejs|process)_[a-z0-9_]+/g)) {
      expect(names).toContain(name)
    }
  }
})

test('every rule says what to do, and where more of it stands', async () => {
  for (const { alert, labels, annotations } of await rules()) {
    expect(alert).toMatch(/^Landbridge/)
    expect(labels.severity).toMatch(/^(critical|warning)$/)
    expect(annotations.summary?.length).toBeGreaterThan(20)
    expect(annotations.description?.length).toBeGreaterThan(40)
    const [path = '', heading] = (annotations.runbook ?? '').split(/, "|"/)
    const page = await readFile(path, 'utf8')
    if (heading !== undefined) expect(page).toMatch(new RegExp(`^#+ .*${heading}`, 'm'))
  }
})
