import { spawn } from 'node:child_process'
import { constants } from 'node:fs'
import { access, type FileHandle, mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LandbridgeError } from '../base/errors.ts'

/** Runs short-lived programs of the system. Passed in, so that plans can be tested without root. */
export interface ProcessRunner {
  /** What the program printed. Rejects with ERR_TUNNEL_COMMAND when it does not end with 0. */
  run(program: string, args: readonly string[], options?: RunOptions): Promise<string>
  /** Absolute path of a program, or null when the machine does not have it. */
  find(program: string): Promise<string | null>
}

export interface RunOptions {
  /** Never in argv, which every user can read: keys and rules go in here. */
  readonly stdin?: string
  readonly timeoutMs?: number
}

const SEARCH_PATH = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']
/** A fixed environment: the caller's PATH or language must not change what is run or read. */
export const PROGRAM_ENV = { PATH: SEARCH_PATH.join(':'), LC_ALL: 'C' } as const
const OUTPUT_BYTES_MAX = 1024 * 1024
const RUN_MS_MAX = 10_000

export const systemRunner: ProcessRunner = {
  async find(program) {
    if (program.includes('/')) return (await isExecutable(program)) ? program : null
    for (const folder of SEARCH_PATH) {
      const path = join(folder, program)
      if (await isExecutable(path)) return path
    }
    return null
  },

  async run(program, args, options = {}) {
    const path = await systemRunner.find(program)
    if (path === null) throw missingProgram(program)
    const input = options.stdin === undefined ? null : await anonymousFile(options.stdin)
    try {
      return await runToEnd(path, args, input, options.timeoutMs ?? RUN_MS_MAX)
    } finally {
      await input?.close()
    }
  },
}

export function missingProgram(program: string): LandbridgeError {
  return new LandbridgeError('ERR_TUNNEL_TOOL', `${program} is not on this machine`, {
    remedy: `install ${program} (Debian: iproute2, wireguard-tools, wireguard-go, nftables)`,
    details: { program },
  })
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  )
}

/**
 * A file without a name. Node's own stdin pipe is a socket, and `wg` and `nft` open /dev/stdin by
 * name, which a socket refuses.
 */
async function anonymousFile(content: string): Promise<FileHandle> {
  const folder = await mkdtemp(join(tmpdir(), 'landbridge-'))
  try {
    const file = await open(join(folder, 'stdin'), 'wx+', 0o600)
    // At an explicit position, so that the reader starts at 0.
    await file.write(Buffer.from(content), 0, null, 0)
    return file
  } finally {
    await rm(folder, { recursive: true })
  }
}

function runToEnd(
  path: string,
  args: readonly string[],
  input: FileHandle | null,
  timeoutMs: number,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(path, [...args], {
      env: PROGRAM_ENV,
      stdio: [input?.fd ?? 'ignore', 'pipe', 'pipe'],
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
    })
    const output = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'] as const) {
      child[name]?.setEncoding('utf8').on('data', (text: string) => {
        if (output[name].length < OUTPUT_BYTES_MAX) output[name] += text
      })
    }
    child.on('error', (cause) => reject(commandError(path, args, cause.message, { cause })))
    child.on('close', (code, killedBy) => {
      if (code === 0) resolve(output.stdout)
      else
        reject(commandError(path, args, output.stderr.trim() || `ended with ${code ?? killedBy}`))
    })
  })
}

function commandError(
  path: string,
  args: readonly string[],
  reason: string,
  options: { readonly cause?: unknown } = {},
): LandbridgeError {
  const command = [path, ...args].join(' ')
  return new LandbridgeError('ERR_TUNNEL_COMMAND', `\`${command}\`: ${reason.slice(0, 500)}`, {
    remedy: 'the gateway needs CAP_NET_ADMIN; run `landbridge check`',
    retryable: true,
    ...options,
  })
}
