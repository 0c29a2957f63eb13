import { z } from 'zod'
import { LandbridgeError } from '../base/errors.ts'
import { PERMISSIONS } from '../base/permission.ts'
import { termRecordSchema } from '../status/term-record.ts'

/** Bodies of the JSON frames, checked on arrival: a peer may be of another version. */

const flavor = z.enum(['mysql', 'mariadb'])
const safe = z.number().int().nonnegative()
/** More than that are between a receiver and its source hardly ever; then bytes are not counted. */
export const SAMPLE_FILES_MAX = 20_000

/** Of one session. */
export const STREAMS_MAX = 1000

/** Of what is said to people. */
export const TEXT_CHARACTERS_MAX = 4_000

/** What a server or an operation says has any length; a peer takes no more. */
export function cutText(text: string): string {
  return text.length <= TEXT_CHARACTERS_MAX ? text : `${text.slice(0, TEXT_CHARACTERS_MAX - 1)}…`
}

export const sourceIdentity = z.object({
  flavor,
  serverVersion: z.string().max(200),
  serverId: safe,
  serverUuid: z.string().max(64).nullable(),
  gtidDomainId: safe.nullable(),
})

export const hello = z.object({
  /** Oldest and newest protocol version that the speaker can use. */
  protocol: z.object({ oldest: safe, newest: safe }),
  gateway: z.string().max(100),
  site: z.string().max(100),
  software: z.string().max(100),
  /** Streams that the speaker has, with the newest term of each that it knows. */
  streams: z
    .array(
      z.object({
        name: z.string().max(100),
        term: termRecordSchema,
        /** Whether the speaker's site could be its origin. */
        hasDatabase: z.boolean().default(false),
      }),
    )
    .max(STREAMS_MAX)
    .refine(
      (streams) => new Set(streams.map(({ name }) => name)).size === streams.length,
      'a name stands there twice',
    ),
})

/** Both null where a source's log is one sequence, known by its GTIDs alone. */
const place = { file: z.string().max(255).nullable(), offset: safe.nullable() }
type Place = { readonly file: string | null; readonly offset: number | null }
const isPlace = ({ file, offset }: Place): boolean => (file === null) === (offset === null)
const PLACE = 'a file has an offset, and an offset a file'

export const resume = z.object({
  /** Its name; the frame's number stands for it from here on. */
  stream: z.string().max(100),
  /** In which the speaker is a copy, and takes the other for the origin. */
  term: safe.positive(),
  held: z
    .object({
      epoch: safe,
      source: sourceIdentity,
      ...place,
      complete: z.boolean(),
      gtids: z.string(),
      /** Of the first event of `file` and of the newest one held, by the source's clock. */
      firstTimestamp: safe.optional(),
      lastTimestamp: safe.optional(),
    })
    .refine(isPlace, PLACE)
    .nullable(),
  windowBytes: safe.positive(),
})

export const open = z.object({
  source: sourceIdentity,
  newEpoch: z
    .object({
      reason: z.string().max(1000),
      gtidsBefore: z.string(),
      /** What was held before counts for nothing any more: the source was reset. */
      breaksLineage: z.boolean().default(false),
    })
    .nullable(),
})

export const sample = z
  .object({
    atMs: z.number(),
    ...place,
    gtids: z.string().nullable(),
    /** Of the server that said so; none on MariaDB. */
    serverUuid: z.string().max(64).nullish(),
    /** The source's clock minus that of the gateway there, and how far off that may be. */
    sourceClock: z.object({ aheadMs: z.number(), doubtMs: z.number().nonnegative() }).nullish(),
    /** The source's files from the one on that the receiver is in, now and then. */
    files: z
      .array(z.object({ name: z.string().max(255), bytes: safe }))
      .max(SAMPLE_FILES_MAX)
      .optional(),
  })
  .refine(isPlace, PLACE)

export const state = z.object({
  state: z.enum(['connecting', 'streaming', 'parked', 'blocked']),
  host: z.string().max(300),
  problem: z
    .object({
      code: z.string().max(100),
      message: z.string().max(TEXT_CHARACTERS_MAX),
      remedy: z.string().max(TEXT_CHARACTERS_MAX).nullable(),
      sinceMs: z.number(),
    })
    .nullable(),
})

export const restart = z.object({
  code: z.string().max(100),
  message: z.string().max(TEXT_CHARACTERS_MAX),
})
export const close = restart

/** An operation that is asked of the other gateway; `id` is the asker's own count. */
export const request = z.object({
  id: safe,
  operation: z.string().max(100),
  input: z.unknown(),
  granted: z.enum(PERMISSIONS),
})

const callError = z.object({
  code: z.string().max(100),
  message: z.string().max(TEXT_CHARACTERS_MAX),
  remedy: z.string().max(TEXT_CHARACTERS_MAX).optional(),
  retryable: z.boolean().default(false),
})

/** `progress` until the last one, which has `output` or `error`. */
export const reply = z.object({
  id: safe,
  progress: z.string().max(TEXT_CHARACTERS_MAX).optional(),
  output: z.unknown().optional(),
  error: callError.optional(),
})

export const cancel = z.object({ id: safe })

export type CallError = z.output<typeof callError>
export type Reply = z.output<typeof reply>
export type Hello = z.infer<typeof hello>
export type Resume = z.infer<typeof resume>
export type Open = z.infer<typeof open>
export type Sample = z.infer<typeof sample>
export type State = z.infer<typeof state>
export type Close = z.infer<typeof close>

/** Throws ERR_LINK_FRAME naming the field. */
export function parseBody<T>(schema: z.ZodType<T>, body: unknown, what: string): T {
  const result = schema.safeParse(body)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  throw new LandbridgeError(
    'ERR_LINK_FRAME',
    `the peer's ${what} frame is unusable: ${issue?.path.join('.')}: ${issue?.message}`,
  )
}
