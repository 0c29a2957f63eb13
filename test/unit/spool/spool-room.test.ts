import { expect, test } from 'vitest'
import { SpoolRoom } from '../../../src/spool/spool-room.ts'
import { diskError } from '../../helpers/disk/failing-disk.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'

test('the room of a disk is looked at now and then, and unknown while nobody says it', async () => {
  const clock = new FakeClock()
  let bytes = 500
  const disk = {
    async room() {
      if (bytes < 0) throw diskError('EIO')
      return { bytes, totalBytes: 1000, inodes: null }
    },
  }
  const room = new SpoolRoom({ directory: '/srv/spool', disk, clock })
  const stopping = new AbortController()
  expect(room.now).toBeNull()
  const running = room.run(stopping.signal)
  await clock.advance(0)
  expect(room.now).toEqual({ freeBytes: 500, totalBytes: 1000 })
  bytes = -1
  await clock.advance(10_000)
  expect(room.now).toBeNull()
  bytes = 20
  await clock.advance(10_000)
  expect(room.now?.freeBytes).toBe(20)
  stopping.abort()
  await running
})
