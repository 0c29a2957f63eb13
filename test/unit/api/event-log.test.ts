import { describe, expect, test } from 'vitest'
import { EventLog, type NewEvent } from '../../../src/api/event-log.ts'
import { silentLog } from '../../../src/base/log.ts'
import { MemoryDisk } from '../../helpers/disk/memory-disk.ts'
import type { Outcome } from '../../helpers/disk/memory-file-system.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'

const PATH = '/data/events.jsonl'
/** Whatever was not synced is lost. */
const worst: Outcome = { file: ({ stable }) => stable, names: () => [] }

async function opened(disk: MemoryDisk, fileBytesMax?: number): Promise<EventLog> {
  const limits = fileBytesMax === undefined ? {} : { fileBytesMax }
  const events = new EventLog({
    ...{ path: PATH, clock: new FakeClock(), log: silentLog, disk },
    ...limits,
  })
  await events.open()
  return events
}

function numbered(number: number): NewEvent {
  const common = { kind: 'link', who: 'azure', severity: 'warning', detail: {} } as const
  return { ...common, what: `event ${number}`, key: 'link:ec2', state: 'down' }
}

const whats = (events: EventLog) => events.list().map(({ what }) => what)

describe('the log of events', () => {
  test('has after a power loss what was added before it', async () => {
    const disk = new MemoryDisk()
    const events = await opened(disk)
    await events.add([numbered(1)])
    await events.add([numbered(2), numbered(3)])
    const again = await opened(disk.afterPowerLoss(worst))
    expect(whats(again)).toEqual(['event 1', 'event 2', 'event 3'])
    expect(again.list().map(({ sequence }) => sequence)).toEqual([1, 2, 3])
    await again.add([numbered(4)])
    expect(again.list().at(-1)).toMatchObject({ sequence: 4, key: 'link:ec2', state: 'down' })
  })

  test('is bounded on the disk, and keeps the newest', async () => {
    const disk = new MemoryDisk()
    const events = await opened(disk, 2_000)
    for (let number = 1; number <= 200; number += 1) await events.add([numbered(number)])
    const names = (await disk.readdir('/data')).filter((name) => name.startsWith('events'))
    expect(names.length).toBeLessThanOrEqual(4)
    for (const name of names) expect((await disk.stat(`/data/${name}`)).size).toBeLessThan(2_001)
    const again = await opened(disk, 2_000)
    expect(whats(again).at(-1)).toBe('event 200')
    expect(whats(again).length).toBeGreaterThan(5)
  })

  test.each(['readText', 'writev', 'datasync', 'open'] as const)(
    'waits for a disk that fails (%s), says so, and loses nothing of it',
    async (name) => {
      const disk = new MemoryDisk()
      const first = await opened(disk)
      await first.add([numbered(1)])
      await first.close()
      disk.before = (call) => (call.name === name ? { error: 'ENOSPC' } : undefined)
      const events = await opened(disk)
      await events.add([numbered(2)])
      await events.add([numbered(3)])
      expect(whats(events).slice(-2)).toEqual(['event 2', 'event 3'])
      expect(events.problems()).toMatchObject([{ code: 'ERR_EVENTS_WRITE', severity: 'warning' }])
      disk.before = () => undefined
      await events.add([])
      expect(events.problems()).toEqual([])
      const again = await opened(disk.afterPowerLoss(worst))
      expect(whats(again)).toEqual(['event 1', 'event 2', 'event 3'])
      expect(again.list().map(({ sequence }) => sequence)).toEqual([1, 2, 3])
    },
  )

  test('passes over a line that is none', async () => {
    const disk = new MemoryDisk()
    const events = await opened(disk)
    await events.add([numbered(1)])
    await events.close()
    const file = await disk.open(PATH, 'r+')
    const { size } = await file.stat()
    await file.writev([Buffer.from('{"sequence":"x"}\nnonsense\n')], size)
    await file.close()
    const again = await opened(disk)
    await again.add([numbered(2)])
    expect(whats(again)).toEqual(['event 1', 'event 2'])
  })
})
