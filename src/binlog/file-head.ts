import { ByteReader } from '../base/cursor.ts'
import type { Disk } from '../base/disk.ts'
import { isLandbridgeError, LandbridgeError } from '../base/errors.ts'
import type { Flavor } from '../base/flavor.ts'
import { EventFramer, type EventHeader, type EventVisitor } from './event-framer.ts'
import { BINLOG_MAGIC, EVENT_CHECKSUM_BYTES, EVENT_HEADER_BYTES, EventType } from './event-type.ts'
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
   * Gtid_list event. Null where the file does not say, or says too much to be read here.
   */
  readonly gtidsBefore: string | null
}

/** The events of a head are the first two or three; no larger ones are read. */
const HEAD_BYTES_MAX = 128 * 1024
/** `fd 'bin'`: what a file begins with that MySQL encrypts. */
const ENCRYPTED_MAGIC = Buffer.from([0xfd, 0x62, 0x69, 0x6e])
/** In a format description, behind the version of the format. */
const SERVER_VERSION_BYTES = 50
const FORMAT_DESCRIPTION_BYTES_MAX = 1024

/**
 * Null while the file is too short to hold a whole head: somebody begins it. Throws
 * ERR_NOT_A_BINLOG, ERR_BINLOG_ENCRYPTED, and what a damaged event throws.
 */
export async function readFileHead(path: string, disk: Disk): Promise<FileHead | null> {
  const bytes = await readStart(path, disk)
  refuseForeign(path, bytes)
  const head = new HeadVisitor(null)
  head.read(bytes)
  if (head.isEncrypted) throw encrypted(path)
  const { flavor, serverVersion, serverId, checksum, gtidsBefore } = head
  if (flavor === null || !head.isComplete) return null
  return { flavor, serverVersion, serverId, checksum, gtidsBefore }
}

/** The same of one flavor's file, which may be damaged: null then, too. */
export async function readGtidsBefore(
  path: string,
  flavor: Flavor,
  disk: Disk,
): Promise<string | null> {
  const head = new HeadVisitor(flavor)
  try {
    head.read(await readStart(path, disk))
  } catch (error) {
    if (!isLandbridgeError(error)) throw error
  }
  return head.gtidsBefore
}

async function readStart(path: string, disk: Disk): Promise<Buffer> {
  const head = Buffer.alloc(HEAD_BYTES_MAX)
  const file = await disk.open(path, 'r')
  try {
    const { bytesRead } = await file.read(head, 0, HEAD_BYTES_MAX, 0)
    return head.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
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
  gtidsBefore: string | null = null
  checksum = true
  isEncrypted = false
  /** What comes next is no part of the head any more. */
  isComplete = false
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
    this.isComplete = header.type !== this.#gtidsType()
    return this.isComplete ? 0 : header.size
  }

  onEnd(header: EventHeader, body: Buffer): void {
    if (header.type === EventType.FormatDescription) this.#describe(header, body)
    if (header.type !== this.#gtidsType() || this.gtidsBefore !== null) return
    this.isComplete = true
    // A framer hands out only so much of a body.
    if (body.length < header.size - EVENT_HEADER_BYTES) return
    const end = body.length - (this.checksum ? EVENT_CHECKSUM_BYTES : 0)
    this.gtidsBefore =
      this.flavor === 'mysql'
        ? decodeMysqlGtidSet(body.subarray(0, end)).toString()
        : gtidList(body)
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
