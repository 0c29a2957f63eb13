import { CompactText } from '../base/compact-text.ts'
import { ByteReader } from '../base/cursor.ts'
import { type Disk, type DiskFile, readAt } from '../base/disk.ts'
import { isLandbridgeError, LandbridgeError } from '../base/errors.ts'
import type { Flavor } from '../base/flavor.ts'
import { EventFramer, type EventHeader, type EventVisitor } from './event-framer.ts'
import { BINLOG_MAGIC, EVENT_CHECKSUM_BYTES, EVENT_HEADER_BYTES, EventType } from './event-type.ts'
import { crc32 } from './kernel/crc32.ts'
import { MariadbGtidState } from './mariadb-gtid-state.ts'
import { decodeMysqlGtidSet } from './mysql-gtid-set.ts'

/** What a binlog file says of itself before its first transaction. */
export interface FileHead {
  readonly flavor: Flavor
  /** As in the source's greeting. */
  readonly serverVersion: string
  readonly serverId: number
  /** Whether its events end with a CRC32. */
  readonly checksum: boolean
  /**
   * What the source had executed before it began this file: MySQL's Previous_gtids event, MariaDB's
   * Gtid_list event. Null where the file does not say.
   */
  readonly gtidsBefore: CompactText | null
}

/** A head is the first two or three events; of the last one, the list of GTIDs, only its header. */
const HEAD_BYTES_MAX = 128 * 1024
/** A million gaps in the GTIDs of MySQL, or as many domains of MariaDB. */
const GTIDS_BYTES_MAX = 16 * 1024 * 1024
/** `fd 'bin'`: what a file begins with that MySQL encrypts. */
const ENCRYPTED_MAGIC = Buffer.from([0xfd, 0x62, 0x69, 0x6e])
/** In a format description, behind the version of the format. */
const SERVER_VERSION_BYTES = 50
const FORMAT_DESCRIPTION_BYTES_MAX = 1024

/**
 * Null while the file is too short to hold a whole head: somebody begins it. Throws
 * ERR_NOT_A_BINLOG, ERR_BINLOG_ENCRYPTED, ERR_BINLOG_GTIDS, and what a damaged event throws.
 */
export async function readFileHead(path: string, disk: Disk): Promise<FileHead | null> {
  const file = await disk.open(path, 'r')
  try {
    const start = await readAt(file, 0, HEAD_BYTES_MAX)
    refuseForeign(path, start)
    const head = new HeadVisitor(null)
    head.read(start)
    if (head.isEncrypted) throw encrypted(path)
    const { flavor, serverVersion, serverId, checksum, list } = head
    if (flavor === null || !head.isComplete) return null
    const gtidsBefore = list && (await readGtids(file, path, { ...list, flavor, checksum }))
    if (list !== null && gtidsBefore === null) return null
    const about = { flavor, serverVersion, serverId, checksum }
    return { ...about, gtidsBefore: gtidsBefore === null ? null : new CompactText(gtidsBefore) }
  } finally {
    await file.close()
  }
}

/**
 * What a file of one flavor says is before it; null where it does not, is damaged or too short.
 * Throws ERR_BINLOG_GTIDS and the system's errors.
 */
export async function readGtidsBefore(
  path: string,
  flavor: Flavor,
  disk: Disk,
): Promise<string | null> {
  const file = await disk.open(path, 'r')
  try {
    const head = new HeadVisitor(flavor)
    head.read(await readAt(file, 0, HEAD_BYTES_MAX))
    const { checksum, list } = head
    return list && (await readGtids(file, path, { ...list, flavor, checksum }))
  } catch (error) {
    if (!isLandbridgeError(error) || error.code === 'ERR_BINLOG_GTIDS') throw error
    return null
  } finally {
    await file.close()
  }
}

/** An event: where it begins in its file, and how long its header says it is. */
interface EventPlace {
  readonly offset: number
  readonly size: number
}

interface ListPlace extends EventPlace {
  readonly flavor: Flavor
  readonly checksum: boolean
}

/**
 * The list is read whole, by the size in its header: it may be longer than what a framer hands out.
 * Null while the file ends in it. Throws ERR_BINLOG_GTIDS, ERR_EVENT_CHECKSUM, ERR_GTID_SYNTAX.
 */
