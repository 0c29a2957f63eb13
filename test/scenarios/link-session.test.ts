import { setImmediate as turn } from 'node:timers/promises'
import { crc32 } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import {
  encodeAck,
  encodeFile,
  encodeJson,
  FRAME_PAYLOAD_BYTES_MAX,
  FrameType,
} from '../../src/link/frame.ts'
import { MemoryDisk } from '../helpers/disk/memory-disk.ts'
import { recordedFile } from '../helpers/fixtures.ts'
import { dataFrame, HandmadePeer, type HelloFields } from '../helpers/link/handmade-peer.ts'
import { MemoryLink } from '../helpers/link/memory-link.ts'
import { type Judge, socketPair } from '../helpers/link/socket-pair.ts'
import { RecordedSource } from '../helpers/source/recorded-source.ts'
import { epochSource, SpoolFixture, until } from '../helpers/spool/spool-fixture.ts'
import { SPOOL } from '../helpers/spool/spool-run.ts'

const NAME = 'binlog.000001'

describe.each(['mysql', 'mariadb'] as const)('a session of %s', (flavor) => {
  const first = recordedFile(flavor, 1)
  const second = recordedFile(flavor, 2)
  const source = epochSource(flavor)
  const newEpoch = { reason: 'first start', gtidsBefore: '' }
  const opened = encodeJson(FrameType.Open, 0, { source, newEpoch })
  const begun = [opened, encodeFile(0, 0, NAME)]

  interface Pair extends AsyncDisposable {
    readonly disk: MemoryDisk
    readonly fixture: SpoolFixture
    readonly link: MemoryLink
    /** Says hello to the copy's gateway as the origin's, and waits for its Resume. */
    peer(): Promise<{ readonly peer: HandmadePeer; readonly over: Promise<string> }>
    /** An ordinary session to the end of the stream: the spool is as the source, counted once. */
    complete(): Promise<void>
  }

  async function pair(windowBytes = 1024 * 1024): Promise<Pair> {
    const disk = new MemoryDisk()
    const fixture = await SpoolFixture.open(SPOOL, { disk })
    const recorded = new RecordedSource(flavor, crc32)
    const link = new MemoryLink({ source: recorded, spool: fixture, windowBytes })
    const isComplete = (): boolean => {
      const end = fixture.spool.end()
      return end?.ordinal === 2 && end.offset === second.length
    }
    return {
      disk,
      fixture,
      link,
      async peer() {
        const { left, right } = socketPair()
        const { over } = link.receive(right)
        const peer = new HandmadePeer(left, 'ec2')
        await until(() => peer.hasHeard(FrameType.Resume))
        return { peer, over }
      },
      async complete() {
        const session = link.connect()
        await until(isComplete)
        await session.stop()
        expect(disk.bytesOf(`${SPOOL}/000001/binlog.000001`).equals(first)).toBe(true)
        expect(disk.bytesOf(`${SPOOL}/000001/binlog.000002`).equals(second)).toBe(true)
        const stored = fixture.spool.files().reduce((sum, file) => sum + file.transactions, 0)
        expect(fixture.commitMs).toHaveLength(stored)
        expect(fixture.spool.epoch?.epoch).toBe(1)
      },
      [Symbol.asyncDispose]: async () => await fixture[Symbol.asyncDispose](),
    }
  }

  describe('beside another of the same peer', () => {
    test('is the only one that reaches the spool, when the older one is half dead', async () => {
      await using all = await pair()
      const old = await all.peer()
      old.peer.say(...begun, dataFrame(0, first.subarray(0, 1500)))
      await until(() => all.fixture.syncedBytes === 1500)
      const held = all.fixture.spool.end()
      const young = await all.peer()
      expect(await old.over).toBe('ERR_LINK_SUPERSEDED')
      // What the path still had: the very next bytes, a file, an epoch.
      old.peer.say(dataFrame(1500, first.subarray(1500)), encodeFile(0, 0, 'binlog.000002'))
      old.peer.say(
        encodeJson(FrameType.Open, 0, { source, newEpoch: { ...newEpoch, reason: '2' } }),
      )
      const offset = held?.offset ?? 0
      young.peer.say(encodeJson(FrameType.Open, 0, { source, newEpoch: null }))
      young.peer.say(encodeFile(0, offset, NAME), dataFrame(offset, first.subarray(offset)))
      await until(() => all.fixture.spool.end()?.offset === first.length)
      // Only its own bytes are acknowledged to it.
      await until(() => young.peer.hasHeard(FrameType.Ack))
      const acks = young.peer.heard.filter(({ type }) => type === FrameType.Ack)
      expect(acks.at(-1)).toMatchObject({ syncedBytes: first.length - offset })
      young.peer.cut()
      await young.over
      await all.complete()
    })

    test('gives way to one that comes after it, though that one was dialed before', async () => {
      await using all = await pair()
      const young = await all.peer()
      young.peer.say(...begun, dataFrame(0, first.subarray(0, 1500)))
      await until(() => all.fixture.syncedBytes === 1500)
      const late = await all.peer()
      expect(await young.over).toBe('ERR_LINK_SUPERSEDED')
      late.peer.cut()
      expect(await late.over).toBe('ERR_LINK_LOST')
      await all.complete()
    })

    test('waits for the epoch that the older one is beginning', async () => {
      await using all = await pair()
      const old = await all.peer()
      const gate = Promise.withResolvers<undefined>()
      let isBeginning = false
      all.disk.before = ({ name }) => {
        if (name !== 'mkdir') return undefined
        isBeginning = true
        return gate.promise
      }
      old.peer.say(opened)
      await until(() => isBeginning)
      let isAsked = false
      const coming = all.peer().then((peer) => {
        isAsked = true
        return peer
      })
      await until(() => old.peer.closeCode() === 'ERR_LINK_SUPERSEDED')
      for (let turns = 0; turns < 50; turns += 1) await turn()
      expect(isAsked).toBe(false)
      gate.resolve(undefined)
      const young = await coming
      young.peer.say(opened, encodeFile(0, 0, NAME), dataFrame(0, first))
      await until(() => all.fixture.spool.end()?.offset === first.length)
      young.peer.cut()
      await Promise.all([old.over, young.over])
      await all.complete()
    })
  })

  test.each<[string, Judge]>([
    ['late', (message) => (message.readUInt8(0) === FrameType.Ack ? 'delay' : 'deliver')],
    ['lost but for every third', everyThirdAck()],
  ])('goes on within its window when acknowledgements are %s', async (_what, dr) => {
    await using all = await pair(700)
    let mostBytes = 0
    const production: Judge = () => {
      mostBytes = Math.max(mostBytes, all.link.sender.status().inFlightBytes)
      return 'deliver'
    }
    const session = all.link.connect({ production, dr })
    await until(() => (all.fixture.spool.end()?.ordinal ?? 0) > 1 || isStuck(all.link))
    await session.stop()
    expect(mostBytes).toBeGreaterThan(0)
    expect(mostBytes).toBeLessThanOrEqual(700)
    await all.complete()
  })

  test.each<[string, Buffer[], string]>([
    ['a gap', [dataFrame(0, first.subarray(0, 500)), dataFrame(501, first)], 'ERR_SPOOL_POSITION'],
    ['a frame twice', twice(dataFrame(0, first.subarray(0, 500))), 'ERR_SPOOL_POSITION'],
    ['an older frame behind a newer one', swapped(first), 'ERR_SPOOL_POSITION'],
    ['another file in the middle of this one', [encodeFile(0, 500, NAME)], 'ERR_SPOOL_POSITION'],
    ['the same file again', [encodeFile(0, 0, NAME)], 'ERR_SPOOL_FILE_EXISTS'],
    ['a Resume', [encodeJson(FrameType.Resume, 0, {})], 'ERR_LINK_FRAME'],
    ['more than a frame may have', [oversized(FRAME_PAYLOAD_BYTES_MAX + 1)], 'ERR_LINK_FRAME'],
    ['a frame without a byte', [dataFrame(0, Buffer.alloc(0))], 'ERR_LINK_FRAME'],
    ['an Open without its epoch', [encodeJson(FrameType.Open, 0, { source })], 'ERR_LINK_FRAME'],
    ['a frame of a later version', [Buffer.from([13, 0, 0, 0])], 'ERR_LINK_FRAME'],
  ])('refuses %s, says so, and the next one goes on', async (_what, messages, code) => {
    await using all = await pair()
    const { peer, over } = await all.peer()
    peer.say(...begun, ...messages, dataFrame(0, first))
    expect(await over).toBe(code)
    await until(() => peer.closeCode() === code)
    // At most the good bytes before it.
    expect(all.fixture.spool.end()?.offset ?? 0).toBeLessThanOrEqual(500)
    await all.complete()
  })

  test.each<[string, Buffer]>([
    ['bytes', dataFrame(0, Buffer.alloc(FRAME_PAYLOAD_BYTES_MAX))],
    ['words', encodeJson(FrameType.Restart, 0, { message: 'x'.repeat(100_000) })],
    ['frames of nothing', encodeAck(0, 0)],
  ])('refuses more %s than it can hold while an epoch begins', async (_what, frame) => {
    await using all = await pair()
    const { peer, over } = await all.peer()
    const gate = Promise.withResolvers<undefined>()
    all.disk.before = ({ name }) => (name === 'mkdir' ? gate.promise : undefined)
    // Twice what it takes, whatever a frame weighs.
    const count = Math.ceil((4 * FRAME_PAYLOAD_BYTES_MAX) / (frame.length + 500))
    peer.say(opened, ...Array.from({ length: count }, () => frame))
    await until(() => peer.closeCode() === 'ERR_LINK_WINDOW')
    gate.resolve(undefined)
    expect(await over).toBe('ERR_LINK_WINDOW')
    await all.complete()
  })

  test('refuses a frame that is cut off at any byte of its head', async () => {
    const whole = dataFrame(0, first.subarray(0, 200))
    for (let bytes = 0; bytes < 24; bytes += 1) {
      await using all = await pair()
      const { peer, over } = await all.peer()
      peer.say(...begun, whole.subarray(0, bytes))
      expect(await over).toBe('ERR_TRUNCATED')
      expect(all.fixture.syncedBytes).toBe(0)
    }
  })

  test('refuses a frame that is cut off in its bytes', async () => {
    const whole = dataFrame(0, first.subarray(0, 60))
    for (let bytes = 24; bytes < whole.length; bytes += 7) {
      await using all = await pair()
      const { peer, over } = await all.peer()
      peer.say(...begun, whole.subarray(0, bytes))
      expect(await over).toBe('ERR_LINK_FRAME')
    }
  })

  test.each<[string, Buffer[]]>([
    ['above what was sent', [encodeAck(0, 1_000_000)]],
    ['below an earlier one', [encodeAck(0, 4), encodeAck(0, 3)]],
  ])('refuses an acknowledgement %s', async (_what, acks) => {
    await using all = await pair()
    const { left, right } = socketPair()
    const { over } = all.link.send(right)
    const peer = new HandmadePeer(left, 'azure')
    peer.say(
      encodeJson(FrameType.Resume, 0, { stream: 'main', term: 1, held: null, windowBytes: 1_000 }),
    )
    await until(() => peer.hasHeard(FrameType.Data))
    peer.say(...acks)
    expect(await over).toBe('ERR_LINK_ACK')
  })
})

