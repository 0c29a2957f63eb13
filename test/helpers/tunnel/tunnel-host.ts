import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Problem, TunnelStatus } from '../../../src/status/status.ts'
import type { TunnelProcessOptions } from './tunnel-process.ts'

const run = promisify(execFile)
const PROCESS = fileURLToPath(new URL('./tunnel-process.ts', import.meta.url))

export type ShownTunnel = TunnelStatus & { readonly problems: readonly Problem[] }

interface HostOptions {
  readonly namespace: string
  readonly interfaceName: string
  readonly dataDir: string
}

/** A tunnel in a process of its own, in a network namespace of its own, which the test makes. */
export abstract class TunnelHost {
  readonly namespace: string
  readonly interfaceName: string
  readonly dataDir: string
  process: ChildProcess | null = null
  shown: ShownTunnel | null = null

  constructor({ namespace, interfaceName, dataDir }: HostOptions) {
    this.namespace = namespace
    this.interfaceName = interfaceName
    this.dataDir = dataDir
  }

  /** What the next start takes. */
  protected abstract options(): TunnelProcessOptions

  get recordPath(): string {
    return join(this.dataDir, `tunnel-${this.interfaceName}.json`)
  }

  async exec(...argv: string[]): Promise<string> {
    return (await run('ip', ['netns', 'exec', this.namespace, ...argv])).stdout
  }

  /** Whether a TCP connection to there is made. */
  async reaches(address: string, port: number, seconds: number): Promise<boolean> {
    const connect = ['timeout', `${seconds}`, 'bash', '-c', `exec 3<>/dev/tcp/${address}/${port}`]
    return this.exec(...connect).then(
      () => true,
      () => false,
    )
  }

  start(): void {
    const argv = ['netns', 'exec', this.namespace, process.execPath, PROCESS]
    const child = spawn('ip', argv, { stdio: ['pipe', 'pipe', 'inherit'] })
    child.stdin.end(JSON.stringify(this.options()))
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.shown = JSON.parse(line) as ShownTunnel
    })
    this.process = child
  }

  async stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.process
    this.process = null
    this.shown = null
    if (child === null || child.exitCode !== null) return
    const exited = once(child, 'exit')
    child.kill(signal)
    await exited
  }

  async until(what: string, holds: (shown: ShownTunnel) => boolean): Promise<ShownTunnel> {
    for (let polls = 0; polls < 1_200; polls += 1) {
      if (this.shown !== null && holds(this.shown)) return this.shown
      await sleep(50)
    }
    throw new Error(`${this.interfaceName} is not ${what}: ${JSON.stringify(this.shown)}`)
  }
}
