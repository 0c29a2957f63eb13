#!/usr/bin/env node
// Plain JavaScript that any Node from 16 on can read: it finds a Node that can run landbridge and
// the program itself, from source (main.ts beside this file) or as built (dist/cli/main.js).
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import module from 'node:module'
import { constants, homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const NODE_VERSION_MIN = [22, 18]
const EXIT_USAGE = 2
const FORWARDED_SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR2']
const TERMINAL_SIGNALS = ['SIGINT', 'SIGHUP', 'SIGQUIT']

const YOUNG_GENERATION = '--max-semi-space-size=1'

const here = dirname(fileURLToPath(import.meta.url))

function isRecentEnough(version) {
  const [major, minor] = version.split('.').map(Number)
  return (
    major > NODE_VERSION_MIN[0] || (major === NODE_VERSION_MIN[0] && minor >= NODE_VERSION_MIN[1])
  )
}

/** The Node that `npm ci` of this package brings along, looked for in every folder above. */
function findInstalledNode() {
  for (let folder = here; ; folder = dirname(folder)) {
    const candidate = join(folder, 'node_modules', '.bin', 'node')
    if (existsSync(candidate)) return candidate
    if (folder === dirname(folder)) return undefined
  }
}

function findProgram() {
  const candidates = [
    new URL('./main.ts', import.meta.url),
    new URL('../../dist/cli/main.js', import.meta.url),
  ]
  return candidates.map((url) => fileURLToPath(url)).find((path) => existsSync(path))
}

function fail(message, remedy) {
  process.stderr.write(`error: ${message}\n  code: ERR_USAGE\n  remedy: ${remedy}\n`)
  process.exit(EXIT_USAGE)
}

/** Becomes the other Node as far as a parent can see: signals go down, the ending comes up. */
function runWith(node) {
  const child = spawn(node, process.argv.slice(1), {
    stdio: 'inherit',
    env: { ...process.env, LANDBRIDGE_RELAUNCHED: '1' },
  })
  // A terminal sends Ctrl-C to the whole group: passing it on would look like a second one.
  const fromTerminal = process.stdin.isTTY ? TERMINAL_SIGNALS : []
  for (const signal of FORWARDED_SIGNALS) {
    process.on(signal, () => void (fromTerminal.includes(signal) || child.kill(signal)))
  }
  child.on('error', (error) => fail(`${node} did not start: ${error.message}`, 'run npm ci'))
  child.on('exit', (code, signal) => {
    process.exit(signal === null ? (code ?? 1) : 128 + (constants.signals[signal] ?? 0))
  })
}

// Stripped and compiled once: a start is a third faster and 20 MB smaller. The folder is the
// user's own, never a shared temporary one, since what lies in it is executed.
module.enableCompileCache?.(join(homedir(), '.cache', 'landbridge', 'compiled'))

/**
 * A gateway makes few objects and many buffers. With a small young generation they are freed soon;
 * with V8's own choice some 60 MB more wait for that. It can only be said when a process begins, so
 * this one begins anew, under the same pid.
 */
function keepMemorySmall() {
  const isGateway = process.argv[2] === 'run'
  if (!isGateway || process.execArgv.includes(YOUNG_GENERATION)) return
  const { NODE_OPTIONS: options = '' } = process.env
  if (typeof process.execve !== 'function' || options.includes('semi-space')) return
  const args = [process.execPath, YOUNG_GENERATION, ...process.execArgv, ...process.argv.slice(1)]
  process.execve(process.execPath, args)
}

if (isRecentEnough(process.versions.node)) {
  keepMemorySmall()
  const program = findProgram()
  if (program === undefined) fail('landbridge is not built', 'run npm run build')
  const { main } = await import(pathToFileURL(program).href)
  await main(process.argv.slice(2))
} else {
  const needed = `landbridge needs Node ${NODE_VERSION_MIN.join('.')} or newer`
  const node = process.env.LANDBRIDGE_RELAUNCHED === '1' ? undefined : findInstalledNode()
  if (node !== undefined) runWith(node)
  else {
    fail(
      `${needed}; this is ${process.versions.node} and no newer one is installed beside it`,
      'run npm ci in the checkout, or install a newer Node',
    )
  }
}
