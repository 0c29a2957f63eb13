import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'

const run = promisify(execFile)

/*
 * Datagrams between network namespaces, as `ping` would send them: what is lost stays lost.
 */

const ECHO_PORT = 9999

/** Answers every datagram, and notes who sent it. */
export class UdpEcho implements AsyncDisposable {
  readonly senders = new Set<string>()
  readonly #child: ChildProcess

  private constructor(child: ChildProcess) {
    this.#child = child
  }

  static async start(namespace: string): Promise<UdpEcho> {
    const child = inNamespace(
      namespace,
      `const socket = require('node:dgram').createSocket('udp4')
      socket.on('message', (message, { address, port }) => {
        console.log(address)
        socket.send(message, port, address)
      })
      socket.bind(${ECHO_PORT}, () => console.log('bound'))`,
    )
    const echo = new UdpEcho(child)
    const lines = createInterface({ input: child.stdout })
    await once(lines, 'line')
    lines.on('line', (line) => echo.senders.add(line))
    return echo
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await ended(this.#child)
  }
}

/** How many of `count` datagrams come back; from `source`, or whichever the kernel takes. */
export async function echoes(
  namespace: string,
  address: string,
  { count = 1, source }: { readonly count?: number; readonly source?: string } = {},
): Promise<number> {
  const script = `const socket = require('node:dgram').createSocket('udp4')
    let heard = 0
    const end = () => { console.log(heard); socket.close() }
    socket.on('message', () => {
      heard += 1
      if (heard < ${count}) return
      clearTimeout(late)
      end()
    })
    const late = setTimeout(end, 1000)
    socket.bind({ address: ${JSON.stringify(source ?? '0.0.0.0')} }, () => {
      for (let sent = 0; sent < ${count}; sent += 1) socket.send('x', ${ECHO_PORT}, '${address}')
    })`
  const { stdout } = await run('ip', argvIn(namespace, script))
  return Number(stdout)
}

/** Sends a datagram every 20 ms until it is stopped, and counts what comes back. */
export class UdpPulse implements AsyncDisposable {
  readonly #child: ChildProcess

  constructor(namespace: string, address: string) {
    this.#child = inNamespace(
      namespace,
      `const socket = require('node:dgram').createSocket('udp4')
      const heard = new Set()
      let sent = 0
      socket.on('message', (message) => heard.add(message.toString()))
      const beat = () => socket.send(String(sent++), ${ECHO_PORT}, '${address}')
      const beating = setInterval(beat, 20)
      process.once('SIGTERM', () => {
        clearInterval(beating)
        setTimeout(() => {
          console.log(JSON.stringify({ sent, heard: heard.size }))
          socket.close()
        }, 1000)
      })`,
    )
  }

  async stop(): Promise<{ readonly sent: number; readonly heard: number }> {
    const { stdout } = this.#child
    if (stdout === null) throw new Error('its output is not read')
    const line = once(createInterface({ input: stdout }), 'line')
    this.#child.kill('SIGTERM')
    const [text] = (await line) as [string]
    return JSON.parse(text) as { sent: number; heard: number }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await ended(this.#child)
  }
}

function argvIn(namespace: string, script: string): string[] {
  return ['netns', 'exec', namespace, process.execPath, '-e', script]
}

function inNamespace(namespace: string, script: string) {
  return spawn('ip', argvIn(namespace, script), { stdio: ['ignore', 'pipe', 'inherit'] })
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}
