import { join, resolve } from 'node:path'
import type { z } from 'zod'
import type {
  IdentityConfig,
  RelayConfig,
  SiteDatabaseConfig,
  SpoolConfig,
  StreamConfig,
} from './config.ts'
import { loadDatabaseTls } from './database-tls.ts'
import type { Problems } from './problem.ts'
import { databaseSchema, relaySchema, spoolSchema, streamSchema, throttleSchema } from './schema.ts'
import type { ConfigFiles } from './secret-file.ts'

export interface StreamContext {
  readonly dataDir: string | null
  readonly identity: IdentityConfig | null
  readonly files: ConfigFiles
  readonly problems: Problems
}

type Section = z.output<typeof streamSchema>

export async function loadStreams(
  top: { readonly site?: unknown; readonly streams?: unknown },
  context: StreamContext,
): Promise<StreamConfig[]> {
  const streams: StreamConfig[] = []
  const list: readonly unknown[] = Array.isArray(top.streams) ? top.streams : []
  for (const [index, raw] of list.entries()) {
    const section = context.problems.parse(streamSchema, raw, ['streams', index])
    if (section === null) continue
    if (section.origin === top.site && section.database === undefined) {
      const message = `is missing; ${section.name} has its origin at this site, ${section.origin}`
      context.problems.add(`streams[${index}].database`, message)
    }
    const stream = await loadStream(section, index, context)
    if (stream !== null) streams.push(stream)
  }
  return streams
}

async function loadStream(
  section: Section,
  index: number,
  context: StreamContext,
): Promise<StreamConfig | null> {
  const { problems } = context
  const where = `streams[${index}]`
  const given = <Schema extends z.ZodType>(schema: Schema, key: keyof Section) =>
    section[key] === undefined
      ? null
      : problems.parse(schema, section[key], ['streams', index, key])
  const { name, origin } = section
  const database = given(databaseSchema, 'database')
  const throttle = given(throttleSchema, 'throttle')
  const spool = problems.parse(spoolSchema, section.spool ?? {}, ['streams', index, 'spool'])
  const relay = given(relaySchema, 'relay')
  const loaded = {
    database: database === null ? null : await loadDatabase(database, `${where}.database`, context),
    relay: relay === null ? null : await loadRelay(relay, `${where}.relay`, context),
  }
  if (spool === null) return null
  return {
    name,
    origin,
    throttle: { bytesPerSecond: throttle?.bytesPerSecond ?? null },
    spool: toSpool(name, spool, context.dataDir ?? ''),
    ...loaded,
  }
}

async function loadDatabase(
  section: z.output<typeof databaseSchema>,
  where: string,
  context: StreamContext,
): Promise<SiteDatabaseConfig | null> {
  const password = await context.files.password(where, section)
  const { files, problems } = context
  const { host, port, user, flavor } = section
  const tls = await loadDatabaseTls(section.tls, `${where}.tls`, { host, files, problems })
  if (password === null || tls === null) return null
  return { host, port, user, password, tls, serverId: section.serverId ?? null, flavor }
}

function toSpool(
  stream: string,
  section: z.output<typeof spoolSchema>,
  dataDir: string,
): SpoolConfig {
  const { age, size, hardLimit, replicaAge, minimumHold } = section.retention
  return {
    directory: resolve(dataDir, section.directory ?? join('spool', stream)),
    retention: {
      ageMs: age ?? null,
      sizeBytes: size ?? null,
      hardLimit,
      replicaAgeMs: replicaAge,
      minimumHoldMs: minimumHold,
    },
  }
}

async function loadRelay(
  section: z.output<typeof relaySchema>,
  where: string,
  { files, identity, problems }: StreamContext,
): Promise<RelayConfig | null> {
  const password = await files.password(where, section)
  const { certificate, privateKey } = section
  if ((certificate === undefined) !== (privateKey === undefined)) {
    const [has, lacks] =
      certificate === undefined ? ['privateKey', 'certificate'] : ['certificate', 'privateKey']
    problems.add(`${where}.${lacks}`, `is missing; a ${has} needs it beside it`)
    return null
  }
  const certificatePem =
    certificate === undefined
      ? identity?.certificatePem
      : await files.pem(`${where}.certificate`, certificate, 'CERTIFICATE')
  const privateKeyPem =
    privateKey === undefined
      ? identity?.privateKeyPem
      : await files.secretPem(`${where}.privateKey`, privateKey)
  if (password === null || !certificatePem || !privateKeyPem) return null
  return {
    listen: section.listen,
    user: section.user,
    password,
    certificatePem,
    privateKeyPem,
    serverId: section.serverId ?? null,
  }
}
