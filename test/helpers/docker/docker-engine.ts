import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, open, readdir, readFile, realpath, rm, rmdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ignoreMissing } from '../../../src/base/atomic-file.ts'
import { runCommand, tryCommand } from '../../../src/lab/hosts/command.ts'
import {
  pidStartTicks,
  signalProcess,
  waitForExit,
} from '../../../src/lab/servers/process-identity.ts'
import { findOnPath } from '../../../src/setup/cache.mjs'

const START_MS_MAX = 30_000
const STOP_MS_MAX = 20_000
/** Each look is a program of its own. */
const POLL_MS = 500
const SUBNET = '192.0.2.0/24'

/** A process that only its pid together with its start names for certain. */
interface ProcessName {
  readonly pid: number
  readonly startTicks: string
}

/** In a container without privileges, say: the machine lacks something, not landbridge. */
export class NoEngine extends Error {}

/**
 * A Docker engine of the test's own, in a network namespace and a folder of its own: no bridge, no
 * rule of a firewall and no image of it is ever seen on the machine, and it can reach nothing.
 */
export class DockerEngine {
  readonly directory: string
  /** Of the one network, `lb`: here the namespace itself is reached from a container. */
  readonly hostAddress = '192.0.2.1'
  readonly #namespace: string
  #dockerd: ProcessName | null = null

  private constructor(directory: string) {
    this.directory = directory
    this.#namespace = basename(directory)
  }

  /** Why there can be no engine here, null when there can be. */
  static obstacle(): string | null {
    if (process.platform !== 'linux') return `Docker's engine needs Linux, not ${process.platform}`
    if (process.getuid?.() !== 0) return "only root can start Docker's engine; use sudo"
    const absent = ['dockerd', 'docker', 'iptables'].filter((name) => !findOnPath(name))
    if (absent.length === 0) return null
    return `there is no ${absent.join(', ')} on this machine; apt-get install docker.io iptables`
  }

