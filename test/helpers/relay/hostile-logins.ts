import { ByteWriter } from '../../../src/base/cursor.ts'
import type { Flavor } from '../../../src/base/flavor.ts'
import { crowd, hostOf } from '../link/stranger.ts'
import { RelayClient } from './relay-client.ts'

const QUERY = 0x03
const DUMP = 0x12
const REGISTER = 0x15
const DUMP_GTID = 0x1e
const MIB = 1024 * 1024
const AT_ONCE = 8
/** As many hosts as are needed to come as often as one likes. */
const HOSTS = 12
/** Beyond every limit of an address and of the relay. */
const LOGINS = 72
const DUMPS = 40

/** How many servers or domains are in a position, which nobody ever heard of. */
const MEMBERS = [1, 8_000, 25_000]
const SETS = MEMBERS.map(setOf)
const STATES = MEMBERS.map((count) =>
  Array.from({ length: count }, (_, at) => `${100 + at}-1-1`).join(),
)

function setOf(members: number): Buffer {
  const set = new ByteWriter(members * 40 + 8).u64(members)
  for (let at = 0; at < members; at += 1) {
    const uuid = Buffer.alloc(16, 0xcc)
    uuid.writeUInt32BE(at, 0)
    set.bytes(uuid).u64(1).u64(1).u64(2)
  }
  return set.take()
}

/** Clients that know the relay's password and ask for more than is good for it. */
export class HostileLogins {
  readonly #flavor: Flavor
  readonly #login: { readonly port: number; readonly password: string }
  readonly #clients: RelayClient[] = []

  constructor(flavor: Flavor, login: { readonly port: number; readonly password: string }) {
    this.#flavor = flavor
    this.#login = login
  }

  /** Variables as large as they may be, and answers made of them that nobody takes. */
  async answers(): Promise<void> {
    await this.#each(LOGINS, async (client) => {
      await client.ok(`SET @slave_connect_state='${'x'.repeat(180_000)}', @a=1`)
      await client.ok(`SET @a=@slave_connect_state /* ${'remark'.repeat(9_000)} */`)
      for (let count = 0; count < 8; count += 1) {
        client.command(QUERY, `SELECT ${Array.from({ length: 16 }, () => '@a').join()}`)
        client.command(QUERY, `SELECT ${Array.from({ length: 9_000 }, () => '@a').join()}`)
        client.command(QUERY, `SELECT @a /* ${'remark'.repeat(9_000)} */`)
        client.command(QUERY, `SET @slave_connect_state='${'x'.repeat(400_000)}'`)
      }
    })
  }

  /** Packets that lack their last byte. */
  async packets(): Promise<void> {
    await this.#each(LOGINS, async (client) => {
      const head = Buffer.from([0, 0, 0, 0])
      head.writeUIntLE(2 * MIB, 0, 3)
      client.socket.write(Buffer.concat([head, Buffer.alloc(2 * MIB - 1, 1)]))
    })
  }

  /** Dumps of a replica each that stands where nobody does, and takes nothing. */
  async dumps(): Promise<void> {
    await this.#each(DUMPS, async (client, index) => {
      await client.ok("SET @master_binlog_checksum='CRC32', @master_heartbeat_period=1000000000")
      if (this.#flavor === 'mysql') await this.#dumpMysql(client, index)
      else await this.#dumpMariadb(client, index)
      // The first packet comes, the rest is left to lie.
      await client.next()
    })
  }

  async #dumpMysql(client: RelayClient, index: number): Promise<void> {
    const uuid = `bbbbbbbb-0000-0000-0000-${String(index).padStart(12, '0')}`
    await client.ok(`SET @slave_uuid='${uuid}'`)
    const set = SETS[index % SETS.length] ?? Buffer.alloc(8)
    const body = new ByteWriter(set.length + 32)
      .u16(2)
      .u32(9_000 + index)
      .u32(0)
      .u64(4)
    client.command(DUMP_GTID, body.u32(set.length).bytes(set).take())
  }

  async #dumpMariadb(client: RelayClient, index: number): Promise<void> {
    const serverId = 9_000 + index
    const state = STATES[index % STATES.length]
    await client.ok(`SET @mariadb_slave_capability=4, @slave_connect_state='${state}'`)
    const me = new ByteWriter().u32(serverId).u8(0).u8(0).u8(0).u16(3306).u32(0).u32(0)
    client.command(REGISTER, me.take())
    await client.need()
    client.command(DUMP, new ByteWriter().u32(4).u16(2).u32(serverId).take())
  }

  /** Logins that only stay. */
  async stay(): Promise<void> {
    await this.#each(2 * LOGINS, async () => undefined)
  }

  /** Tries to end every connection there is; returns how often that was denied, and done. */
  async kill(): Promise<{ readonly denied: number; readonly done: number }> {
    const client = await this.#enter(0)
    let [denied, done] = [0, 0]
    for (let id = 1; id <= 2_000; id += 1) {
      client.command(QUERY, `KILL ${id}`)
      const reply = await client.next()
      // Its own, by which it ends itself.
      if (reply === undefined) break
      const number = reply.payload[0] === 0 ? 0 : reply.payload.readUInt16LE(1)
      if (number === 0) done += 1
      if (number === 1095) denied += 1
    }
    return { denied, done }
  }

  leave(): void {
    for (const client of this.#clients.splice(0)) client.destroy()
  }

  async #enter(index: number): Promise<RelayClient> {
    const from = hostOf(index % HOSTS)
    const client = await RelayClient.login({ ...this.#login, user: 'replica', tls: true, from })
    client.socket.on('error', () => undefined)
    this.#clients.push(client)
    return client
  }

  /** Being turned away, sooner or later, is what they are there for. */
  async #each(
    count: number,
    visit: (client: RelayClient, index: number) => Promise<void>,
  ): Promise<void> {
    await crowd(count, AT_ONCE, async (index) => {
      const client = await this.#enter(index).catch(() => null)
      if (client !== null) await visit(client, index).catch(() => undefined)
    })
  }
}
