import { crc32 } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { LandbridgeError } from '../../../src/base/errors.ts'
import { silentLog } from '../../../src/base/log.ts'
import {
  decodeFrame,
  encodeAck,
  encodeFile,
  encodeJson,
  type Frame,
  FrameType,
} from '../../../src/link/frame.ts'
import type { State } from '../../../src/link/messages.ts'
import type { SourcePort } from '../../../src/link/source-port.ts'
import { tailDisk } from '../../helpers/disk/tail-disk.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { recordedFile } from '../../helpers/fixtures.ts'
import { dataFrame, HandmadePeer } from '../../helpers/link/handmade-peer.ts'
import { MemoryLink } from '../../helpers/link/memory-link.ts'
import type { Judge } from '../../helpers/link/socket-pair.ts'
import { socketPair } from '../../helpers/link/socket-pair.ts'
import { RecordedSource } from '../../helpers/source/recorded-source.ts'
import {
  epochSource,
  SpoolFixture,
  temporaryFolder,
  until,
} from '../../helpers/spool/spool-fixture.ts'

const sum = (bytes: Buffer): number => crc32(bytes)
const WHOLE = recordedFile('mysql', 1).length + recordedFile('mysql', 2).length

interface Joined extends AsyncDisposable {
  readonly fixture: SpoolFixture
  readonly source: RecordedSource
  link(options?: Partial<ConstructorParameters<typeof MemoryLink>[0]>): MemoryLink
}

async function joined(options: Parameters<typeof SpoolFixture.open>[1] = {}): Promise<Joined> {
  const folder = await temporaryFolder()
  const fixture = await SpoolFixture.open(folder.path, options)
  const source = new RecordedSource('mysql', sum)
  return {
    fixture,
    source,
    link: (more = {}) => new MemoryLink({ source, spool: fixture, ...more }),
    [Symbol.asyncDispose]: async () => {
      await fixture[Symbol.asyncDispose]()
      await folder[Symbol.asyncDispose]()
    },
  }
}

/** Keeps what one end says. */
function listening(seen: Frame[], judge: Judge = () => 'deliver'): Judge {
  return (message) => {
    seen.push(decodeFrame(Buffer.from(message)))
    return judge(message)
  }
}

function namesOf(frames: readonly Frame[]): string[] {
  const names = Object.fromEntries(Object.entries(FrameType).map(([name, type]) => [type, name]))
  return frames.map(({ type }) => names[type] ?? '')
}

