import { z } from 'zod'
import { codeOf, describeError, LandbridgeError } from '../base/errors.ts'
import { type Operation, type RunContext, withoutSecrets } from '../base/operation.ts'
import { type Permission, permits } from '../base/permission.ts'
import type { Journal } from './journal.ts'

export interface OperationRequest extends RunContext {
  readonly name: string
  /** As it came: not checked yet. */
  readonly input: unknown
  readonly granted: Permission
}

/**
 * At once, over all callers: of those that `read`, and of those that change something. Each may
 * hold connections to databases, and whoever may only read keeps nobody from recovering.
 */
const RUNNING_MAX = 16

/**
 * Everything that can be asked of a gateway, for whoever asks: the admin socket, peers, the page.
 * What changes something is written into the journal before it begins and when it has ended.
 */
export class OperationTable {
  readonly #operations: ReadonlyMap<string, Operation>
  readonly #journal: Journal
  readonly #reading = new Set<Promise<unknown>>()
  readonly #changing = new Set<Promise<unknown>>()

  constructor(operations: readonly Operation[], journal: Journal) {
    this.#operations = new Map(operations.map((operation) => [operation.name, operation]))
    this.#journal = journal
    if (this.#operations.size < operations.length) throw new TypeError('a name stands twice')
  }

  list(): readonly Operation[] {
    return [...this.#operations.values()]
  }

  /**
   * Throws ERR_OPERATION_UNKNOWN, ERR_OPERATION_DENIED, ERR_OPERATION_INPUT, ERR_OPERATION_BUSY,
   * and what the operation itself fails with.
   */
  async call(request: OperationRequest): Promise<unknown> {
    const operation = this.#find(request)
    const input = checkedInput(operation, request.input)
    const isRead = operation.permission === 'read'
    const slots = isRead ? this.#reading : this.#changing
    if (slots.size >= RUNNING_MAX) throw busy(isRead)
    const running = isRead
      ? run(operation, input, request)
      : this.#journaled(operation, input, request)
    const settled = running.catch(() => undefined)
    slots.add(settled)
    try {
      return operation.output.parse(await running)
    } finally {
      slots.delete(settled)
    }
  }

  /** Settles when nothing runs any more, its end in the journal included. */
  async settled(): Promise<void> {
    await Promise.all([...this.#reading, ...this.#changing])
  }

  #find({ name, granted }: OperationRequest): Operation {
    const operation = this.#operations.get(name)
    if (operation === undefined) {
      throw new LandbridgeError('ERR_OPERATION_UNKNOWN', `there is no operation ${name}`, {
        remedy: '`landbridge operation list` names them all.',
      })
    }
    if (permits(granted, operation.permission)) return operation
    throw new LandbridgeError(
      'ERR_OPERATION_DENIED',
      `${name} needs the permission ${operation.permission}, this caller has ${granted}`,
      {
        remedy:
          "Root and the gateway's user may ask for everything on its machine. A peer may ask for " +
          'what `permission` in its peer file says.',
      },
    )
  }

  async #journaled(
    operation: Operation,
    input: unknown,
    request: OperationRequest,
  ): Promise<unknown> {
    const { name } = operation
    const { caller } = request
    const asked = withoutSecrets(operation.input, input)
    const number = await this.#journal.begin({ operation: name, caller, detail: asked })
    const line = { run: number, operation: name, caller }
    let isOver = false
    const progress = (step: string): void => {
      if (isOver) return
      request.progress(step)
      void this.#journal.add({ ...line, phase: 'step', detail: step })
    }
    try {
      const output = await run(operation, input, { ...request, progress })
      isOver = true
      const detail = withoutSecrets(operation.output, output)
      await this.#journal.add({ ...line, phase: 'done', detail })
      return output
    } catch (error) {
      isOver = true
      const detail = { code: codeOf(error), message: describeError(error) }
      await this.#journal.add({ ...line, phase: 'failed', detail })
      throw error
    }
  }
}

async function run(
  operation: Operation,
  input: unknown,
  { signal, progress, caller }: RunContext,
): Promise<unknown> {
  signal.throwIfAborted()
  return await operation.run(input, { signal, progress, caller })
}

/** What comes from outside, as the operation takes it. Throws ERR_OPERATION_INPUT. */
export function checkedInput<Input extends z.ZodObject>(
  operation: { readonly name: string; readonly input: Input },
  raw: unknown,
): z.output<Input> {
  const { data, error } = operation.input.safeParse(raw ?? {})
  if (error === undefined) return data
  const problems = error.issues.map(
    ({ path, message }) => `${path.join('.') || 'input'}: ${message}`,
  )
  throw new LandbridgeError(
    'ERR_OPERATION_INPUT',
    `${operation.name} cannot be asked so: ${problems.join('; ')}`,
    {
      remedy: '`landbridge operation list --json` has the schema of its input.',
      details: { schema: z.toJSONSchema(operation.input) },
    },
  )
}

function busy(isRead: boolean): LandbridgeError {
  const kind = isRead ? 'that read' : 'that change something'
  const message = `${RUNNING_MAX} operations ${kind} run already`
  return new LandbridgeError('ERR_OPERATION_BUSY', message, {
    retryable: true,
    remedy: 'Ask again when one of them has ended.',
  })
}
