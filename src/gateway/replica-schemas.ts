import { z } from 'zod'
import type { Finding } from '../database/attach-findings.ts'
import type { SettingChange } from '../database/connection-settings.ts'
import type { ReplicaConnection } from '../database/replica-connection.ts'
import type { ReplicaFacts } from '../database/replica-facts.ts'
import { streamInput } from './stream-choice.ts'

/*
 * What the operations on the replica of a copy take and answer. No password is among it:
 * statements are shown without.
 */

/** As long as both flavours allow. */
export const DELAY_SECONDS_MAX = 2 ** 31 - 1
export const WAIT_SECONDS_MAX = 3_600
const WAIT_SECONDS = 20

export const HOST_CHARACTERS_MAX = 255
/** MySQL's names of channels have no more. */
export const CHANNEL_CHARACTERS_MAX = 64
export const PATH_CHARACTERS_MAX = 4096

const host = z.string().min(1).max(HOST_CHARACTERS_MAX)
const channel = z.string().max(CHANNEL_CHARACTERS_MAX)
const relayHost = host
  .optional()
  .describe("The relay as the replica sees it; default: the gateway's address towards the replica")
const dryRun = z.boolean().default(false).describe('Find out and plan; change nothing')

export const attachInput = z.strictObject({
  stream: streamInput,
  relayHost,
  relayCa: z
    .string()
    .min(1)
    .max(PATH_CHARACTERS_MAX)
    .optional()
    .describe("Path on the replica's machine of the authority to verify the relay with"),
  replace: z.boolean().default(false).describe('Also when it follows something else now'),
  channel: channel.optional().describe('Make it as this channel or named connection'),
  filters: z
    .enum(['refuse', 'accept', 'clear'])
    .default('refuse')
    .describe('What becomes of settings by which it leaves out data'),
  delaySeconds: z
    .int()
    .min(0)
    .max(DELAY_SECONDS_MAX)
    .optional()
    .describe('Apply so late on purpose; default: as now if it follows this relay, else 0'),
  dryRun,
  waitSeconds: z
    .number()
    .min(1)
    .max(WAIT_SECONDS_MAX)
    .default(WAIT_SECONDS)
    .describe('How long both threads may take to run'),
})

export const detachInput = z.strictObject({
  stream: streamInput,
  relayHost,
  force: z.boolean().default(false).describe('Also when it follows something else'),
  channel: channel
    .optional()
    .describe('Which connection `force` ends; default: the one without a name'),
  dryRun,
})

export const statusInput = z.strictObject({ stream: streamInput })

const texts = z.array(z.string()).readonly()

const connection = z.object({
  name: z.string().describe('Of its channel or connection; empty for the one without'),
  host: z.string(),
  port: z.int(),
  user: z.string(),
  usesGtid: z.boolean(),
  caPath: z.string().nullable(),
  sourceServerId: z.int().nullable(),
  sourceUuid: z.string().nullable(),
  receiver: z.enum(['running', 'connecting', 'stopped']),
  applier: z.enum(['running', 'stopped']),
  receiverError: z.string().nullable(),
  applierError: z.string().nullable(),
  lagSeconds: z.number().nullable(),
  delaySeconds: z.number(),
  remainingDelaySeconds: z.number().nullable(),
  filters: texts,
}) satisfies z.ZodType<ReplicaConnection>

const replica = z
  .object({
    flavor: z.enum(['mysql', 'mariadb']),
    version: z.string(),
    serverId: z.int(),
    serverUuid: z.string().nullable(),
    gtidMode: z.string(),
    gtids: z.string().describe('What it has applied'),
    isReadOnly: z.boolean(),
    insistsOnCompression: z.boolean(),
    backslashEscapes: z.boolean(),
    following: connection.nullable().describe('Its connection to this relay'),
    others: z.array(connection).readonly().describe('The sources that it follows besides'),
    filters: texts.describe('Settings of the whole server by which it leaves out data'),
    newFilters: texts.nullable(),
    settings: z.record(z.string(), z.record(z.string(), z.string())).nullable(),
  })
  .describe('ReplicaFacts of database/replica-facts.ts') satisfies z.ZodType<ReplicaFacts>

const finding = z.object({
  severity: z.enum(['error', 'warning']),
  message: z.string(),
  remedy: z.string(),
}) satisfies z.ZodType<Finding>

const change = z.object({
  option: z.string(),
  before: z.string(),
  after: z.string(),
}) satisfies z.ZodType<SettingChange>

const statements = texts.describe('SQL for the replica; ******** stands for a password')

export const attachOutput = z.object({
  ok: z.boolean().describe('False: a dry run found what speaks against it'),
  action: z.enum(['none', 'start', 'attach']),
  dryRun: z.boolean(),
  findings: z.array(finding).readonly(),
  changes: z.array(change).readonly().describe('What the connection was told otherwise before'),
  statements,
  replica,
})

export const detachOutput = z.object({
  action: z.enum(['none', 'detach']),
  dryRun: z.boolean(),
  statements,
  kept: z
    .enum(['released', 'nothing', 'unknown'])
    .nullable()
    .describe('What became of the files that the gateway kept for it; null: nobody asked'),
})

export const statusOutput = z.object({
  ok: z.boolean().describe('Whether it follows this gateway, receives and applies'),
  replica,
})

export type AttachInput = z.output<typeof attachInput>
export type AttachAnswer = z.output<typeof attachOutput>
export type DetachInput = z.output<typeof detachInput>
export type DetachAnswer = z.output<typeof detachOutput>
export type StatusAnswer = z.output<typeof statusOutput>