describe('a stream over the link', () => {
  test('says who it is, where it goes on, and only then sends bytes', async () => {
    await using all = await joined()
    const seen: Frame[] = []
    const session = all.link().connect({ production: listening(seen) })
    await until(() => all.fixture.syncedBytes >= WHOLE - 23)
    await session.stop()
    const names = namesOf(seen).filter((name) => name !== 'Ping' && name !== 'Pong')
    const begin = names.slice(0, names.indexOf('Data') + 1)
    expect(begin[0]).toBe('Hello')
    expect(begin.indexOf('Open')).toBeLessThan(begin.indexOf('File'))
    expect(begin.at(-1)).toBe('Data')
    expect(names.at(-1)).toBe('Close')
    let end = 0
    for (const frame of seen) {
      if (frame.type === FrameType.File) end = frame.offset
      if (frame.type !== FrameType.Data) continue
      expect(frame.offset).toBe(end)
      end += frame.rawBytes
    }
  })

  test('forgets what was held when the source was reset, and takes all of it anew', async () => {
    await using all = await joined()
    const { spool } = all.fixture
    const first = all.link().connect()
    await until(() => all.fixture.syncedBytes >= WHOLE - 23)
    await first.stop()
    const before = spool.gtids()
    const newest = spool.held()?.lastTimestamp ?? 0
    all.source.times = { oldest: newest + 1, held: newest + 1 }
    const second = all.link().connect()
    await until(() => all.fixture.syncedBytes >= 2 * (WHOLE - 23))
    await second.stop()
    expect(all.source.starts.slice(0, 2)).toEqual(['new epoch', 'new epoch'])
    expect(spool.lineage()).toMatchObject({ epoch: 2, reason: expect.stringMatching(/was reset/) })
    expect(spool.storedFiles().map(({ epoch }) => epoch)).toEqual([1, 1, 2, 2])
    expect(spool.files().map(({ epoch }) => epoch)).toEqual([2, 2])
    expect([spool.gtids(), spool.purgedGtids()]).toEqual([before, ''])
  })

  test('acknowledges what is synced, and never more than it got', async () => {
    await using all = await joined()
    const acks: Frame[] = []
    const session = all.link().connect({ dr: listening(acks) })
    await until(() => all.fixture.syncedBytes >= WHOLE - 23)
    await session.stop()
    const totals = acks.flatMap((frame) =>
      frame.type === FrameType.Ack ? [frame.syncedBytes] : [],
    )
    expect(totals).toEqual(totals.toSorted((a, b) => a - b))
    expect(totals.at(-1)).toBe(all.fixture.syncedBytes)
  })

  test.each(['zstd', 'none'] as const)('arrives the same with compression %s', async (mode) => {
    await using all = await joined()
    const seen: Frame[] = []
    const link = all.link({ compression: mode, windowBytes: 300 })
    const session = link.connect({ production: listening(seen) })
    await until(() => all.fixture.syncedBytes >= WHOLE - 23)
    await session.stop()
    const packed = seen.filter((frame) => frame.type === FrameType.Data && frame.compressed)
    if (mode === 'none') expect(packed).toEqual([])
    expect(all.fixture.broken).toEqual([])
  })

  test('parks while nothing is acknowledged, and goes on from what was stored', async () => {
    const gate = Promise.withResolvers<void>()
    let isStuck = true
    await using all = await joined({
      disk: tailDisk({
        writev: async (file, buffers, at) => {
          if (isStuck) await gate.promise
          return await file.writev(buffers, at)
        },
      }),
    })
    const link = all.link({ windowBytes: 500, parkAfterMs: 40 })
    const session = link.connect()
    await until(() => link.sender.status().state === 'parked')
    expect(link.sender.status().problem?.code).toBe('ERR_PARKED')
    expect(link.sender.status().inFlightBytes).toBeGreaterThan(0)
    isStuck = false
    gate.resolve()
    await until(() => all.fixture.spool.end()?.ordinal === 2, 10_000)
    expect(all.source.starts.length).toBeGreaterThan(1)
    await session.stop()
    expect(link.sender.status().state).toBe('idle')
  })

  test('ends the session when the spool breaks, and the next one goes on', async () => {
    let syncs = 0
    await using all = await joined({
      disk: tailDisk({
        datasync: async (file) => {
          syncs += 1
          if (syncs === 1) throw Object.assign(new Error('EIO'), { code: 'EIO' })
          await file.datasync()
        },
      }),
    })
    const link = all.link()
    const first = await link.connect().over
    expect(first).toEqual({ production: 'ERR_LINK_CLOSED', dr: 'ERR_SPOOL_SYNC' })
    const session = link.connect()
    await until(() => all.fixture.spool.end()?.ordinal === 2)
    await session.stop()
    expect(all.source.starts).toHaveLength(2)
  })

  test('says once what to do about a source that cannot be read, and goes on trying', async () => {
    await using all = await joined()
    const told: object[] = []
    const refusal = new LandbridgeError('ERR_SOURCE_CONNECT', 'no way', {
      retryable: true,
      remedy: 'Open the port.',
    })
    let opened = 0
    const source = {
      host: 'away:3306',
      open: async () => {
        opened += 1
        throw refusal
      },
      watch: async () => undefined,
    }
    const log = { ...silentLog, warn: (fields: object) => void told.push(fields) }
    const session = all.link({ source, log }).connect()
    await until(() => opened > 3)
    await session.stop()
    expect(told).toEqual([{ code: 'ERR_SOURCE_CONNECT', remedy: 'Open the port.' }])
  })

  test('stays blocked while it is looked at again, until the source can be followed', async () => {
    await using all = await joined()
    const clock = new FakeClock()
    const purged = new LandbridgeError('ERR_SOURCE_PURGED', 'gone', { remedy: 'Reseed.' })
    let looks = 0
    const source: SourcePort = {
      host: all.source.host,
      open: async (held) => {
        looks += 1
        if (looks <= 3) throw purged
        return await all.source.open(held)
      },
      watch: (onSample, signal) => all.source.watch(onSample, signal),
    }
    const seen: Frame[] = []
    const session = all.link({ source, clock }).connect({ production: listening(seen) })
    while (looks <= 3) {
      await until(() => clock.sleeping > 0)
      await clock.advance(10_000)
    }
    await until(() => all.fixture.syncedBytes >= WHOLE - 23)
    await session.stop()
    const states = seen.flatMap((frame) => (frame.type === FrameType.State ? [frame.body] : []))
    expect(states.map((body) => (body as State).state)).toEqual([
      ...['connecting', 'blocked', 'blocked', 'blocked', 'streaming'],
    ])
  })

  test('says once that a source refuses at one event each time, over sessions too', async () => {
    await using all = await joined()
    const clock = new FakeClock()
    const refusal = new LandbridgeError('ERR_SOURCE_DUMP', 'too large', { remedy: 'Reseed.' })
    let looks = 0
    let isMended = false
    const refusing = new AbortController()
    const flowing = async (dump: Promise<never>): Promise<void> => {
      await Promise.race([dump, until(() => all.fixture.syncedBytes > 1_000)])
    }
    const source: SourcePort = {
      host: all.source.host,
      open: async (held) => {
        const opened = await all.source.open(held)
        return {
          ...opened,
          run: async (target, signal) => {
            looks += 1
            if (isMended) return await opened.run(target, signal)
            if (looks > 1) target.accepted()
            // What is in front of the event comes once.
            else await flowing(opened.run(target, AbortSignal.any([signal, refusing.signal])))
            refusing.abort()
            throw refusal
          },
        }
      },
      watch: (onSample, signal) => all.source.watch(onSample, signal),
    }
    const told: object[] = []
    const log = { ...silentLog, warn: (fields: object) => void told.push(fields) }
    const seen: Frame[] = []
    const link = all.link({ source, clock, log })
    const first = link.connect({ production: listening(seen) })
    const advance = async (isReached: () => boolean) => {
      while (!isReached()) {
        await until(() => clock.sleeping > 0)
        await clock.advance(5_000)
      }
    }
    await advance(() => looks > 3)
    await first.stop()
    const session = link.connect({ production: listening(seen) })
    await advance(() => looks > 5)
    isMended = true
    const states = () =>
      seen.flatMap((frame) => (frame.type === FrameType.State ? [frame.body as State] : []))
    await advance(() => states().at(-1)?.state === 'streaming')
    await session.stop()
    const blocked = states().filter(({ state }) => state === 'blocked')
    expect(blocked.length).toBeGreaterThan(3)
    expect(new Set(blocked.map(({ problem }) => problem?.sinceMs)).size).toBe(1)
    const [before, ...after] = states().map(({ state }) => state)
    // What the source takes before it has lasted is no end of the trouble.
    expect([before, after[0], after.at(-1)]).toEqual(['connecting', 'streaming', 'streaming'])
    expect(after.slice(1, -1).every((state) => state === 'blocked')).toBe(true)
    expect(told.filter((fields) => 'code' in fields)).toHaveLength(1)
  })

  test('ends no session by what a source says, however long that is', async () => {
    await using all = await joined()
    const clock = new FakeClock()
    let looks = 0
    const source: SourcePort = {
      host: all.source.host,
      open: async (held) => {
        looks += 1
        const endless = 'x'.repeat(60_000)
        if (looks === 1) {
          throw new LandbridgeError('ERR_SOURCE_DUMP', endless, { remedy: endless })
        }
        return await all.source.open(held)
      },
      watch: (onSample, signal) => all.source.watch(onSample, signal),
    }
    const seen: Frame[] = []
    const session = all.link({ source, clock }).connect({ production: listening(seen) })
    await until(() => looks > 0 && clock.sleeping > 0)
    await clock.advance(10_000)
    await until(() => all.fixture.syncedBytes >= WHOLE - 23)
    const blocked = seen.find((frame) => {
      return frame.type === FrameType.State && (frame.body as State).state === 'blocked'
    })
    expect(((blocked as { body?: State })?.body?.problem?.message ?? '').length).toBe(4_000)
    await session.stop()
  })

  test('is stopped from either side without a word lost', async () => {
    await using all = await joined()
    const session = all.link().connect()
    await until(() => all.fixture.syncedBytes > 1_000)
    await session.stop()
    expect(['stopped', 'ERR_LINK_CLOSED']).toContain((await session.over).production)
  })
})

