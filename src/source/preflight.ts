import { LandbridgeError } from '../base/errors.ts'
import type { Flavor } from '../base/flavor.ts'
import { NET_WRITE_TIMEOUT_SECONDS } from './dump-request.ts'
import type { PreflightFacts } from './preflight-facts.ts'
import { grantFindings } from './preflight-grants.ts'
import { shorten } from './start-plan.ts'

/** One thing that was looked at before a stream begins. */
export interface PreflightFinding {
  /** Of ERRORS.md, also where all is well: it says what was looked at. */
  readonly code: `ERR_${string}`
  /** `error`: the stream cannot be, or could not be trusted. `ok` also tells what is merely so. */
  readonly severity: 'error' | 'warning' | 'ok'
  readonly message: string
  /** The SQL statement or the line of a configuration that mends it; null where nothing need be. */
  readonly fix: string | null
}

const DAY_SECONDS = 86_400
/** A long weekend: an outage that nobody sees to for so long should still be survived. */
const RETENTION_SECONDS_MIN = 3 * DAY_SECONDS
const RETENTION_SECONDS_ADVISED = 7 * DAY_SECONDS
const CLOCK_MS_MAX = 1_000

/** Judges a source by its facts. Pure. */
export function preflight(facts: PreflightFacts): PreflightFinding[] {
  return [
    ...binlogFindings(facts),
    ...serverIdFindings(facts),
    ...gtidFindings(facts),
    ...grantFindings(facts),
    ...formatFindings(facts),
    ...checksumFindings(facts),
    ...retentionFindings(facts),
    ...durabilityFindings(facts),
    ...encryptionFindings(facts),
    ...filterFindings(facts),
    ...rowFindings(facts),
    ...timeoutFindings(facts),
    ...clockFindings(facts),
  ]
}

/** Throws the errors among the findings as one: with the first one's code and every fix. */
export function refuseErrors(findings: readonly PreflightFinding[]): void {
  const errors = findings.filter(({ severity }) => severity === 'error')
  const [first] = errors
  if (first === undefined) return
  const fixes = errors.flatMap(({ fix }) => fix ?? [])
  throw new LandbridgeError(first.code, errors.map(({ message }) => message).join('; '), {
    remedy: fixes.map((fix) => fix.replace(/;$/, '')).join('; '),
    details: { findings: errors },
  })
}

type Findings = Generator<PreflightFinding>

function* binlogFindings({ source }: PreflightFacts): Findings {
  const code = 'ERR_SOURCE_NO_BINLOG'
  if (source.logBin) yield ok(code, 'the source writes a binary log')
  else {
    const fix = 'log_bin = binlog in the server’s configuration, then restart it'
    yield { code, severity: 'error', message: 'the source writes no binary log', fix }
  }
}

function* serverIdFindings({ source, self, replicas }: PreflightFacts): Findings {
  const code = 'ERR_SOURCE_SERVER_ID'
  const { serverId, flavor } = source
  if (serverId === 0) {
    const message = 'the source has server_id 0 and refuses every replica'
    const fix = `${set(flavor, 'server_id = 1')} (or any number that no other server has)`
    yield { code, severity: 'error', message, fix }
    return
  }
  const fix = 'database: { serverId: N } of this stream, with a number that no other server has'
  if (self.serverId === serverId) {
    const message = `the source itself has our server_id ${serverId}`
    yield { code, severity: 'error', message, fix }
    return
  }
  // Our own earlier connection may still be listed; it is superseded by the new one.
  const other = replicas?.find(
    ({ serverId: id, uuid, host }) =>
      id === self.serverId &&
      (uuid === null ? host !== self.reportHost : uuid !== self.replicaUuid),
  )
  if (other !== undefined) {
    const who = other.host === '' ? 'another replica' : `the replica ${other.host}`
    const message = `${who} of the source has our server_id ${self.serverId}`
    // MariaDB ends the older of two dumps with one server_id, so each would end the other.
    yield { code, severity: flavor === 'mariadb' ? 'error' : 'warning', message, fix }
    return
  }
  const compared = replicas === null ? '; its other replicas may not be listed' : ''
  yield ok(code, `the source has server_id ${serverId}, unlike ours${compared}`)
}

const GTID_MODES: readonly string[] = ['OFF', 'OFF_PERMISSIVE', 'ON_PERMISSIVE', 'ON']