async function readGtids(
  file: DiskFile,
  path: string,
  { offset, size, flavor, checksum }: ListPlace,
): Promise<string | null> {
  if (offset + size > (await file.stat()).size) return null
  if (size > GTIDS_BYTES_MAX) throw tooLong(path, size)
  const event = await readAt(file, offset, size)
  if (event.length < size) return null
  const end = size - (checksum ? EVENT_CHECKSUM_BYTES : 0)
  if (checksum && crc32(event, 0, end) !== event.readUInt32LE(end)) {
    throw new LandbridgeError(
      'ERR_EVENT_CHECKSUM',
      `the CRC32 of the list of GTIDs in ${path} does not agree with its bytes`,
      { retryable: true, details: { path } },
    )
  }
  const body = event.subarray(EVENT_HEADER_BYTES, end)
  return flavor === 'mysql' ? decodeMysqlGtidSet(body).toString() : gtidList(body)
}

/** To take it for none would serve a replica across what is missing. */
function tooLong(path: string, bytes: number): LandbridgeError {
  return new LandbridgeError(
    'ERR_BINLOG_GTIDS',
    `${path} begins with a list of GTIDs of ${bytes} bytes, over ${GTIDS_BYTES_MAX}`,
    {
      remedy:
        'Look at it with `mysqlbinlog`: a server that has a million gaps in its GTIDs, or a ' +
        'million domains, is to close these; or the file is damaged.',
      details: { path, bytes },
    },
  )
}

function refuseForeign(path: string, bytes: Buffer): void {
  const magic = bytes.subarray(0, BINLOG_MAGIC.length)
  if (magic.equals(ENCRYPTED_MAGIC)) throw encrypted(path)
  if (magic.equals(BINLOG_MAGIC.subarray(0, magic.length))) return
  throw new LandbridgeError('ERR_NOT_A_BINLOG', `${path} does not begin with fe 62 69 6e`, {
    remedy: 'Take it out of the folder, or name the base name of the binlog files in it.',
    details: { path },
  })
}

function encrypted(path: string): LandbridgeError {
  return new LandbridgeError('ERR_BINLOG_ENCRYPTED', `${path} is encrypted by its server`, {
    remedy:
      'Copy the files with `mysqlbinlog --raw --read-from-remote-server` (or mariadb-binlog): ' +
      'what a server sends is plain.',
    details: { path },
  })
}

class HeadVisitor implements EventVisitor {
  flavor: Flavor | null
  serverVersion = ''
  serverId = 0
  checksum = true
  isEncrypted = false
  /** What comes next is no part of the head any more, but for the rest of the list. */
  isComplete = false
  /** The list of GTIDs, of which only the header need be there. */
  list: EventPlace | null = null
  /** Where the next event begins. */
  #offset = BINLOG_MAGIC.length
  readonly #framer = new EventFramer({ checksum: true, visitor: this })

  constructor(flavor: Flavor | null) {
    this.flavor = flavor
  }

  read(bytes: Buffer): void {
    try {
      this.#framer.push(bytes, Math.min(BINLOG_MAGIC.length, bytes.length), bytes.length)
    } catch (error) {
      // What is behind a head may be anything, and of an encrypted file nothing can be read.
      if (!this.isComplete && !this.isEncrypted) throw error
    }
    if (bytes.length === HEAD_BYTES_MAX) this.isComplete = true
  }

  onHeader(header: EventHeader): number {
    if (header.type === EventType.FormatDescription) {
      return Math.min(header.size, FORMAT_DESCRIPTION_BYTES_MAX)
    }
    if (header.type === EventType.MariadbStartEncryption) this.isEncrypted = true
    if (header.type === this.#gtidsType() && !this.isEncrypted) {
      this.list ??= { offset: this.#offset, size: header.size }
    }
    this.isComplete = true
    return 0
  }

  onEnd(header: EventHeader, body: Buffer): void {
    this.#offset += header.size
    if (header.type === EventType.FormatDescription) this.#describe(header, body)
  }

  #gtidsType(): number {
    return this.flavor === 'mysql' ? EventType.MysqlPreviousGtids : EventType.MariadbGtidList
  }

  #describe(header: EventHeader, body: Buffer): void {
    const reader = new ByteReader(body)
    reader.skip(2)
    const version = reader.bytes(SERVER_VERSION_BYTES).toString('latin1')
    this.serverVersion = version.slice(0, `${version}\0`.indexOf('\0'))
    this.serverId = header.serverId
    this.checksum = this.#framer.hasChecksum
    this.flavor ??= /mariadb/i.test(this.serverVersion) ? 'mariadb' : 'mysql'
  }
}

/** Count (its top four bits are flags), then domain 4, server 4, sequence 8 of each. */
function gtidList(body: Buffer): string {
  const reader = new ByteReader(body)
  const state = new MariadbGtidState()
  for (let left = reader.u32() & 0x0fff_ffff; left > 0; left -= 1) {
    const domainId = reader.u32()
    const serverId = reader.u32()
    state.addParts(domainId, serverId, reader.u64())
  }
  return state.toString()
}
