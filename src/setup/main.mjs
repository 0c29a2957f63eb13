// Prepares the machine for a command and then becomes it:
//
//     node src/setup/main.mjs <demo|chaos|test|fuzz|bench|lab> [--] [arguments of the command]
//
// Plain JavaScript with nothing but Node's own modules, because it runs on the Node that the
// machine happens to have (20 or newer) before anything is installed.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { projectDirectory } from './cache.mjs'
import { becomeCommand } from './command.mjs'
import { installDebianPackages, unpackDebianPackages } from './debian-packages.mjs'
import { withSetupLock } from './lock.mjs'
import { machine } from './machine.mjs'
import { COMMANDS, needsOf, packagesIn } from './needs.mjs'
import { installedNode, installNpmPackages, needsNpmPackages } from './npm-packages.mjs'
import { SetupError, say } from './report.mjs'
import { installFromSid } from './sid-root.mjs'

const EXIT_USAGE = 2

const PROGRAMS = {
  demo: ['src/cli/landbridge.mjs', 'demo'],
  chaos: ['src/cli/landbridge.mjs', 'chaos'],
  lab: ['src/cli/landbridge.mjs', 'lab'],
  bench: ['test/bench/main.ts'],
  fuzz: ['test/fuzz/main.ts'],
  test: ['test/run.ts'],
}

async function main([command, ...rest]) {
  if (!COMMANDS.includes(command)) {
    const usage = `main.mjs <${COMMANDS.join('|')}> -- [arguments]`
    throw new SetupError(`usage: ${usage}`, 'name one of these commands')
  }
  const args = rest[0] === '--' ? rest.slice(1) : rest
  if (needsNpmPackages()) {
    await withSetupLock(async () => {
      if (needsNpmPackages()) await installNpmPackages()
    })
  }
  const missing = await prepareMachine(command, args)
  const node = existsSync(installedNode()) ? installedNode() : process.execPath
  const [program, ...leading] = PROGRAMS[command]
  const env = { ...process.env, LANDBRIDGE_MISSING: JSON.stringify(missing) }
  const argv = [node, join(projectDirectory, program), ...leading, ...args]
  process.exitCode = await becomeCommand(argv, env)
}

/**
 * Installs what the command needs. Resolves with what this machine cannot have: for `test` that
 * is counted and named, every other command ends here.
 */
async function prepareMachine(command, args) {
  const needs = needsOf(command, args, machine)
  const obstacle = obstacleTo(needs)
  if (obstacle !== undefined) {
    if (command !== 'test') throw obstacle
    say(`${obstacle.message}; going on with what can run`)
    return [missingFrom(needs, obstacle)]
  }
  if (packagesIn(needs).length === 0) return []
  try {
    await withSetupLock(() => install(command, args))
    return []
  } catch (error) {
    if (command !== 'test' || !(error instanceof SetupError)) throw error
    say(`${error.message}\n  going on with what can run`)
    return [missingFrom(needsOf(command, args, machine), error)]
  }
}

/** Looks again under the lock: another set-up may have done it meanwhile. */
async function install(command, args) {
  const needs = needsOf(command, args, machine)
  const names = packagesIn(needs)
  if (names.length === 0) return
  say(`${names.length} packages are missing and will be installed: ${names.join(' ')}`)
  if (needs.debian.length > 0) await installDebianPackages(needs.debian)
  if (needs.sid.length > 0) await installFromSid(needs.sid)
  if (needs.unpacked.length > 0) await unpackDebianPackages(needs.unpacked)
  say('the machine is ready')
}

/** Why nothing can be installed or run here, undefined when nothing stands in the way. */
function obstacleTo(needs) {
  const names = packagesIn(needs)
  const list = names.length === 0 ? '' : `; missing packages: ${names.join(' ')}`
  if (needs.root && !machine.isLinux()) {
    return new SetupError(
      `this needs Linux (network namespaces, real servers), not ${process.platform}`,
      'use a Debian or Ubuntu machine or container, as root',
    )
  }
  if (needs.root && !machine.isRoot()) {
    return new SetupError(
      `this needs root for network namespaces and packages${list}`,
      'run the same command with sudo, or in a container as root',
    )
  }
  if (names.length === 0) return undefined
  if (!machine.isRoot()) {
    return new SetupError(`only root can install packages${list}`, 'run it once with sudo')
  }
  if (!machine.hasApt()) {
    return new SetupError(
      `there is no apt-get here${list}`,
      'install these by hand, then run again',
    )
  }
  return undefined
}

function missingFrom(needs, error) {
  return {
    root: needs.root && !machine.isRoot(),
    packages: packagesIn(needs),
    reason: error.message.split('\n')[0],
    remedy: error.remedy,
  }
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof SetupError)) throw error
  process.stderr.write(`error: ${error.message}\n  remedy: ${error.remedy}\n`)
  process.exitCode = EXIT_USAGE
}
