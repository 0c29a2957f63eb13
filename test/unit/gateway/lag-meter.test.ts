import { expect, test } from 'vitest'
import { silentLog } from '../../../src/base/log.ts'
import { parseGtidSet } from '../../../src/binlog/gtid-set.ts'
import { LagMeter, type LagMeterOptions } from '../../../src/gateway/lag-meter.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'

const uuid = '29d14f05-e66c-11f1-a076-02fc00000001'
const other = '29d14f05-e66c-11f1-a076-02fc00000002'
const gtids = `${uuid}:1-9`

/** A copy that holds nine transactions of a MySQL source, and no more. */
async function meterOf(clock: FakeClock, begun: object | null = null): Promise<LagMeter> {
  const source = { flavor: 'mysql', serverVersion: '8.4', serverId: 1, serverUuid: uuid }
  const epoch = { epoch: 1, source }
  const spool = {
    bytes: 1_000,
    epoch: begun ?? epoch,
    gtids: () => gtids,
    gtidSet: () => parseGtidSet('mysql', gtids),
    heldEpoch: () => epoch,
    identity: () => source,
    lineage: () => null,
    newestFile: () => ({ name: 'binlog.000002', bytes: 1_000 }),
  } as unknown as LagMeterOptions['spool']
  const meter = new LagMeter({
    ...{ stream: 'main', dataDir: '/nowhere', spool, clock, log: silentLog },
    originClock: () => ({ aheadMs: 0, doubtMs: 0 }),
    arrivingMs: () => null,
  })
  await meter.loaded()
  return meter
}

test('a server behind the same address says nothing of that which the dump is from', async () => {
  const clock = new FakeClock()
  const meter = await meterOf(clock)
  const sample = (serverUuid: string, isStreaming = true): void => {
    const place = { file: 'binlog.000002', offset: 1_000, gtids }
    meter.sampled({ atMs: clock.wallMs(), ...place, serverUuid }, isStreaming)
  }
  sample(uuid)
  expect(meter.exposure(true).atMost.ms).toBe(0)
  for (let second = 0; second < 10; second += 1) {
    await clock.advance(1_000)
    // A replica of it that has stopped, say.
    sample(other)
  }
  expect(meter.exposure(true)).toMatchObject({ atMost: { ms: 10_000 }, isIdle: false })
  // No dump runs: the address may have moved, and GTIDs tell.
  sample(other, false)
  expect(meter.exposure(false).atMost.ms).toBe(0)
})

test('of a source that was reset nothing is held before its first bytes are', async () => {
  const clock = new FakeClock()
  const meter = await meterOf(clock, { epoch: 2, breaksLineage: true })
  const place = { file: 'binlog.000001', offset: 500, gtids: `${uuid}:1-5` }
  meter.sampled({ atMs: clock.wallMs(), ...place, serverUuid: uuid }, true)
  expect(meter.exposure(true)).toMatchObject({ atMost: { ms: null }, isIdle: false })
})