  /** What a killed test left is removed by the next one: nobody else knows its names. */
  static async #sweep(folder: string): Promise<void> {
    for (const name of await readdir(folder)) {
      const [, pid] = /^lbdocker-(\d+)$/.exec(name) ?? []
      const isLeft = pid !== undefined && pidStartTicks(Number(pid)) === undefined
      if (isLeft) await new DockerEngine(join(folder, name)).stop()
    }
  }

  static async start(): Promise<DockerEngine> {
    const folder = await realpath(tmpdir())
    await DockerEngine.#sweep(folder)
    const engine = new DockerEngine(join(folder, `lbdocker-${process.pid}`))
    try {
      await engine.#start()
      return engine
    } catch (error) {
      await engine.stop()
      throw error
    }
  }

  /** argv put before a program that is to run where the engine's networks are. */
  get commandPrefix(): readonly string[] {
    // Not `ip netns exec`, which hides the cgroups that the engine needs.
    return ['nsenter', `--net=/run/netns/${this.#namespace}`]
  }

  /** What `docker ...` printed. */
  async docker(...args: readonly string[]): Promise<string> {
    return (await runCommand([...this.#command, ...args])).trim()
  }

  /** With its exit code, whatever that is. */
  async tryDocker(...args: readonly string[]) {
    return await tryCommand([...this.#command, ...args])
  }

  /** Polls until `accept` likes what `docker ...` printed; throws with the last words. */
  async until(
    args: readonly string[],
    accept: (output: string) => boolean,
    limitMs = 60_000,
  ): Promise<string> {
    const deadlineMs = performance.now() + limitMs
    for (;;) {
      const { stdout, stderr } = await this.tryDocker(...args)
      if (accept(stdout)) return stdout
      if (performance.now() > deadlineMs) {
        throw new Error(`not in ${limitMs} ms: docker ${args.join(' ')}: ${stdout}${stderr}`)
      }
      await sleep(POLL_MS)
    }
  }

  /** Ends what it started, by pid, and removes all that these left; nothing else. */
  async stop(): Promise<void> {
    if (this.#dockerd !== null) {
      const list = await this.tryDocker('ps', '--all', '--quiet')
      const containers = list.stdout.split('\n').filter((id) => id !== '')
      if (containers.length > 0) await this.tryDocker('rm', '--force', ...containers)
      await end(this.#dockerd)
      this.#dockerd = null
    }
    // These are there still when the test was killed, or when dockerd had to be.
    for (const file of ['dockerd.pid', 'exec/containerd/containerd.pid']) {
      const left = await this.#running(file)
      if (left !== null) await end(left)
    }
    await this.#unmount()
    await tryCommand(['ip', 'netns', 'delete', this.#namespace])
    try {
      await this.#removeCgroups()
    } finally {
      await rm(this.directory, { recursive: true, force: true })
    }
  }

  get #command(): readonly string[] {
    const config = `DOCKER_CONFIG=${join(this.directory, 'config')}`
    return ['env', config, 'docker', '--host', `unix://${this.directory}/docker.sock`]
  }

  async #start(): Promise<void> {
    await mkdir(this.directory, { mode: 0o700 })
    await mkdir(join(this.directory, 'config'))
    await writeFile(join(this.directory, 'daemon.json'), '{}')
    await runCommand(['ip', 'netns', 'add', this.#namespace])
    await runCommand(['ip', '-n', this.#namespace, 'link', 'set', 'lo', 'up'])
    const child = await this.#spawn()
    const deadlineMs = performance.now() + START_MS_MAX
    while ((await this.tryDocker('version')).code !== 0) {
      if (child.exitCode !== null || performance.now() > deadlineMs) {
        throw new NoEngine(`dockerd does not start here: ${await this.#lastWords()}`)
      }
      await sleep(POLL_MS)
    }
    await this.docker('network', 'create', '--subnet', SUBNET, 'lb')
  }

  async #spawn(): Promise<ChildProcess> {
    const at = (name: string) => join(this.directory, name)
    const [program = '', ...args] = [
      // It ends with this process, however that ends.
      ...['setpriv', '--pdeathsig', 'TERM', ...this.commandPrefix],
      ...[findOnPath('dockerd') ?? 'dockerd', '--data-root', at('data'), '--exec-root', at('exec')],
      ...['--host', `unix://${at('docker.sock')}`, '--pidfile', at('dockerd.pid')],
      // Not the machine's settings, nor systemd's cgroups, whose names are of another kind.
      ...['--config-file', at('daemon.json'), '--exec-opt', 'native.cgroupdriver=cgroupfs'],
      ...['--bridge', 'none', '--cgroup-parent', `/${this.#namespace}`],
    ]
    const log = await open(at('dockerd.log'), 'a')
    const child = spawn(program, args, { stdio: ['ignore', log.fd, log.fd], detached: true })
    await log.close()
    const { pid } = child
    const startTicks = pid === undefined ? undefined : pidStartTicks(pid)
    if (pid !== undefined && startTicks !== undefined) this.#dockerd = { pid, startTicks }
    return child
  }

  async #lastWords(): Promise<string> {
    const text = (await readFile(join(this.directory, 'dockerd.log'), 'utf8')).trim()
    return text.split('\n').at(-1)?.slice(-300) ?? ''
  }

  /** A program of this engine, known by what its own arguments name; null when it is gone. */
  async #running(pidFile: string): Promise<ProcessName | null> {
    const text = await readFile(join(this.directory, pidFile), 'utf8').catch(ignoreMissing)
    const pid = Number(text)
    const startTicks = pid > 1 ? pidStartTicks(pid) : undefined
    if (startTicks === undefined) return null
    const argv = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(ignoreMissing)) ?? ''
    return argv.includes(this.directory) ? { pid, startTicks } : null
  }

  async #unmount(): Promise<void> {
    const table = await readFile('/proc/self/mountinfo', 'utf8')
    const points = table.split('\n').map((line) => line.split(' ')[4] ?? '')
    const own = points.filter((point) => point.startsWith(`${this.directory}/`))
    for (const point of own.reverse()) await tryCommand(['umount', point])
  }

  /** The engine leaves the one above its containers behind, once for each controller. */
  async #removeCgroups(): Promise<void> {
    const table = await readFile('/proc/self/mountinfo', 'utf8')
    for (const line of table.split('\n')) {
      if (!/ - cgroup2? /.test(line)) continue
      const folder = join(line.split(' ')[4] ?? '', this.#namespace)
      if (existsSync(folder)) await rmdir(folder)
    }
  }
}

async function end({ pid, startTicks }: ProcessName): Promise<void> {
  signalProcess(pid, startTicks, 'SIGTERM')
  if (await waitForExit(pid, startTicks, STOP_MS_MAX)) return
  signalProcess(pid, startTicks, 'SIGKILL')
  await waitForExit(pid, startTicks)
}
