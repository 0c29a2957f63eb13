import { text } from 'node:stream/consumers'
import type { Flavor } from '../../base/flavor.ts'
import { Secret } from '../../base/secret.ts'
import {
  mysqlGtidDumpPacket,
  positionDumpPacket,
  registerPacket,
  sessionStatements,
} from '../../source/dump-request.ts'
import { SourceConnection } from '../../source/source-connection.ts'

/** What `node twin-client.ts` reads from its standard input, as JSON. */
export interface TwinReader {
  readonly flavor: Flavor
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  readonly serverId: number
  readonly serverUuid: string
  /** From where on, so that it gets what the replica itself would get. */
  readonly gtids: string
}

const HEARTBEAT_MS = 2_000
const SECOND_PACKET_MS = 50

/**
 * A process of its own, since it reads from a host of the lab: registers and dumps under another
 * replica's identity, throws away what it gets, and ends when the relay ends it.
 */
async function readAsTwin(reader: TwinReader): Promise<void> {
  const { flavor, host, port, user, serverId, serverUuid, gtids } = reader
  const address = {
    ...{ host, port, user },
    password: new Secret(reader.password),
    // A stranger by profession: it believes any relay.
    tls: { mode: 'unverified', caPem: null } as const,
  }
  const connection = await SourceConnection.open(address, new AbortController().signal)
  const identity = { heartbeatMs: HEARTBEAT_MS, serverId, replicaUuid: serverUuid }
  const statements = sessionStatements({ flavor, ...identity, connectState: gtids })
  for (const statement of statements) await connection.query(statement)
  const socket = connection.takeSocket()
  socket.on('data', () => undefined)
  socket.on('error', () => process.exit(0))
  socket.on('close', () => process.exit(0))
  socket.resume()
  socket.write(registerPacket(serverId, 'twin'))
  // The registration is answered before the next command may be sent.
  const dump =
    flavor === 'mysql'
      ? mysqlGtidDumpPacket(serverId, gtids)
      : positionDumpPacket(flavor, serverId, { file: '', offset: 0 })
  setTimeout(() => socket.write(dump), SECOND_PACKET_MS)
}

async function readJson(): Promise<TwinReader> {
  return JSON.parse(await text(process.stdin))
}

if (import.meta.main) await readAsTwin(await readJson())
