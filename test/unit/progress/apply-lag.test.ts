import { describe, expect, test } from 'vitest'
import { ApplyLag } from '../../../src/progress/apply-lag.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'

const uuid = '3e11fa47-71ca-11e1-9e33-c80aa9429562'
const upTo = (transactions: number): string =>
  transactions === 0 ? '' : `${uuid}:1-${transactions}`

function setUp() {
  const clock = new FakeClock()
  const lag = new ApplyLag({ clock, marksMax: 16, markEveryMs: 50 })
  lag.setFlavor('mysql')
  let synced = 0
  const syncTo = (transactions: number): void => {
    synced = transactions
    lag.synced({ gtids: () => upTo(synced), bytesTotal: transactions * 100 })
  }
  return { clock, lag, syncTo }
}

test('forgets what was waited for when the spool begins anew', async () => {
  const { clock, lag, syncTo } = setUp()
  lag.applied(upTo(0))
  syncTo(900)
  await clock.advance(100)
  expect(lag.status()).toMatchObject({ transactions: 900 })
  lag.reset()
  expect(lag.status()).toMatchObject({ transactions: null, ms: null })
  syncTo(5)
  lag.applied(upTo(5))
  expect(lag.status()).toMatchObject({ transactions: 0, ms: 0, bytes: 0 })
})

describe('apply lag', () => {
  test('is unknown until the replica has answered once', () => {
    const { lag, syncTo } = setUp()
    const windows = { minute: null, quarterHour: null, day: null }
    const lacking = { bytes: null, transactions: null, ms: null, uncertaintyMs: null }
    const nothing = { ...lacking, provenAgoMs: null, windows, catchUpMs: null }
    expect(lag.status()).toEqual(nothing)
    syncTo(3)
    expect(lag.status()).toEqual(nothing)
  })

  test('is 0 when the replica has everything, proven by its last answer', async () => {
    const { clock, lag, syncTo } = setUp()
    syncTo(3)
    lag.applied(upTo(3))
    await clock.advance(700)
    expect(lag.status()).toMatchObject({ bytes: 0, transactions: 0, ms: 0, provenAgoMs: 700 })
  })

  test('counts what is missing, and the delays of what arrives', async () => {
    const { clock, lag, syncTo } = setUp()
    lag.applied(upTo(0))
    for (let step = 1; step <= 4; step += 1) {
      syncTo(step * 10)
      await clock.advance(100)
    }
    lag.applied(upTo(0))
    lag.applied(upTo(15))
    expect(lag.status()).toMatchObject({ bytes: 3000, transactions: 25, ms: 300, provenAgoMs: 0 })
    expect(lag.status().windows.minute).toMatchObject({ count: 1, maxMs: 400 })
    lag.applied(upTo(40))
    expect(lag.status()).toMatchObject({ bytes: 0, transactions: 0, ms: 0 })
    expect(lag.status().windows.minute).toMatchObject({ count: 4, maxMs: 400 })
  })

  test('a silent replica: what it lacks gets older, and so does the proof', async () => {
    const { clock, lag, syncTo } = setUp()
    syncTo(5)
    lag.applied(upTo(5))
    syncTo(6)
    await clock.advance(60_000)
    expect(lag.status()).toMatchObject({ transactions: 1, ms: 60_000, provenAgoMs: 60_000 })
  })

  test('what was applied while nobody asked has no known delay', async () => {
    const { clock, lag, syncTo } = setUp()
    syncTo(5)
    await clock.advance(6_000)
    lag.applied(upTo(5))
    expect(lag.status()).toMatchObject({ ms: 0, windows: { day: null } })
    syncTo(6)
    await clock.advance(6_000)
    lag.applied(upTo(6))
    expect(lag.status()).toMatchObject({ ms: 0, windows: { day: null } })
    syncTo(7)
    await clock.advance(30)
    lag.applied(upTo(7))
    expect(lag.status().windows.minute).toMatchObject({ count: 1, maxMs: 30 })
  })

  test('many syncs share a mark, and none is forgotten', async () => {
    const { clock, lag, syncTo } = setUp()
    for (let transaction = 1; transaction <= 1000; transaction += 1) {
      syncTo(transaction)
      await clock.advance(1)
    }
    lag.applied(upTo(999))
    expect(lag.status().transactions).toBe(1)
    expect(lag.status().ms).toBeLessThanOrEqual(50)
    lag.applied(upTo(1000))
    expect(lag.status()).toMatchObject({ transactions: 0, ms: 0 })
  })

  test('extra transactions of the replica itself are not counted', () => {
    const { lag, syncTo } = setUp()
    syncTo(5)
    lag.applied(`${upTo(5)},00000000-0000-0000-0000-000000000009:1-7`)
    expect(lag.status()).toMatchObject({ transactions: 0, ms: 0 })
    expect(() => lag.applied('nonsense')).toThrow(
      expect.objectContaining({ code: 'ERR_GTID_SYNTAX' }),
    )
  })
})