function* gtidFindings({ source, variables }: PreflightFacts): Findings {
  const code = 'ERR_SOURCE_NO_GTID'
  if (source.flavor === 'mariadb') {
    yield ok(code, `MariaDB always writes GTIDs; gtid_domain_id is ${source.gtidDomainId}`)
    return
  }
  const { gtidMode } = source
  const consistency = variables.get('enforce_gtid_consistency') ?? 'OFF'
  if (gtidMode === 'ON' && consistency === 'ON') {
    yield ok(code, 'gtid_mode and enforce_gtid_consistency are ON')
    return
  }
  const at = GTID_MODES.indexOf(gtidMode)
  const steps = [
    ...(consistency === 'ON' ? [] : ['enforce_gtid_consistency = ON']),
    // The server goes only one step at a time.
    ...GTID_MODES.slice(at + 1).map((mode) => `gtid_mode = ${mode}`),
  ]
  const fix = steps.map((step) => `SET PERSIST ${step};`).join(' ')
  const runs = `the source runs gtid_mode=${gtidMode}`
  if (gtidMode === 'ON_PERMISSIVE' && consistency === 'ON') {
    // Its own transactions have GTIDs. It is also the way to read older ones that have none.
    const message = `${runs}: it takes transactions without a GTID, which no replica gets past`
    yield { code, severity: 'warning', message, fix }
    return
  }
  const message = `${runs}, enforce_gtid_consistency=${consistency}`
  yield { code, severity: 'error', message, fix }
}

function* formatFindings({ source }: PreflightFacts): Findings {
  const code = 'ERR_SOURCE_FORMAT'
  const { binlogFormat, flavor } = source
  if (binlogFormat === 'ROW') yield ok(code, 'binlog_format is ROW')
  else {
    const message =
      `binlog_format is ${binlogFormat}: statements may have another effect at the replica` +
      ' than at the source'
    yield { code, severity: 'warning', message, fix: set(flavor, "binlog_format = 'ROW'") }
  }
}

function* checksumFindings({ source }: PreflightFacts): Findings {
  const code = 'ERR_SOURCE_CHECKSUM'
  if (source.checksum) yield ok(code, 'events carry a CRC32')
  else {
    const message =
      'binlog_checksum is NONE: bytes that change between the source’s disk and here go unseen'
    const fix = set(source.flavor, "binlog_checksum = 'CRC32'")
    yield { code, severity: 'warning', message, fix }
  }
}

function* retentionFindings({ source, variables }: PreflightFacts): Findings {
  const code = 'ERR_SOURCE_RETENTION'
  const { retentionSeconds, flavor } = source
  const bytesMax = Number(
    variables.get('max_binlog_total_size') ?? variables.get('binlog_space_limit') ?? 0,
  )
  if (bytesMax > 0) {
    const message =
      `the source removes binary logs beyond ${bytesMax} bytes in all: how long an outage may` +
      ' last depends on how much is written'
    const name = variables.has('max_binlog_total_size')
      ? 'max_binlog_total_size'
      : 'binlog_space_limit'
    yield { code, severity: 'warning', message, fix: set(flavor, `${name} = 0`) }
  }
  if (retentionSeconds === null) {
    yield ok(code, 'the source never removes binary logs by age')
  } else if (retentionSeconds >= RETENTION_SECONDS_MIN) {
    yield ok(code, `the source keeps binary logs for ${span(retentionSeconds)}`)
  } else {
    const hasSeconds = variables.has('binlog_expire_logs_seconds')
    const setting = hasSeconds
      ? `binlog_expire_logs_seconds = ${RETENTION_SECONDS_ADVISED}`
      : `expire_logs_days = ${RETENTION_SECONDS_ADVISED / DAY_SECONDS}`
    yield {
      code,
      severity: 'warning',
      message:
        `the source keeps binary logs for ${span(retentionSeconds)} only: an outage of the link` +
        ' that lasts longer loses the stream, and the replica must be made anew',
      fix: set(flavor, setting),
    }
  }
}

function* durabilityFindings({ source, variables }: PreflightFacts): Findings {
  const code = 'ERR_SOURCE_DURABILITY'
  const wanted = ['sync_binlog', 'innodb_flush_log_at_trx_commit'] as const
  const lax = wanted.filter((name) => (variables.get(name) ?? '1') !== '1')
  if (lax.length === 0) {
    yield ok(code, 'a commit is on the source’s disk before it is answered')
    return
  }
  const shown = lax.map((name) => `${name} is ${variables.get(name)}`).join(' and ')
  yield {
    code,
    severity: 'warning',
    message: `${shown}: after a crash the source may lack what a copy has, and diverge`,
    fix: set(source.flavor, ...lax.map((name) => `${name} = 1`)),
  }
}

