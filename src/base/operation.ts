import { z } from 'zod'
import type { Permission } from './permission.ts'

export interface OperationContext {
  /** Aborted when whoever asked has gone or cancels. */
  readonly signal: AbortSignal
  /** One step of a long operation, for people. Goes to whoever asked, and into the journal. */
  readonly progress: (step: string) => void
}

/** Who asks over the sockets of this machine; a peer is `peer NAME`. */
export const SOCKET_CALLER = 'socket'

export interface RunContext extends OperationContext {
  /** SOCKET_CALLER, or a peer. */
  readonly caller: string
}

/** One thing that a person or a program can ask of a gateway. */
export interface Operation {
  /** Such as `replica.release`: what it is about, then what is done. */
  readonly name: string
  readonly summary: string
  readonly permission: Permission
  /** A strict object; every field has a description. */
  readonly input: z.ZodObject
  readonly output: z.ZodType
  /** `input` has been checked. */
  readonly run: (input: unknown, context: RunContext) => Promise<unknown>
}

/** An operation whose `run` knows the types of its schemas. */
export function defineOperation<Input extends z.ZodObject, Output extends z.ZodType>(operation: {
  readonly name: string
  readonly summary: string
  readonly permission: Permission
  readonly input: Input
  readonly output: Output
  readonly run: (
    input: z.output<Input>,
    context: RunContext,
  ) => Promise<z.input<Output>> | z.input<Output>
}): Operation {
  const { run } = operation
  return {
    ...operation,
    // The table has parsed it by this very schema.
    run: async (input, context) => await run(input as z.output<Input>, context),
  }
}

/** Marks a field of an input or an output that the journal must not have. */
export const SECRET = { secret: true } as const

/** A value of `schema` as the journal may have it: fields marked SECRET are hidden. */
export function withoutSecrets(schema: z.ZodType, value: unknown): unknown {
  if (!(schema instanceof z.ZodObject) || typeof value !== 'object' || value === null) return value
  const fields: Readonly<Record<string, z.ZodType | undefined>> = schema.shape
  return Object.fromEntries(
    Object.entries(value).map(([name, field]) => {
      const isSecret = fields[name]?.meta()?.secret === true
      return [name, isSecret ? '[secret]' : field]
    }),
  )
}
