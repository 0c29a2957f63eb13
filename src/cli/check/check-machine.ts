import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { createServer } from 'node:net'
import { networkInterfaces } from 'node:os'
import { delimiter, dirname, isAbsolute, join } from 'node:path'
import { fetchStatus } from '../../api/admin-client.ts'
import { codeOf } from '../../base/errors.ts'
import type { HostPort } from '../../config/address.ts'
import { formatHostPort } from '../../config/address.ts'
import type { GatewayConfig } from '../../gateway/config/gateway-config.ts'
import { kernelHasWireguard } from '../../tunnel/kernel-support.ts'
import { type ProcessRunner, systemRunner } from '../../tunnel/process-runner.ts'
import type { CheckFinding } from './check-list.ts'

const runner = systemRunner

/** Whether this machine can lock folders and make the tunnel, and with which versions of what. */
export async function checkTools({ tunnel }: GatewayConfig): Promise<CheckFinding[]> {
  const flock = await versionOf('flock', ['--version'])
  const findings: CheckFinding[] = [
    flock === null
      ? missing('error', 'flock', 'apt-get install util-linux')
      : { severity: 'ok', message: flock },
  ]
  if (tunnel.kind === 'external') {
    return [...findings, { severity: 'ok', message: 'the tunnel is external' }]
  }
  const ip = await versionOf('ip', ['-V'])
  const wg = await versionOf('wg', ['--version'])
  const [program = '', ...args] = tunnel.userspaceArgv
  const userspace = await versionOf(program, [...args, '--version'])
  const nft = await versionOf('nft', ['--version'])
  for (const version of [ip, wg, userspace, nft]) {
    if (version !== null) findings.push({ severity: 'ok', message: version })
  }
  if (ip === null) findings.push(missing('error', 'ip', 'apt-get install iproute2'))
  const kernel = await kernelHasWireguard()
  const has = { program, wg: wg !== null, userspace: userspace !== null, kernel }
  findings.push(...backendFindings(tunnel.backend, has))
  if (userspace === null && tunnel.backend !== 'kernel') {
    findings.push(...(await elsewhereFindings(program, process.env.PATH ?? '')))
  }
  if (nft === null) findings.push(missing('error', 'nft', 'apt-get install nftables'))
  if (tunnel.backend !== 'kernel' && userspace !== null) {
    const mustWork = tunnel.backend === 'userspace' || !kernel || wg === null
    findings.push(...tunDeviceFindings(await tunDeviceError(), mustWork))
  }
  return findings
}

/**
 * A gateway takes programs from the system's folders alone, or where the configuration says. One
 * that only the caller's PATH has is worth a word.
 */
export async function elsewhereFindings(program: string, path: string): Promise<CheckFinding[]> {
  if (program.includes('/')) {
    const message = `${program} (tunnel.userspaceBinary) cannot be run`
    const remedy = 'name the place where it is, and see that it may be executed'
    return [{ severity: 'warning', message, remedy }]
  }
  for (const folder of path.split(delimiter)) {
    const place = join(folder, program)
    // A relative folder of PATH means another place to each caller.
    if (!isAbsolute(folder) || (await runner.find(place)) === null) continue
    return [
      {
        severity: 'warning',
        message: `${program} is at ${place}, where the gateway does not look`,
        remedy: `set tunnel.userspaceBinary: ${place}`,
      },
    ]
  }
  return []
}

interface BackendParts {
  /** What starts WireGuard in user space. */
  readonly program: string
  readonly wg: boolean
  readonly userspace: boolean
  readonly kernel: boolean
}

/** What is missing of the back end that was chosen; for `auto`, when neither can work. */
export function backendFindings(
  backend: 'auto' | 'kernel' | 'userspace',
  { program, wg, userspace, kernel }: BackendParts,
): CheckFinding[] {
  if (backend === 'userspace' || (backend === 'auto' && !kernel)) {
    if (userspace) return []
    const finding = missing('error', program, 'apt-get install wireguard-go')
    if (backend === 'userspace') return [finding]
    const message = `the kernel has no WireGuard, and ${finding.message}`
    return [{ ...finding, message, remedy: `\`modprobe wireguard\`, or ${finding.remedy}` }]
  }
  if (backend === 'auto' && userspace) return []
  const findings: CheckFinding[] = []
  if (!wg) findings.push(missing('error', 'wg', 'apt-get install wireguard-tools'))
  if (!kernel) {
    findings.push({
      severity: 'error',
      message: 'the kernel has no WireGuard',
      remedy: '`modprobe wireguard`, or set tunnel.backend: userspace',
    })
  }
  return findings
}

/** Why wireguard-go could not open its device as this user, null when it can. */
async function tunDeviceError(): Promise<string | null> {
  try {
    await access('/dev/net/tun', constants.R_OK | constants.W_OK)
    return null
  } catch (error) {
    return codeOf(error)
  }
}

/** Where the kernel has WireGuard, the device is only what would be taken otherwise. */
export function tunDeviceFindings(code: string | null, mustWork: boolean): CheckFinding[] {
  if (code === null) return []
  const remedy =
    code === 'ENOENT'
      ? '`modprobe tun`; in a container add --device /dev/net/tun'
      : '`chmod 666 /dev/net/tun`, which is its usual mode; in a container allow the device'
  const message = `wireguard-go needs /dev/net/tun (${code})`
  return [{ severity: mustWork ? 'error' : 'warning', message, remedy }]
}

