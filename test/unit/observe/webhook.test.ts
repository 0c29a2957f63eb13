import { expect, test } from 'vitest'
import { silentLog } from '../../../src/base/log.ts'
import { Secret } from '../../../src/base/secret.ts'
import { MetricSheet } from '../../../src/observe/metric-sheet.ts'
import { Webhook } from '../../../src/observe/webhook.ts'
import type { GatewayStatus, Problem } from '../../../src/status/status.ts'
import { MemoryDisk } from '../../helpers/disk/memory-disk.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { AlertReceiver } from '../../helpers/observe/alert-receiver.ts'
import { drStatus } from '../../helpers/status/status-fixture.ts'

const full: Problem = {
  code: 'ERR_DISK_FULL',
  severity: 'error',
  where: 'spool:main',
  message: 'no room in /var/lib/landbridge/spool',
  remedy: 'Enlarge the disk.',
  sinceMs: drStatus.nowMs,
}

class Fixture implements AsyncDisposable {
  problems: Problem[] = []
  readonly receiver: AlertReceiver
  readonly clock = new FakeClock(drStatus.nowMs)
  readonly webhook: Webhook
  readonly #stopping = new AbortController()
  readonly #running: Promise<void>

  constructor(receiver: AlertReceiver, disk: MemoryDisk) {
    this.receiver = receiver
    const { origin } = receiver
    const url = new Secret(`${origin}/hook?key=t0ken`)
    const shown = { url, origin, authorization: null, caPem: null }
    this.webhook = new Webhook({
      config: { ...shown, holdOffMs: 30_000, repeatMs: 3_600_000 },
      path: '/data/alerts.json',
      status: (): GatewayStatus => ({ ...drStatus, problems: this.problems }),
      clock: this.clock,
      log: silentLog,
      disk,
    })
    this.#running = this.webhook.run(this.#stopping.signal)
  }

  /** Time passes, with a real exchange at each look. */
  async pass(ms: number): Promise<void> {
    for (let at = 0; at < ms; at += 5_000) {
      await this.clock.advance(5_000)
      // Sleeps again once it has looked, posted and saved.
      await expect.poll(() => this.clock.sleeping, { interval: 2 }).toBe(1)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }
}

async function diskWithFolder(): Promise<MemoryDisk> {
  const disk = new MemoryDisk()
  await disk.mkdir('/data', 0o700)
  await disk.syncDirectory('/')
  return disk
}

test('posts what Alertmanager would, when a problem begins and when it is over', async () => {
  await using receiver = await AlertReceiver.start()
  await using fixture = new Fixture(receiver, await diskWithFolder())
  fixture.problems = [full]
  await fixture.pass(30_000)
  expect(receiver.posts).toEqual([])
  await fixture.pass(30_000)
  const [{ body } = { body: null }] = receiver.posts
  expect(body).toMatchObject({
    version: '4',
    groupKey: '{}:{gateway="azure"}',
    truncatedAlerts: 0,
    status: 'firing',
    receiver: 'landbridge',
    groupLabels: { gateway: 'azure' },
    commonLabels: { gateway: 'azure', site: 'azure', code: 'ERR_DISK_FULL' },
    alerts: [
      {
        status: 'firing',
        labels: {
          alertname: 'LandbridgeDiskFull',
          code: 'ERR_DISK_FULL',
          gateway: 'azure',
          severity: 'critical',
          site: 'azure',
          stream: 'main',
          where: 'spool:main',
        },
        annotations: {
          summary: 'azure: spool:main: no room in /var/lib/landbridge/spool',
          remedy: 'Enlarge the disk.',
        },
        startsAt: new Date(drStatus.nowMs).toISOString(),
        endsAt: '0001-01-01T00:00:00Z',
        fingerprint: expect.stringMatching(/^[0-9a-f]{16}$/),
      },
    ],
  })
  fixture.problems = []
  await fixture.pass(60_000)
  expect(receiver.told()).toEqual(['firing ERR_DISK_FULL', 'resolved ERR_DISK_FULL'])
  const fingerprints = receiver.posts.map((post) => post.body.alerts[0]?.fingerprint)
  expect(new Set(fingerprints).size).toBe(1)
  expect(receiver.posts[1]?.body.status).toBe('resolved')
})

test('a receiver that fails is tried again, is a problem itself, and holds up nobody', async () => {
  await using receiver = await AlertReceiver.start()
  await using fixture = new Fixture(receiver, await diskWithFolder())
  receiver.answer = { status: 503 }
  fixture.problems = [full]
  await fixture.pass(600_000)
  const tries = receiver.posts.length
  expect(tries).toBeGreaterThan(3)
  expect(tries).toBeLessThan(15)
  const [problem] = fixture.webhook.problems()
  expect(problem).toMatchObject({ code: 'ERR_WEBHOOK', severity: 'warning', where: 'webhook' })
  expect(JSON.stringify(problem)).not.toContain('t0ken')
  const sheet = MetricSheet.empty()
  fixture.webhook.metrics(sheet)
  expect(await sheet.text()).toContain('landbridge_webhook_waiting_alerts 1')
  // It is no alert itself: who should be told of it?
  fixture.problems = [full, ...fixture.webhook.problems()]
  receiver.answer = { status: 200 }
  await fixture.pass(600_000)
  expect(receiver.told().slice(tries)).toEqual(['firing ERR_DISK_FULL'])
  expect(fixture.webhook.problems()).toEqual([])
})

test('tells after a crash what still fires, and what ended while it was away', async () => {
  await using receiver = await AlertReceiver.start()
  const disk = await diskWithFolder()
  const other = { ...full, code: 'ERR_SOURCE_PURGED', severity: 'blocked' } as const
  {
    await using before = new Fixture(receiver, disk)
    before.problems = [full, other]
    await before.pass(60_000)
    // The words change, the file does not have to.
    before.problems = [{ ...full, message: 'still no room' }, other]
    await before.pass(10_000)
  }
  const crashed = disk.afterPowerLoss({ file: ({ stable }) => stable, names: () => [] })
  await using fixture = new Fixture(receiver, crashed)
  fixture.problems = [full]
  await fixture.pass(120_000)
  expect(receiver.told()).toEqual([
    'firing ERR_DISK_FULL, firing ERR_SOURCE_PURGED',
    'firing ERR_DISK_FULL',
    'resolved ERR_SOURCE_PURGED, firing ERR_DISK_FULL',
  ])
})

test('a damaged record is begun anew', async () => {
  await using receiver = await AlertReceiver.start()
  const disk = await diskWithFolder()
  const file = await disk.open('/data/alerts.json', 'w')
  await file.writev([Buffer.from('{"format":1,"alerts":[{')], 0)
  await file.sync()
  await file.close()
  await using fixture = new Fixture(receiver, disk)
  fixture.problems = [full]
  await fixture.pass(60_000)
  expect(receiver.told()).toEqual(['firing ERR_DISK_FULL'])
})
