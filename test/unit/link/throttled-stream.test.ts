import { crc32 } from 'node:zlib'
import { expect, test } from 'vitest'
import { systemClock } from '../../../src/base/clock.ts'
import { decodeFrame, FrameType } from '../../../src/link/frame.ts'
import { WaitingBytes } from '../../../src/link/waiting-bytes.ts'
import { Throttle } from '../../../src/progress/throttle.ts'
import { recordedFile } from '../../helpers/fixtures.ts'
import { MemoryLink } from '../../helpers/link/memory-link.ts'
import { RecordedSource } from '../../helpers/source/recorded-source.ts'
import { SpoolFixture, temporaryFolder, until } from '../../helpers/spool/spool-fixture.ts'

const WHOLE = recordedFile('mysql', 1).length + recordedFile('mysql', 2).length

test('a stream paused for long closes its dump without a fault, and loses nothing', async () => {
  await using folder = await temporaryFolder()
  await using fixture = await SpoolFixture.open(folder.path)
  const source = new RecordedSource('mysql', (bytes) => crc32(bytes))
  const throttle = new Throttle({ bytesPerSecond: 0, clock: systemClock })
  const link = new MemoryLink({ source, spool: fixture, throttle, parkAfterMs: 50 })
  const session = link.connect()
  await until(() => link.sender.status().state === 'parked')
  expect(link.sender.status()).toMatchObject({ problem: null, sentBytes: 0 })
  await until(() => link.receiver.status().state?.state === 'parked')
  expect(link.receiver.status().state?.problem).toBeNull()
  const dumps = source.starts.length
  await new Promise((resolve) => setTimeout(resolve, 300))
  expect(source.starts).toHaveLength(dumps)
  throttle.setRate(null)
  await until(() => fixture.spool.end()?.ordinal === 2, 10_000)
  await until(() => link.receiver.status().receivedBytes >= WHOLE, 10_000)
  expect(source.starts).toHaveLength(dumps + 1)
  await session.stop()
})

test('at a small rate frames are small, whatever is read at once', async () => {
  await using folder = await temporaryFolder()
  await using fixture = await SpoolFixture.open(folder.path)
  const source = new RecordedSource('mysql', (bytes) => crc32(bytes))
  const throttle = new Throttle({ bytesPerSecond: 20_000, clock: systemClock })
  const link = new MemoryLink({ source, spool: fixture, throttle })
  const sizes: number[] = []
  const startedMs = performance.now()
  const session = link.connect({
    production: (message) => {
      const bytes = Buffer.from(message)
      if (decodeFrame(bytes).type === FrameType.Data) sizes.push(bytes.length)
      return 'deliver'
    },
  })
  await until(() => link.receiver.status().receivedBytes >= WHOLE, 20_000)
  const seconds = (performance.now() - startedMs) / 1000
  expect(Math.max(...sizes)).toBeLessThanOrEqual(2_000)
  const sent = sizes.reduce((sum, size) => sum + size, 0)
  // The burst, and one frame.
  expect(sent).toBeLessThan(20_000 * seconds + 8_000)
  await session.stop()
})

test('what waits is what is known and was not sent, while it is the throttle that holds it', () => {
  const waiting = new WaitingBytes()
  const sent = { isHeldBack: true, sentPlace: { file: 'b.000001', offset: 40 }, unsentBytes: 10 }
  expect(waiting.of(sent)).toBe(10)
  const files = ['b.000001', 'b.000002'].map((name) => ({ name, bytes: 100 }))
  waiting.sampled({ atMs: 0, file: 'b.000002', offset: 70, gtids: '', files })
  expect(waiting.of(sent)).toBe(130)
  expect(waiting.of({ ...sent, sentPlace: null })).toBe(10)
  expect(waiting.of({ ...sent, isHeldBack: false })).toBe(0)
  // The sample is older than what was sent since.
  expect(waiting.of({ ...sent, sentPlace: { file: 'b.000002', offset: 90 } })).toBe(10)
})
