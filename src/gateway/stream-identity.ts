import { randomInt, randomUUID } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { ignoreMissing, replaceFile } from '../base/atomic-file.ts'
import { LandbridgeError } from '../base/errors.ts'
import { PRIVATE_FOLDER_MODE } from '../base/private-folder.ts'

/** As whom a database sees us: one for each dump, since a source ends a dump for its twin. */
export interface ServerIdentity {
  readonly serverId: number
  readonly uuid: string
}

/**
 * What a stream calls itself towards databases. Random once and then kept, so that the source
 * recognises us after a restart and two gateways never collide on a default.
 */
export interface StreamIdentity {
  /** Towards the replicas that the relay feeds. */
  readonly relay: ServerIdentity
  /** Towards the source, by the name of the gateway for which it is read. */
  readonly readers: Readonly<Record<string, ServerIdentity>>
}

/** Above what people give their servers by hand. */
const SERVER_ID_MIN = 3_000_000_000
const SERVER_ID_MAX = 4_294_967_000

const server = z.object({ serverId: z.number().int().positive(), uuid: z.uuid() })
const schema = z.object({ relay: server, readers: z.record(z.string(), server) })

/** The identity that was made before; null when there is none yet. */
export async function findStreamIdentity(
  dataDir: string,
  stream: string,
): Promise<StreamIdentity | null> {
  const path = pathOf(dataDir, stream)
  const text = await readFile(path, 'utf8').catch(ignoreMissing)
  return text === undefined ? null : parseIdentity(path, text)
}

/** With a reader for each of `peers`: those that are missing are made. */
export async function loadStreamIdentity(
  dataDir: string,
  stream: string,
  peers: readonly string[],
): Promise<StreamIdentity> {
  const known = await findStreamIdentity(dataDir, stream)
  const lacking = peers.filter((peer) => known?.readers[peer] === undefined)
  if (known !== null && lacking.length === 0) return known
  const made = Object.fromEntries(lacking.map((peer) => [peer, randomServer()]))
  const identity: StreamIdentity = {
    relay: known?.relay ?? randomServer(),
    readers: { ...known?.readers, ...made },
  }
  await mkdir(dataDir, { recursive: true, mode: PRIVATE_FOLDER_MODE })
  await replaceFile(pathOf(dataDir, stream), `${JSON.stringify(identity, null, 2)}\n`)
  return identity
}

function randomServer(): ServerIdentity {
  return { serverId: randomInt(SERVER_ID_MIN, SERVER_ID_MAX), uuid: randomUUID() }
}

function pathOf(dataDir: string, stream: string): string {
  return join(dataDir, `identity-${stream}.json`)
}

function parseIdentity(path: string, text: string): StreamIdentity {
  try {
    return schema.parse(JSON.parse(text))
  } catch (cause) {
    throw new LandbridgeError('ERR_IDENTITY_FILE', `${path} is damaged`, {
      cause,
      remedy: `Remove ${path}; new random ids are made on the next start.`,
    })
  }
}