describe('a receiver', () => {
  const opened = encodeJson(FrameType.Open, 0, {
    source: epochSource('mysql'),
    newEpoch: { reason: 'first start', gtidsBefore: '' },
  })
  const FIRST = recordedFile('mysql', 1)

  async function refused(messages: readonly Buffer[], windowBytes = 1024 * 1024) {
    await using all = await joined()
    const link = all.link({ windowBytes })
    const { left, right } = socketPair()
    const { over } = link.receive(right)
    const peer = new HandmadePeer(left, 'ec2')
    await until(() => peer.heard.some(({ type }) => type === FrameType.Resume))
    peer.say(...messages)
    const reason = await over
    await until(() => peer.closeCode() !== undefined)
    expect(peer.closeCode()).toBe(reason)
    await all.fixture.writer.rewind()
    return { reason, files: all.fixture.spool.files().map(({ name }) => name) }
  }

  const openedAsBefore = encodeJson(FrameType.Open, 0, {
    source: epochSource('mysql'),
    newEpoch: null,
  })

  test.each<[string, Buffer[], string]>([
    [
      'a file of no epoch',
      [openedAsBefore, encodeFile(0, 0, 'binlog.000001')],
      'ERR_SPOOL_POSITION',
    ],
    ['bytes before Open', [encodeFile(0, 0, 'binlog.000001')], 'ERR_LINK_FRAME'],
    ['an Ack', [encodeAck(0, 1)], 'ERR_LINK_FRAME'],
    ['a second Hello', [encodeJson(FrameType.Hello, 0, {})], 'ERR_LINK_FRAME'],
    ['a file from its middle', [opened, encodeFile(0, 99, 'b.000001')], 'ERR_SPOOL_POSITION'],
    ['an unknown frame', [Buffer.from([99, 0, 0, 0])], 'ERR_LINK_FRAME'],
    ['half a frame', [Buffer.from([5, 0])], 'ERR_TRUNCATED'],
  ])('refuses %s', async (_what, messages, code) => {
    expect((await refused(messages)).reason).toBe(code)
  })

  test('goes on for others when a name cannot be stored, and tells it', async () => {
    await using all = await joined()
    const { left, right } = socketPair()
    const { over } = all.link().receive(right)
    const peer = new HandmadePeer(left, 'ec2')
    await until(() => peer.heard.some(({ type }) => type === FrameType.Resume))
    peer.say(opened, encodeFile(0, 0, '../x.1'), dataFrame(0, FIRST))
    await until(() => all.fixture.writer.trouble !== null)
    expect(all.fixture.writer.trouble?.error).toMatchObject({ code: 'ERR_BINLOG_NAME' })
    peer.say(encodeJson(FrameType.Restart, 0, { code: 'ERR_SOURCE_CLOSED', message: '' }))
    await until(() => peer.heard.filter(({ type }) => type === FrameType.Resume).length === 2)
    expect(peer.closeCode()).toBeUndefined()
    expect(all.fixture.spool.files()).toEqual([])
    peer.say(encodeAck(0, 1))
    await over
  })

  test('stores nothing of what is behind a refused frame in the same chunk', async () => {
    const torn = Buffer.from(FIRST)
    torn.writeUInt8(torn.readUInt8(3000) ^ 1, 3000)
    const { reason, files } = await refused([
      opened,
      encodeFile(0, 0, 'binlog.000001'),
      dataFrame(0, torn),
      encodeFile(0, 0, 'binlog.000002'),
      dataFrame(0, recordedFile('mysql', 2)),
    ])
    expect([reason, files]).toEqual(['ERR_EVENT_CHECKSUM', []])
  })

  test('lets only so much wait behind an epoch that is being begun', async () => {
    const files = Array.from({ length: 5_000 }, () => encodeFile(0, 0, 'binlog.000001'))
    expect((await refused([opened, ...files])).reason).toBe('ERR_LINK_WINDOW')
    const bytes = [0, 1, 2].map((at) => dataFrame(at * 1024 ** 2, Buffer.alloc(1024 ** 2)))
    expect((await refused([opened, ...bytes])).reason).toBe('ERR_LINK_WINDOW')
  })

  test('refuses a compressed frame that does not unpack to what it says', async () => {
    const bomb = dataFrame(0, Buffer.from('not zstd'))
    bomb.writeUInt8(1, 1)
    const { reason } = await refused([opened, encodeFile(0, 0, 'binlog.000001'), bomb])
    expect(reason).toBe('ERR_LINK_FRAME')
  })
})