/** First line of what a program says of its version; null when the machine does not have it. */
async function versionOf(program: string, args: readonly string[]): Promise<string | null> {
  if ((await runner.find(program)) === null) return null
  try {
    const [line = ''] = (await runner.run(program, args)).trim().split('\n')
    return line === '' ? `${program} is there` : line
  } catch {
    // It is there but does not know the flag, as old ones of wireguard-go.
    return `${program} is there, of unknown version`
  }
}

function missing(severity: 'warning' | 'error', what: string, remedy: string): CheckFinding {
  return { severity, message: `${what} is not on this machine`, remedy }
}

/** Whether the gateway can write where it has to. */
export async function checkFolders(config: GatewayConfig): Promise<CheckFinding[]> {
  const folders = [config.dataDir, dirname(config.admin.socketPath)]
  for (const { spool } of config.streams) folders.push(spool.directory)
  const findings: CheckFinding[] = []
  for (const folder of new Set(folders)) {
    const nearest = await nearestExisting(folder)
    try {
      await access(nearest, constants.W_OK)
      findings.push({ severity: 'ok', message: `${folder} can be written` })
    } catch {
      const message = `${nearest} cannot be written by this user, and ${folder} is needed`
      findings.push({
        severity: 'error',
        message,
        remedy: `create ${folder} for the gateway's user`,
      })
    }
  }
  return findings
}

async function nearestExisting(folder: string): Promise<string> {
  let path = folder
  while (path !== dirname(path)) {
    const exists = await access(path).then(
      () => true,
      () => false,
    )
    if (exists) break
    path = dirname(path)
  }
  return path
}

/** Whether the ports are free, and the interface's name; a gateway that runs has them itself. */
export async function checkPorts(config: GatewayConfig): Promise<CheckFinding[]> {
  const isRunning = await fetchStatus(config.admin.socketPath, { timeoutMs: 1000 }).then(
    () => true,
    () => false,
  )
  if (isRunning) return [{ severity: 'ok', message: 'the gateway is running and has its ports' }]
  const { tunnel, self } = config
  const findings: CheckFinding[] = []
  if (tunnel.kind === 'external') {
    const link = { host: self.tunnelAddress.address, port: self.linkPort }
    findings.push(await tcpFinding('link', link))
  } else {
    // The tunnel's address, where the link listens, comes with the gateway.
    findings.push(await udpFinding(tunnel.listenPort))
    if (networkInterfaces()[tunnel.interfaceName] !== undefined) {
      findings.push({
        severity: 'warning',
        message: `there is an interface ${tunnel.interfaceName} though no gateway runs`,
        remedy: `\`landbridge tunnel down --config ${config.path}\` removes what a crash left`,
      })
    }
  }
  if (config.page !== null) findings.push(await tcpFinding('page.listen', config.page.listen))
  if (config.metrics !== null)
    findings.push(await tcpFinding('metrics.listen', config.metrics.listen))
  for (const { name, relay } of config.streams) {
    if (relay !== null) findings.push(await tcpFinding(`relay of ${name}`, relay.listen))
  }
  return findings
}

async function udpFinding(port: number): Promise<CheckFinding> {
  const socket = createSocket('udp4')
  try {
    socket.bind(port)
    await once(socket, 'listening')
    return { severity: 'ok', message: `UDP port ${port} is free` }
  } catch (error) {
    return taken(`tunnel.listenPort: UDP port ${port}`, error)
  } finally {
    socket.close()
  }
}

async function tcpFinding(what: string, listen: HostPort): Promise<CheckFinding> {
  const server = createServer()
  try {
    server.listen(listen.port, listen.host)
    await once(server, 'listening')
    return { severity: 'ok', message: `${what}: ${formatHostPort(listen)} is free` }
  } catch (error) {
    return taken(`${what}: ${formatHostPort(listen)}`, error)
  } finally {
    if (server.listening) server.close()
  }
}

function taken(what: string, error: unknown): CheckFinding {
  const remedy =
    codeOf(error) === 'EADDRNOTAVAIL'
      ? 'name an address that this machine has'
      : 'stop what has it (`ss -lntup` shows it), or choose another'
  return { severity: 'error', message: `${what} cannot be had (${codeOf(error)})`, remedy }
}

/** WireGuard refuses handshakes from a clock that went back, and lag is measured with clocks. */
export async function checkClock(runner: ProcessRunner = systemRunner): Promise<CheckFinding[]> {
  if ((await runner.find('timedatectl')) === null) return [clockUnknown('no timedatectl')]
  try {
    const args = ['show', '--property=NTPSynchronized', '--value']
    const isKept = (await runner.run('timedatectl', args, { timeoutMs: 3000 })).trim() === 'yes'
    if (isKept) return [{ severity: 'ok', message: 'the clock is kept by a time service' }]
    const message = 'the clock is not kept by a time service'
    return [{ severity: 'warning', message, remedy: 'start chrony or systemd-timesyncd' }]
  } catch {
    // No systemd runs here, as in a container, where the host keeps the clock.
    return [clockUnknown('timedatectl does not answer')]
  }
}

function clockUnknown(why: string): CheckFinding {
  return {
    severity: 'warning',
    message: `it is not known whether the clock is kept by a time service (${why})`,
    remedy: 'see that chrony or systemd-timesyncd runs; for a container, on its host',
  }
}
