import type { Command } from 'commander'
import type { z } from 'zod'
import { callOperation } from '../../api/admin-client.ts'
import { codeOf, isAbortError, isLandbridgeError, LandbridgeError } from '../../base/errors.ts'
import type { Permission } from '../../base/permission.ts'
import { type GatewayChoice, resolveSocket } from '../status/gateway-socket.ts'
import { errorOutput } from '../terminal/terminal.ts'

/** What commands that ask a gateway, or a peer through it, have in common. */
export interface AskFlags extends GatewayChoice {
  readonly peer?: string
  readonly json?: boolean
}

/** The options of AskFlags. */
export function addAsking(command: Command): Command {
  return command
    .option('-c, --config <file>', 'configuration of the gateway to ask')
    .option('-s, --socket <path>', 'admin socket of the gateway to ask')
    .option('--peer <name>', 'ask this other gateway, through the one that is named')
    .option('--json', 'print one JSON object')
}

export interface Question<Output extends z.ZodType> {
  readonly name: string
  readonly permission: Permission
  readonly input: object
  readonly output: Output
  /** Without an answer, or a step, for so long it is given up. Default: 60 s. */
  readonly silentMsMax?: number
  /**
   * Does the same in this process, by the configuration of that path; `silence`: why no gateway is
   * asked. Null: only a gateway can.
   */
  readonly here: ((configPath: string, silence: unknown) => Promise<z.output<Output>>) | null
}

export interface Answer<Output> {
  readonly output: Output
  /** False: no gateway does, and it was done in this process. */
  readonly gatewayAnswers: boolean
}

/**
 * Asks the gateway that the flags name. Where none runs on this machine, or for what only reads
 * none answers, it is done `here` if it can be, for which the flags have to name a configuration.
 * Throws what the gateway says, and ERR_GATEWAY_ANSWER where it is of another version.
 */
export async function askGateway<Output extends z.ZodType>(
  flags: AskFlags,
  question: Question<Output>,
  signal: AbortSignal,
): Promise<Answer<z.output<Output>>> {
  const { here } = question
  try {
    return { output: await asked(flags, question, signal), gatewayAnswers: true }
  } catch (error) {
    const { config, socket, peer } = flags
    const isElsewhere = config === undefined || socket !== undefined || peer !== undefined
    if (here === null || isElsewhere || !isAway(error, question.permission)) throw error
    return { output: await here(config, error), gatewayAnswers: false }
  }
}

async function asked<Output extends z.ZodType>(
  flags: AskFlags,
  { name, permission, input, output, silentMsMax }: Question<Output>,
  signal: AbortSignal,
): Promise<z.output<Output>> {
  const socket = await resolveSocket(flags)
  const onProgress = (step: string): void => {
    // For whoever waits; a script has the answer, and the journal has the steps.
    if (errorOutput.isScreen && flags.json !== true) errorOutput.write(`${step}\n`)
  }
  const options = { ...(silentMsMax !== undefined && { silentMsMax }), signal, onProgress }
  const peer = flags.peer === undefined ? {} : { peer: flags.peer }
  const operation = { name, permission }
  const call = callOperation<unknown>(socket, operation, input, { ...options, ...peer })
  const raw = await call.catch((error: unknown) => {
    if (permission !== 'read' && signal.aborted && isAbortError(error)) throw interrupted(name)
    throw codeOf(error) === 'ERR_OPERATION_UNKNOWN' ? olderGateway(name) : error
  })
  const { data, success } = output.safeParse(raw)
  if (success) return data
  throw new LandbridgeError('ERR_GATEWAY_ANSWER', `the gateway answers ${name} in another form`, {
    remedy: 'Use the landbridge command of the same version as the gateway.',
  })
}

/** Our own commands ask for what their version has. */
function olderGateway(name: string): LandbridgeError {
  return new LandbridgeError('ERR_OPERATION_UNKNOWN', `the gateway does not know ${name}`, {
    remedy: 'Install the version of this command there too, and restart the gateway.',
  })
}

/** Whoever interrupts has gone when the gateway says how far it came. */
function interrupted(name: string): LandbridgeError {
  return new LandbridgeError('ERR_INTERRUPTED', `interrupted: the gateway stops ${name} too`, {
    remedy: '`landbridge operation journal` says how far it came.',
  })
}

/**
 * One that refuses to be asked does answer; and what changes something, one that is late, or broke
 * off, may be at just then.
 */
function isAway(error: unknown, permission: Permission): boolean {
  if (codeOf(error) === 'ERR_GATEWAY_NOT_RUNNING') return true
  if (permission !== 'read' || codeOf(error) !== 'ERR_GATEWAY_UNREACHABLE') return false
  return isLandbridgeError(error) && error.retryable
}

export const NO_GATEWAY = 'no gateway answers on this machine: this command did it by itself\n'
