import { randomInt, randomUUID } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { ignoreMissing, replaceFile } from '../base/atomic-file.ts'
import { LandbridgeError } from '../base/errors.ts'
import { PRIVATE_FOLDER_MODE } from '../base/private-folder.ts'

/**
 * What a stream calls itself towards databases. Random once and then kept, so that the source
 * recognises us after a restart and two gateways never collide on a default.
 */
export interface StreamIdentity {
  readonly sourceServerId: number
  readonly replicaUuid: string
  readonly relayServerId: number
  readonly relayUuid: string
}

/** Above what people give their servers by hand. */
const SERVER_ID_MIN = 3_000_000_000
const SERVER_ID_MAX = 4_294_967_000

const schema = z.object({
  sourceServerId: z.number().int().positive(),
  replicaUuid: z.uuid(),
  relayServerId: z.number().int().positive(),
  relayUuid: z.uuid(),
})

/** The identity that was made before; null when there is none yet. */
export async function findStreamIdentity(
  dataDir: string,
  stream: string,
): Promise<StreamIdentity | null> {
  const path = pathOf(dataDir, stream)
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    ignoreMissing(error)
    return null
  })
  return text === null ? null : parseIdentity(path, text)
}

export async function loadStreamIdentity(dataDir: string, stream: string): Promise<StreamIdentity> {
  const known = await findStreamIdentity(dataDir, stream)
  if (known !== null) return known
  const identity: StreamIdentity = {
    sourceServerId: randomInt(SERVER_ID_MIN, SERVER_ID_MAX),
    replicaUuid: randomUUID(),
    relayServerId: randomInt(SERVER_ID_MIN, SERVER_ID_MAX),
    relayUuid: randomUUID(),
  }
  await mkdir(dataDir, { recursive: true, mode: PRIVATE_FOLDER_MODE })
  await replaceFile(pathOf(dataDir, stream), `${JSON.stringify(identity, null, 2)}\n`)
  return identity
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
