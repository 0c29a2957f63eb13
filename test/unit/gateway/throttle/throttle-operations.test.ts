import { expect, test } from 'vitest'
import { Journal } from '../../../../src/api/journal.ts'
import { OperationTable } from '../../../../src/api/operation-table.ts'
import { silentLog } from '../../../../src/base/log.ts'
import type { Permission } from '../../../../src/base/permission.ts'
import type { Stream } from '../../../../src/gateway/stream.ts'
import { throttleOperations } from '../../../../src/gateway/throttle/throttle-operations.ts'
import { NO_ORDERS, type ThrottleOrders } from '../../../../src/progress/throttle-orders.ts'
import { UNTHROTTLED } from '../../../../src/status/status.ts'
import { firstTerm } from '../../../../src/status/term-record.ts'
import { MemoryDisk } from '../../../helpers/disk/memory-disk.ts'
import { FakeClock } from '../../../helpers/fake-clock.ts'

async function asked() {
  const clock = new FakeClock()
  let orders: ThrottleOrders = NO_ORDERS
  const order = async (change: (before: ThrottleOrders) => ThrottleOrders) => {
    orders = change(orders)
    return { notStored: null }
  }
  const of = (name: string, role: 'origin' | 'copy') => {
    const throttle = role === 'origin' ? { order, limits: () => [] } : null
    const half = { role, throttle, status: () => ({ throttle: UNTHROTTLED }) }
    return { name, half, term: firstTerm(role === 'origin' ? 'ec2' : 'azure') }
  }
  const streams = [of('main', 'origin'), of('back', 'copy')] as unknown as readonly Stream[]
  const disk = new MemoryDisk()
  const journal = new Journal({
    ...{ path: '/data/journal.jsonl', clock, log: silentLog },
    disk,
  })
  await journal.open()
  const table = new OperationTable(throttleOperations({ site: 'ec2', streams, clock }), journal)
  const call = async (verb: string, input: object, granted: Permission = 'operate') => {
    const { signal } = new AbortController()
    const context = { caller: 'peer azure', signal, progress: () => undefined }
    return await table.call({ name: `throttle.${verb}`, input, granted, ...context })
  }
  return { call, clock, disk, orders: () => orders }
}

test('a rate and a pause stand beside each other until they are taken back', async () => {
  const { call, clock, orders } = await asked()
  const by = { by: 'peer azure', atMs: clock.wallMs() }
  const hour = { stream: 'main', bytesPerSecond: 5_000, forSeconds: 3_600 }
  expect(await call('set', hour)).toMatchObject({ stream: 'main', isOrigin: true, limits: [] })
  const rate = { ...by, untilMs: clock.wallMs() + 3_600_000, bytesPerSecond: 5_000 }
  await call('pause', { stream: 'main' })
  expect(orders()).toEqual({ rate, pause: { ...by, untilMs: null } })
  await call('resume', { stream: 'main' })
  expect(orders()).toEqual({ rate, pause: null })
  await call('off', { stream: 'main' })
  expect(orders()).toEqual(NO_ORDERS)
})

test('who may only read sees it and changes nothing; what changes is in the journal', async () => {
  const { call, disk, orders } = await asked()
  await expect(call('pause', { stream: 'main' }, 'read')).rejects.toMatchObject({
    code: 'ERR_OPERATION_DENIED',
  })
  expect(await call('show', { stream: 'back' }, 'read')).toMatchObject({
    ...{ isOrigin: false, throttle: UNTHROTTLED },
  })
  await call('pause', { stream: 'main' })
  expect(orders().pause).not.toBeNull()
  const text = await disk.readText('/data/journal.jsonl')
  expect(text).toContain('"operation":"throttle.pause"')
  expect(text).toContain('peer azure')
})

test('refuses a copy, a stream that is not there, and a rate that is none', async () => {
  const { call } = await asked()
  await expect(call('set', { stream: 'back', bytesPerSecond: 5_000 })).rejects.toMatchObject({
    code: 'ERR_USAGE',
    message: expect.stringContaining('its origin is azure, not ec2'),
  })
  await expect(call('pause', { stream: 'x' })).rejects.toMatchObject({ code: 'ERR_STREAM_UNKNOWN' })
  await expect(call('pause', {})).rejects.toMatchObject({ code: 'ERR_USAGE' })
  for (const bad of [{ bytesPerSecond: 0 }, { bytesPerSecond: 5_000, forSeconds: 0 }, {}]) {
    const input = { stream: 'main', ...bad }
    await expect(call('set', input)).rejects.toMatchObject({ code: 'ERR_OPERATION_INPUT' })
  }
})
