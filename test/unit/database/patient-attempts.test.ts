import { expect, test } from 'vitest'
import { LandbridgeError } from '../../../src/base/errors.ts'
import { patientAttempts } from '../../../src/database/patient-attempts.ts'
import { ConnectAttempts } from '../../../src/mysql/connect-attempts.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'

const { signal } = new AbortController()

class Fixture {
  readonly clock = new FakeClock()
  readonly budget = new ConnectAttempts({ clock: this.clock })
  waits = 0
  readonly patient = patientAttempts(this.budget, {
    clock: this.clock,
    server: 'db:3306',
    onWait: () => {
      this.waits += 1
    },
  })

  /** Handshakes that break off, as when the server cannot prove who it is. */
  async fail(times: number): Promise<void> {
    for (let time = 0; time < times; time += 1) {
      const broken = new LandbridgeError('ERR_SQL_TLS', 'not that server')
      const failing = this.budget.run(() => Promise.reject(broken), signal).catch(() => undefined)
      await this.advance(3_600_000)
      await failing
    }
  }

  async advance(ms: number): Promise<void> {
    for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve))
    await this.clock.advance(ms)
    for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve))
  }
}

test('an attempt that is due is made at once, and nobody is told of a wait', async () => {
  const one = new Fixture()
  expect(await one.patient.run(async () => 'in', signal)).toBe('in')
  await one.advance(100_000)
  expect([one.waits, one.clock.sleeping]).toEqual([0, 0])
})

test('one that is due soon is waited for, and that is said once', async () => {
  const one = new Fixture()
  const refused = Object.assign(new Error('access denied'), { errno: 1045 })
  for (let time = 0; time < 3; time += 1) {
    const failing = one.budget.run(() => Promise.reject(refused), signal).catch(() => undefined)
    await one.advance(time === 0 ? 0 : 2_000)
    await failing
  }
  const running = one.patient.run(async () => 'in', signal)
  await one.advance(1_000)
  expect(one.waits).toBe(1)
  await one.advance(3_000)
  expect(await running).toBe('in')
  expect(one.clock.sleeping).toBe(0)
})

test('one that is not due for long is given up, and was not made', async () => {
  const one = new Fixture()
  await one.fail(45)
  const broken = new LandbridgeError('ERR_SQL_TLS', 'not that server')
  await one.budget.run(() => Promise.reject(broken), signal).catch(() => undefined)
  let made = 0
  const running = one.patient.run(async () => {
    made += 1
  }, signal)
  const refused = expect(running).rejects.toMatchObject({
    code: 'ERR_SQL_LOGIN',
    retryable: true,
    message: expect.stringContaining('db:3306'),
  })
  await one.advance(1_000)
  await one.advance(74_000)
  await refused
  expect([one.waits, made]).toEqual([1, 0])
})

test('whoever cancels is not kept waiting', async () => {
  const one = new Fixture()
  await one.fail(45)
  const broken = new LandbridgeError('ERR_SQL_TLS', 'not that server')
  await one.budget.run(() => Promise.reject(broken), signal).catch(() => undefined)
  const stopping = new AbortController()
  const running = one.patient.run(async () => undefined, stopping.signal)
  const cancelled = expect(running).rejects.toMatchObject({ name: 'AbortError' })
  await one.advance(1_000)
  stopping.abort()
  await cancelled
  expect(one.clock.sleeping).toBe(0)
})
