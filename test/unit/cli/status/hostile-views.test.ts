import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { LandbridgeError } from '../../../../src/base/errors.ts'
import { formatFindings, type NamedFinding } from '../../../../src/cli/check/check-command.ts'
import { errorJson, formatError } from '../../../../src/cli/error-report.ts'
import { formatSetup } from '../../../../src/cli/init/setup-report.ts'
import { formatComparison } from '../../../../src/cli/lab/lab-load-command.ts'
import { lagViewOf, renderLag } from '../../../../src/cli/lag/lag-view.ts'
import {
  formatAttach,
  formatDetach,
  formatReplica,
} from '../../../../src/cli/replica/replica-report.ts'
import {
  renderStatus,
  renderStatusLine,
  type ShownStatus,
} from '../../../../src/cli/status/status-view.ts'
import { renderWatch } from '../../../../src/cli/status/status-watch-view.ts'
import { Terminal } from '../../../../src/cli/terminal/terminal.ts'
import { formatChange } from '../../../../src/cli/tunnel/tunnel-command.ts'
import { formatTunnel } from '../../../../src/cli/tunnel/tunnel-view.ts'
import type { ReplicaFacts } from '../../../../src/database/replica-facts.ts'
import type { HistoryAnswer } from '../../../../src/gateway/lag-history-operation.ts'
import { describeLabText, type LabDescription } from '../../../../src/lab/lab-description.ts'
import type { SetupReport, SitesPlan } from '../../../../src/provision/sites-plan.ts'
import type { GatewayStatus, Problem } from '../../../../src/status/status.ts'
import {
  drLink,
  drStatus,
  drStream,
  productionStatus,
  replicaStatus,
} from '../../../helpers/status/status-fixture.ts'
import { commandsIn, forgedIn, HOSTILE, hostile } from '../../../helpers/terminal/hostile-text.ts'

