import { codeOf } from '../base/errors.ts'

/** What a script may rely on. README and `landbridge --help` list the same. */
export const ExitCode = {
  Ok: 0,
  /** Failed, or the gateway is degraded. */
  Failure: 1,
  /** Wrong arguments or configuration: trying again cannot help. */
  Usage: 2,
  /** A stream is blocked until somebody acts. */
  Blocked: 3,
  /** Nobody answers on the gateway's admin socket. */
  Unreachable: 4,
} as const

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode]

const BY_ERROR_CODE: ReadonlyMap<string, ExitCode> = new Map([
  ['ERR_CONFIG', ExitCode.Usage],
  ['ERR_OPERATION_INPUT', ExitCode.Usage],
  ['ERR_SOCKET_CHOICE', ExitCode.Usage],
  ['ERR_STREAM_UNKNOWN', ExitCode.Usage],
  ['ERR_USAGE', ExitCode.Usage],
  ['ERR_GATEWAY_ANSWER', ExitCode.Unreachable],
  ['ERR_GATEWAY_NOT_RUNNING', ExitCode.Unreachable],
  ['ERR_GATEWAY_UNREACHABLE', ExitCode.Unreachable],
])

export function exitCodeFor(error: unknown): ExitCode {
  return BY_ERROR_CODE.get(codeOf(error)) ?? ExitCode.Failure
}
