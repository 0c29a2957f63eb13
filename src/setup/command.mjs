import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { SetupError, say } from './report.mjs'

const HEARTBEAT_MS = 10_000
const TAIL_CHARACTERS = 3000

const FORWARDED_SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT']

/**
 * Runs a long command with its output kept back: now and then its latest line, all of its end
 * when it fails. Resolves with stdout.
 */
export function runQuietly(argv, { env = process.env, cwd } = {}) {
  const [program, ...rest] = argv
  return new Promise((resolve, reject) => {
    const child = spawn(program, rest, { env, cwd, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    let tail = ''
    const keep = (text) => {
      tail = (tail + text).slice(-TAIL_CHARACTERS)
    }
    child.stdout.setEncoding('utf8').on('data', (text) => {
      output = (output + text).slice(-1_000_000)
      keep(text)
    })
    child.stderr.setEncoding('utf8').on('data', keep)
    const heartbeat = setInterval(() => {
      const line = tail
        .trimEnd()
        .split(/[\r\n]+/)
        .pop()
      if (line) say(`  ... ${line.slice(0, 90)}`)
    }, HEARTBEAT_MS)
    const stopped = (signal) => {
      child.kill(signal)
      // Ends through exit handlers, which put the machine back in order.
      process.exit(128 + constants.signals[signal])
    }
    for (const signal of FORWARDED_SIGNALS) process.on(signal, stopped)
    const settle = () => {
      clearInterval(heartbeat)
      for (const signal of FORWARDED_SIGNALS) process.off(signal, stopped)
    }
    child.on('error', (error) => {
      settle()
      reject(new SetupError(`${program} did not start: ${error.message}`, `install ${program}`))
    })
    child.on('close', (code, signal) => {
      settle()
      if (code === 0) return resolve(output)
      const message = `${argv.join(' ')} ended with ${signal ?? code}:\n${tail.trimEnd()}`
      reject(new SetupError(message, 'correct what its last lines name, then run this again'))
    })
  })
}

/** Becomes the command as far as a parent can see: signals go down, the ending comes up. */
export function becomeCommand(argv, env = process.env) {
  const [program, ...rest] = argv
  return new Promise((resolve, reject) => {
    const child = spawn(program, rest, { env, stdio: 'inherit' })
    // A terminal sends Ctrl-C to the whole group: passing it on would look like a second one.
    for (const signal of FORWARDED_SIGNALS) {
      process.on(signal, () => {
        if (signal === 'SIGTERM' || !process.stdin.isTTY) child.kill(signal)
      })
    }
    child.on('error', reject)
    child.on('exit', (code, signal) => {
      resolve(signal === null ? (code ?? 1) : 128 + (constants.signals[signal] ?? 0))
    })
  })
}