describe('a peer of another version', () => {
  async function hello(fields: HelloFields): Promise<string | undefined> {
    const disk = new MemoryDisk()
    await using fixture = await SpoolFixture.open(SPOOL, { disk })
    const recorded = new RecordedSource('mysql', crc32)
    const { left, right } = socketPair()
    const { over } = new MemoryLink({ source: recorded, spool: fixture }).receive(right)
    const peer = new HandmadePeer(left, 'ec2', fields)
    await until(() => peer.closeCode() !== undefined || peer.hasHeard(FrameType.Resume))
    const code = peer.closeCode()
    peer.cut()
    expect(await over).toBe(code ?? 'ERR_LINK_LOST')
    return code
  }

  test.each([
    { oldest: 1, newest: 1 },
    { oldest: 1, newest: 9 },
    { oldest: 0, newest: 1 },
  ])('is spoken to when it can speak this one: %j', async (protocol) => {
    expect(await hello({ protocol })).toBeUndefined()
  })

  test.each([
    { oldest: 2, newest: 3 },
    { oldest: 0, newest: 0 },
    { oldest: 3, newest: 0 },
  ])('is told so when it cannot: %j', async (protocol) => {
    expect(await hello({ protocol })).toBe('ERR_LINK_VERSION')
  })

  test('may say more than this one knows', async () => {
    const protocol = { oldest: 1, newest: 2, preferred: 2 }
    expect(await hello({ protocol, region: 'eu', features: ['later'] })).toBeUndefined()
  })

  test.each([
    ['no versions', { protocol: undefined }],
    ['versions that are no numbers', { protocol: { oldest: '1', newest: '1' } }],
    ['no streams', { streams: undefined }],
    ['more streams than there can be', { streams: Array.from({ length: 1001 }, () => 's') }],
  ])('is refused when it says %s', async (_what, fields) => {
    expect(await hello(fields)).toBe('ERR_LINK_FRAME')
  })
})

function everyThirdAck(): Judge {
  let acks = 0
  return (message) => {
    if (message.readUInt8(0) !== FrameType.Ack) return 'deliver'
    acks += 1
    return acks % 3 === 0 ? 'deliver' : 'drop'
  }
}

/** The window is closed for good: the acknowledgement that would open it was lost. */
function isStuck(link: MemoryLink): boolean {
  return link.sender.status().inFlightBytes > 0
}

function twice(frame: Buffer): Buffer[] {
  return [frame, frame]
}

function swapped(file: Buffer): Buffer[] {
  return [dataFrame(500, file.subarray(500, 900)), dataFrame(0, file.subarray(0, 500))]
}

function oversized(bytes: number): Buffer {
  return dataFrame(0, Buffer.alloc(bytes))
}
