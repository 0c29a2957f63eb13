import { execFile } from 'node:child_process'
import { mkdtemp, symlink, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { sidProgram } from '../../../src/lab/servers/machine-cache.ts'
import { NEWER_FOLDER } from '../../../src/lab/servers/server-binaries.ts'
import type { RunningServer } from '../../../src/lab/servers/server-options.ts'

const run = promisify(execFile)

function newerProgram(name: string): string[] {
  const argv = sidProgram(`${NEWER_FOLDER}/bin/${name}`)
  if (argv === undefined) throw new Error(`the newer MariaDB has no ${name}`)
  return argv
}

/**
 * `mariadb-upgrade`, as an operator runs it once the newer program runs on the old data. It starts
 * the client programs of its own folder, so it gets one where they run with the loader of sid.
 */
export async function upgradeSystemTables(server: RunningServer): Promise<void> {
  const [command = '', ...leading] = newerProgram('mariadb-upgrade')
  const program = leading.at(-1) ?? ''
  const folder = await mkdtemp(join(server.directory, 'upgrade-'))
  for (const name of ['mariadb', 'mariadb-check']) {
    const argv = newerProgram(name).map((word) => `'${word}'`)
    const script = `#!/bin/sh\nexec ${argv.join(' ')} "$@"\n`
    await writeFile(join(folder, name), script, { mode: 0o755 })
  }
  const started = join(folder, basename(program))
  await symlink(program, started)
  const words = ['--no-defaults', '--force', `--socket=${server.socket}`, '--user=root']
  await run(command, [...leading.slice(0, -1), started, ...words])
}
