import { resolve } from 'node:path'
import type { z } from 'zod'
import type {
  DatabaseConfig,
  IdentityConfig,
  RelayConfig,
  SourceConfig,
  SpoolConfig,
  StreamConfig,
} from './config.ts'
import { loadDatabaseTls } from './database-tls.ts'
import type { Problems } from './problem.ts'
import {
  relaySchema,
  replicaSchema,
  sourceSchema,
  spoolSchema,
  streamSchema,
  throttleSchema,
} from './schema.ts'
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
    const where = `streams[${index}]`
    checkSide(section, top.site, where, context.problems)
    streams.push(await loadStream(section, index, where, context))
  }
  return streams
}

/** What belongs to the other site's file is an error: here it would silently do nothing. */
function checkSide(section: Section, site: unknown, where: string, problems: Problems): void {
  const sides = {
    production: { needed: 'source', foreign: ['spool', 'relay', 'replica'], other: 'dr' },
    dr: { needed: 'spool', foreign: ['source', 'throttle'], other: 'production' },
  } as const
  if (site !== 'production' && site !== 'dr') return
  const { needed, foreign, other } = sides[site]
  if (section[needed] === undefined) {
    problems.add(`${where}.${needed}`, `is missing; a stream at site ${site} needs it`)
  }
  for (const key of foreign) {
    if (section[key] === undefined) continue
    problems.add(
      `${where}.${key}`,
      `belongs into the file of the gateway at site ${other}; move it`,
    )
  }
}

async function loadStream(
  section: Section,
  index: number,
  where: string,
  context: StreamContext,
): Promise<StreamConfig> {
  const { problems } = context
  const given = <Schema extends z.ZodType>(schema: Schema, key: keyof Section) =>
    section[key] === undefined
      ? null
      : problems.parse(schema, section[key], ['streams', index, key])
  const source = given(sourceSchema, 'source')
  const throttle = given(throttleSchema, 'throttle')
  const spool = given(spoolSchema, 'spool')
  const relay = given(relaySchema, 'relay')
  const replica = given(replicaSchema, 'replica')
  return {
    name: section.name,
    source: source === null ? null : await loadSource(source, `${where}.source`, context),
    throttle: { bytesPerSecond: throttle?.bytesPerSecond ?? null },
    spool: spool === null ? null : toSpool(spool, context.dataDir ?? ''),
    relay: relay === null ? null : await loadRelay(relay, `${where}.relay`, context),
    replica: replica === null ? null : await loadDatabase(replica, `${where}.replica`, context),
  }
}

async function loadSource(
  section: z.output<typeof sourceSchema>,
  where: string,
  context: StreamContext,
): Promise<SourceConfig | null> {
  const database = await loadDatabase(section, where, context)
  if (database === null) return null
  return { ...database, serverId: section.serverId ?? null, flavor: section.flavor }
}

async function loadDatabase(
  section: z.output<typeof replicaSchema>,
  where: string,
  context: StreamContext,
): Promise<DatabaseConfig | null> {
  const password = await context.files.password(where, section)
  const { files, problems } = context
  const { host } = section
  const tls = await loadDatabaseTls(section.tls, `${where}.tls`, { host, files, problems })
  if (password === null || tls === null) return null
  return { host, port: section.port, user: section.user, password, tls }
}

function toSpool(section: z.output<typeof spoolSchema>, dataDir: string): SpoolConfig {
  const { age, size, hardLimit, replicaAge, minimumHold } = section.retention
  return {
    directory: resolve(dataDir, section.directory),
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
