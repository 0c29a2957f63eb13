import type { Clock } from '../base/clock.ts'
import { codeOf, describeError, LandbridgeError } from '../base/errors.ts'
import { KernelBackend } from './kernel-backend.ts'
import type { ProcessRunner } from './process-runner.ts'
import type { TunnelBackend, TunnelSettings } from './tunnel-backend.ts'
import { UserspaceBackend } from './userspace-backend.ts'

export interface BackendOptions {
  readonly backend: 'auto' | 'kernel' | 'userspace'
  readonly settings: TunnelSettings
  /** This gateway's own WireGuard public key. */
  readonly publicKey: string
  /** argv of wireguard-go without the interface name. */
  readonly userspaceArgv: readonly string[]
  /** File that notes a running wireguard-go. */
  readonly recordPath: string
  readonly runner: ProcessRunner
  readonly clock: Clock
}

export interface BackendChoice {
  readonly backend: TunnelBackend
  /** For the log: what was chosen and why. */
  readonly reason: string
}

/** What only means that this machine has no WireGuard in its kernel, or not the tool for it. */
const NO_KERNEL_CODES = ['ERR_TUNNEL_NO_KERNEL', 'ERR_TUNNEL_TOOL']

/** Makes the interface: in the kernel where that works, else with wireguard-go. */
export async function createBackend(
  options: BackendOptions,
  signal: AbortSignal,
): Promise<BackendChoice> {
  const kernel = new KernelBackend(options)
  const userspace = new UserspaceBackend({ ...options, argv: options.userspaceArgv })
  if (options.backend === 'userspace') return make(userspace, 'tunnel.backend says so', signal)
  // A userspace interface that a crash left must go first: it has the name that the kernel wants.
  await cleared(userspace)
  if (options.backend === 'kernel') return make(kernel, 'tunnel.backend says so', signal)
  try {
    return await make(kernel, 'the kernel has WireGuard', signal)
  } catch (error) {
    if (!NO_KERNEL_CODES.includes(codeOf(error))) throw error
    return await make(userspace, describeError(error), signal).catch((cause: unknown) => {
      throw codeOf(cause) === 'ERR_TUNNEL_TOOL' ? neither(error, cause) : cause
    })
  }
}

async function cleared(userspace: UserspaceBackend): Promise<void> {
  try {
    await userspace.clear()
  } catch (error) {
    // Its connection to who answers instead of ours would keep the process from ending.
    await userspace.destroy()
    throw error
  }
}

/** Without the kernel's reason, wireguard-go would look like something that is always needed. */
function neither(kernel: unknown, userspace: unknown): LandbridgeError {
  const reasons = `${describeError(kernel)}; ${describeError(userspace)}`
  return new LandbridgeError('ERR_TUNNEL_TOOL', 'nothing here can make the tunnel', {
    remedy: 'Load the module (`modprobe wireguard`), or `apt-get install wireguard-go`.',
    cause: new AggregateError([kernel, userspace], reasons),
  })
}

async function make(
  backend: TunnelBackend,
  reason: string,
  signal: AbortSignal,
): Promise<BackendChoice> {
  try {
    await backend.create(signal)
  } catch (error) {
    await backend.destroy()
    throw error
  }
  return { backend, reason }
}
