import { spawn } from 'node:child_process'
import { LandbridgeError } from '../../base/errors.ts'

export interface CommandResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program of the system to its end; no shell in between. Output is for small answers. */
export function tryCommand(
  argv: readonly string[],
  options: { readonly stdin?: string; readonly signal?: AbortSignal } = {},
): Promise<CommandResult> {
  const [program = '', ...rest] = argv
  return new Promise((resolve, reject) => {
    const child = spawn(program, rest, { stdio: ['pipe', 'pipe', 'pipe'], signal: options.signal })
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (chunk) => {
      stdout += chunk
    })
    child.stderr.on('data', (chunk) => {
      stderr += chunk
    })
    child.on('error', (cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'ENOENT') return reject(cause)
      resolve({ code: 127, stdout: '', stderr: `${program}: not found` })
    })
    child.on('close', (code) => resolve({ code: code ?? 1, stdout, stderr }))
    child.stdin.on('error', () => undefined)
    child.stdin.end(options.stdin ?? '')
  })
}

/** As tryCommand, but anything but exit code 0 is an error. */
export async function runCommand(
  argv: readonly string[],
  options: { readonly stdin?: string; readonly signal?: AbortSignal } = {},
): Promise<string> {
  const result = await tryCommand(argv, options)
  if (result.code === 0) return result.stdout
  throw new LandbridgeError(
    'ERR_LAB_COMMAND',
    `${argv.join(' ')} ended with ${result.code}: ${result.stderr.trim().slice(0, 400)}`,
    { details: { code: result.code } },
  )
}