function* encryptionFindings({ variables }: PreflightFacts): Findings {
  const code = 'ERR_SOURCE_ENCRYPTED'
  const isOn = (name: string) => ['ON', '1'].includes(variables.get(name) ?? '')
  if (!isOn('binlog_encryption') && !isOn('encrypt_binlog')) {
    yield ok(code, 'the source’s binary log files are not encrypted')
    return
  }
  yield {
    code,
    severity: 'warning',
    message: 'the source’s binary log files are encrypted, the spool keeps what they hold in clear',
    fix: 'spool: { directory: ... } of the gateway of the copy, on an encrypted file system',
  }
}

function* filterFindings({ filter }: PreflightFacts): Findings {
  const code = 'ERR_SOURCE_FILTERED'
  if (filter === null) return
  const message = `the source leaves databases out of its binary log (${shorten(filter)})`
  const fix = 'remove binlog_do_db and binlog_ignore_db from the server’s configuration'
  yield { code, severity: 'warning', message, fix }
}

/** What replicas handle, but readers of decoded events and the link notice. */
function* rowFindings({ source, variables }: PreflightFacts): Findings {
  const code = 'ERR_SOURCE_ROWS'
  const metadata = variables.get('binlog_row_metadata') ?? 'not known here'
  const notes = [`row image ${source.rowImage}, row metadata ${metadata}`]
  const options = variables.get('binlog_row_value_options') ?? ''
  if (options !== '') notes.push(`JSON updates are written as differences (${options})`)
  const compressed = ['log_bin_compress', 'binlog_transaction_compression'].filter((name) =>
    ['ON', '1'].includes(variables.get(name) ?? ''),
  )
  if (compressed.length > 0) {
    notes.push(`${compressed.join(' and ')} is ON, so the link finds little to compress`)
  }
  yield ok(code, notes.join('; '))
}

function* timeoutFindings(facts: PreflightFacts): Findings {
  const code = 'ERR_SOURCE_NET_TIMEOUT'
  const { sessionNetWriteTimeoutSeconds: raised, source } = facts
  const own = source.netWriteTimeoutSeconds
  if (raised >= NET_WRITE_TIMEOUT_SECONDS) {
    yield ok(code, `our dump may be slow for ${raised} s (net_write_timeout; ${own} s for others)`)
    return
  }
  yield {
    code,
    severity: 'warning',
    message: `the source gives a slow dump up after ${raised} s whatever we ask for`,
    fix: set(source.flavor, `net_write_timeout = ${NET_WRITE_TIMEOUT_SECONDS}`),
  }
}

function* clockFindings({ clockAheadMs, clockErrorMs }: PreflightFacts): Findings {
  const code = 'ERR_SOURCE_CLOCK'
  const differenceMs = Math.abs(clockAheadMs)
  const seconds = `${(differenceMs / 1000).toFixed(1)} s`
  if (differenceMs - clockErrorMs <= CLOCK_MS_MAX) {
    yield ok(code, `the clocks of source and gateway agree within ${seconds}`)
    return
  }
  const direction = clockAheadMs > 0 ? 'ahead of' : 'behind'
  yield {
    code,
    severity: 'warning',
    message: `the source’s clock is ${seconds} ${direction} this gateway’s: lag is wrong by that`,
    fix: 'a time service (chrony, systemd-timesyncd) on both machines',
  }
}

function ok(code: PreflightFinding['code'], message: string): PreflightFinding {
  return { code, severity: 'ok', message, fix: null }
}

/** A statement that lasts over a restart; MariaDB keeps no variable by itself. */
function set(flavor: Flavor, ...assignments: string[]): string {
  const scope = flavor === 'mysql' ? 'PERSIST' : 'GLOBAL'
  const statement = `SET ${assignments.map((text) => `${scope} ${text}`).join(', ')}`
  return flavor === 'mysql' ? statement : `${statement}; -- and in the server’s configuration file`
}

function span(seconds: number): string {
  if (seconds >= 2 * DAY_SECONDS) return `${round(seconds / DAY_SECONDS)} days`
  return seconds >= 7200 ? `${round(seconds / 3600)} hours` : `${round(seconds / 60)} minutes`
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}