// biome-ignore lint/suspicious/noControlCharactersInRegex: the colours of our views
const OUR_PAINT = /\u001b\[(?:0|1|32|33|90|1;31)m/g

// biome-ignore lint/suspicious/noControlCharactersInRegex: how a screen is painted anew
const OUR_MOVES = /\u001b\[[HJK]/g

/** What reaches the terminal. */
function shown(use: (terminal: Terminal) => void, isTTY = false): string {
  const stream = Object.assign(new PassThrough(), { isTTY, rows: 999, columns: 4000 })
  use(new Terminal(stream as unknown as NodeJS.WriteStream))
  return String(stream.read() ?? '')
}

const problem: Problem = {
  code: 'ERR_SOURCE_DUMP',
  severity: 'error',
  where: 'source:main',
  message: HOSTILE,
  remedy: HOSTILE,
  sinceMs: 1,
}
const lastError = { code: 'ERR_LINK_DIAL', message: HOSTILE, remedy: HOSTILE, atMs: 1 }
/** What the code chooses by; all else comes from databases, peers and files. */
const CHOSEN = ['state', 'severity', 'role', 'backend', 'mood', 'question']
const replicas = [
  { ...replicaStatus, applyError: 'x', filters: ['x'], leftOut: 'x' },
  { ...replicaStatus, applyError: null, filters: ['x'], delaySeconds: 60 },
]
const streams = [{ ...drStream, replicas }, drStream]
const troubled = {
  state: 'blocked',
  problems: [problem],
  links: [{ ...drLink, lastError }],
} as const
const statuses = [
  hostile({ ...drStatus, ...troubled, streams }, CHOSEN),
  hostile({ ...productionStatus, ...troubled }, CHOSEN),
]

const connection = {
  name: 'x',
  host: 'x',
  port: 1,
  user: 'x',
  usesGtid: true,
  caPath: null,
  sourceServerId: 1,
  sourceUuid: 'x',
  receiver: 'running',
  applier: 'running',
  receiverError: 'x',
  applierError: 'x',
  lagSeconds: null,
  delaySeconds: 5,
  remainingDelaySeconds: null,
  filters: ['x'],
} as const
const facts: ReplicaFacts = hostile({
  flavor: 'mysql',
  version: 'x',
  serverId: 1,
  serverUuid: 'x',
  gtidMode: 'ON',
  gtids: 'x',
  isReadOnly: true,
  insistsOnCompression: false,
  backslashEscapes: true,
  following: connection,
  others: [connection],
  filters: ['x'],
  newFilters: ['x'],
  settings: {},
} satisfies ReplicaFacts)
const findings = hostile(
  [{ check: 'source', severity: 'error', message: 'x', remedy: 'x' }] satisfies NamedFinding[],
  ['severity', 'check'],
)
const attach = hostile(
  {
    action: 'attach',
    dryRun: false,
    findings,
    changes: [{ option: 'x', before: 'x', after: 'x' }],
    statements: ['x'],
    replica: facts,
    ok: false,
  } as const,
  ['action', 'severity'],
)
const side = { name: 'x', site: 'x', publicKey: 'x' }
const tunnel = {
  schema: 1,
  status: { ...drStatus.tunnel, state: 'up' },
  self: side,
  peers: [side],
  listenPort: 1,
  keepaliveMs: 1,
} as const
const failures = ['x', 'y']
const older = { older: failures, olderReason: 'x' }
const comparison = hostile({
  ok: false,
  copies: [
    {
      label: 'x',
      spool: { ...{ identical: false, files: 1, bytes: 1, sourceBytes: 1, failures }, ...older },
      tables: { equal: false, tables: 1, rows: 1, failures, unproven: 0 },
    },
  ],
})
const setup: SetupReport = hostile({
  files: [{ path: 'x', outcome: 'created' }],
  gateways: [],
  ignored: [{ flag: 'x', line: 'x', path: 'x' }],
} as unknown as SetupReport)

const database = { socket: 'x', binlogDirectory: 'x' }
const gateway = { site: 'x', config: 'x', adminSocket: 'x' }
const lab = hostile({
  ok: false,
  name: 'x',
  problems: ['x'],
  processes: [{ name: 'x', pid: 1, running: true }],
  streams: [
    {
      ...{ name: 'x', origin: 'x', source: database },
      copies: [
        { ...{ site: 'x', state: 'x', replicaState: 'x', replica: database }, spoolFiles: 'x' },
      ],
    },
  ],
  gateways: [gateway],
  status: [{ site: 'x', status: drStatus }],
  examples: { load: 'x' },
}) as unknown as LabDescription

const NO_HISTORY: HistoryAnswer = { schema: 1, stream: 'x', nowMs: 0, stepMs: 1_000, points: [] }

/** A peer's words are no better than our own. */
const withCopies = (status: GatewayStatus): ShownStatus => ({ status, copies: [status] })

const views: readonly (readonly [string, (terminal: Terminal) => void])[] = [
  ...statuses.flatMap((status) => [
    ['status', (to: Terminal) => to.showPainted(withCopies(status), renderStatus)] as const,
    ['status --watch', (to: Terminal) => to.show({}, status, renderStatusLine)] as const,
    [
      'status on a screen',
      (to: Terminal) => to.paintScreen(withCopies(status), renderWatch),
    ] as const,
    ...status.streams.map(
      (stream) =>
        [
          'lag',
          (to: Terminal) =>
            to.showPainted(lagViewOf(status, stream, NO_HISTORY), (view, paint) =>
              renderLag(view, paint, 80),
            ),
        ] as const,
    ),
    ['status --json', (to: Terminal) => to.writeJson(status)] as const,
  ]),
  ['check', (to) => to.show({}, { findings }, (plain) => formatFindings(plain.findings))],
  ['replica status', (to) => to.show({}, facts, formatReplica)],
  ['replica attach', (to) => to.show({}, attach, formatAttach)],
  [
    'replica detach',
    (to) =>
      to.show(
        {},
        hostile({ action: 'detach', dryRun: false, statements: ['x'], kept: 'unknown' } as const, [
          'kept',
          'action',
        ]),
        formatDetach,
      ),
  ],
  ['tunnel show', (to) => to.show({}, hostile(tunnel, CHOSEN), formatTunnel)],
  ['tunnel up', (to) => to.show({}, { ...hostile(tunnel, CHOSEN), problem }, formatChange)],
  ['lab compare', (to) => to.show({}, comparison, formatComparison)],
  ['lab status', (to) => to.show({}, lab, describeLabText)],
  ['init', (to) => to.show({}, setup, (plain) => formatSetup({} as SitesPlan, plain))],
  ['an error', (to) => to.write(formatError(hostileError()))],
  ['a slip', (to) => to.write(formatError(new TypeError(HOSTILE)))],
  ['an error as JSON', (to) => to.writeJson(errorJson(hostileError()))],
  ['a line of progress', (to) => to.write(HOSTILE.replaceAll('FORGED', ''))],
]

function hostileError(): LandbridgeError {
  const cause = new Error(HOSTILE)
  return new LandbridgeError('ERR_X', HOSTILE, { cause, remedy: HOSTILE, details: { a: HOSTILE } })
}

test.each(views)('%s: no text of others commands the terminal or forges a line', (_name, use) => {
  const text = shown(use)
  expect(text).toContain('x')
  expect(commandsIn(text.replaceAll(OUR_MOVES, ''))).toEqual([])
  expect(forgedIn(text)).toEqual([])
})

test('with colours there are ours, and only around what we painted', () => {
  for (const status of statuses) {
    const text = shown((terminal) => terminal.showPainted(withCopies(status), renderStatus), true)
    expect(text).toMatch(OUR_PAINT)
    expect(commandsIn(text.replaceAll(OUR_PAINT, ''))).toEqual([])
    expect(text).not.toContain('\u001b[32mgreen')
  }
})

test('a view that forgets all of it still cannot let more through than colours of ours', () => {
  expect(commandsIn(shown((terminal) => terminal.write(HOSTILE)))).toEqual([])
  const forgetful = (terminal: Terminal) => terminal.showPainted({}, () => HOSTILE)
  expect(commandsIn(shown(forgetful).replaceAll(OUR_PAINT, ''))).toEqual([])
})
