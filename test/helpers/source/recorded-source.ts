import { setImmediate as turn } from 'node:timers/promises'
import type { Flavor } from '../../../src/base/flavor.ts'
import type { OpenedSource, SourcePort } from '../../../src/link/source-port.ts'
import { DumpDecoder } from '../../../src/source/dump-decoder.ts'
import type { SourceFacts } from '../../../src/source/source-facts.ts'
import type { FileTimes } from '../../../src/source/start-plan.ts'
import { planStart, requirePlace, type StartPlan } from '../../../src/source/start-plan.ts'
import { eventsOf, recordedFacts, recordedFile } from '../fixtures.ts'
import { epochSource } from '../spool/spool-fixture.ts'

const FORMAT = 15
const FIRST_EVENTS = new Set([FORMAT, 35, 163, 161])
const ARTIFICIAL = 0x20

export function recordedSourceFacts(flavor: Flavor): SourceFacts {
  const { serverVersion, serverId, serverUuid, gtidDomainId } = epochSource(flavor)
  return {
    flavor,
    serverVersion,
    serverId,
    serverUuid,
    gtidDomainId,
    logBin: true,
    binlogFormat: 'ROW',
    rowImage: 'FULL',
    checksum: true,
    gtidMode: 'ON',
    netWriteTimeoutSeconds: 60,
    retentionSeconds: null,
    executedGtids: recordedFacts(flavor).end,
    replicatedGtids: '',
    purgedGtids: '',
    files: ([1, 2] as const).map((n) => ({
      name: `binlog.00000${n}`,
      bytes: recordedFile(flavor, n).length,
    })),
  }
}

function fakeRotate(name: string, crc: (bytes: Buffer) => number): Buffer {
  const bytes = Buffer.alloc(19 + 8 + name.length + 4)
  bytes.writeUInt8(4, 4)
  bytes.writeUInt32LE(7, 5)
  bytes.writeUInt32LE(bytes.length, 9)
  bytes.writeUInt16LE(ARTIFICIAL, 17)
  bytes.writeBigUInt64LE(4n, 19)
  bytes.write(name, 27, 'latin1')
  bytes.writeUInt32LE(crc(bytes.subarray(0, -4)), bytes.length - 4)
  return bytes
}

/** A decoder passes nothing of an event on before its header is whole. */
const PASSED_BYTES_MIN = 20

/** The packets that a source sends for `expect`, cut where each event ends and in its middle. */
export function dumpPieces(
  flavor: Flavor,
  expect: StartPlan['expect'],
  crc: (bytes: Buffer) => number,
): Buffer[] {
  const pieces: Buffer[] = []
  let sequence = 0
  const send = (event: Buffer): void => {
    sequence = (sequence + 1) % 256
    const packet = Buffer.alloc(5 + event.length)
    packet.writeUIntLE(event.length + 1, 0, 3)
    packet.writeUInt8(sequence, 3)
    event.copy(packet, 5)
    const middle = 5 + Math.max(PASSED_BYTES_MIN, event.length >> 1)
    pieces.push(packet.subarray(0, middle), packet.subarray(middle))
  }
  for (const n of [1, 2] as const) {
    const name = `binlog.00000${n}`
    if (expect !== null && name < expect.file) continue
    const offset = name === expect?.file ? expect.offset : 0
    send(fakeRotate(name, crc))
    for (const event of eventsOf(recordedFile(flavor, n))) {
      const isHead = FIRST_EVENTS.has(event.type) && event.start < 500
      if (isHead || event.start >= offset) send(event.bytes)
    }
  }
  return pieces
}

/** A source that has exactly the recorded files and sends them as a server would. */
export class RecordedSource implements SourcePort {
  readonly host = 'recorded:3306'
  readonly facts: SourceFacts
  /** Where each dump began, for looking at. */
  readonly starts: (StartPlan['expect'] | 'new epoch')[] = []
  /** When it says that it began its files. */
  times: FileTimes = { oldest: null, held: null }
  /** Waited for after every piece. */
  pause: (signal: AbortSignal) => Promise<void> = async () => await turn()
  readonly #crc: (bytes: Buffer) => number

  constructor(flavor: Flavor, crc: (bytes: Buffer) => number) {
    this.facts = recordedSourceFacts(flavor)
    this.#crc = crc
  }

  async open(held: Parameters<SourcePort['open']>[0]): Promise<OpenedSource> {
    const { flavor } = this.facts
    const { expect, newEpoch, gtids } = planStart(requirePlace(held), this.facts, this.times)
    this.starts.push(newEpoch === null ? expect : 'new epoch')
    return {
      source: epochSource(flavor),
      newEpoch: newEpoch && { ...newEpoch, gtidsBefore: gtids },
      run: async (target, signal) => {
        const options = {
          flavor,
          checksum: true,
          expect,
          resume: expect?.offset === 0 ? ('offset' as const) : ('gtid' as const),
          sink: target,
        }
        const decoder = new DumpDecoder(options)
        for (const piece of dumpPieces(flavor, expect, this.#crc)) {
          signal.throwIfAborted()
          decoder.push(piece)
          target.chunkEnd()
          if (!target.hasRoom) await target.room(signal)
          await this.pause(signal)
        }
        return await aborted(signal)
      },
    }
  }

  async watch(_onSample: unknown, signal: AbortSignal): Promise<void> {
    await aborted(signal).catch(() => undefined)
  }
}

async function aborted(signal: AbortSignal): Promise<never> {
  signal.throwIfAborted()
  return await new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}
