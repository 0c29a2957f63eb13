import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Flavor } from '../../../src/base/flavor.ts'
import { findServerBinaries } from '../../../src/lab/servers/server-binaries.ts'
import type { TestServerOptions } from '../servers/test-servers.ts'

/** Options of a server that encrypts its binlog files, with the keys in `folder`. */
export async function encryptedSource(flavor: Flavor, folder: string): Promise<TestServerOptions> {
  await mkdir(folder, { recursive: true })
  return flavor === 'mysql' ? await withKeyringComponent(folder) : await withKeyFile(folder)
}

async function withKeyFile(folder: string): Promise<TestServerOptions> {
  const path = join(folder, 'keys.txt')
  await writeFile(path, [1, 2].map((id) => `${id};${`${id}7`.repeat(32)}\n`).join(''))
  return {
    arguments: [
      '--plugin-load-add=file_key_management',
      `--file-key-management-filename=${path}`,
      '--encrypt-binlog=ON',
    ],
  }
}

/**
 * MySQL loads its keyring component before anything else, from a manifest beside its own program,
 * and the component is configured beside its library. So that no file of the machine changes, the
 * program and its plugins are linked into a folder of the test and started from there.
 */
async function withKeyringComponent(folder: string): Promise<TestServerOptions> {
  const { server, baseOptions } = await findServerBinaries('mysql')
  const program = server.at(-1) ?? ''
  const linked = join(folder, basename(program))
  await symlink(program, linked)
  await writeFile(`${linked}.my`, '{ "components": "file://component_keyring_file" }')
  const plugins = join(folder, 'plugins')
  await mkdir(plugins)
  const from = pluginFolder(baseOptions)
  for (const name of await readdir(from)) await symlink(join(from, name), join(plugins, name))
  const keyring = { path: join(folder, 'keyring'), read_only: false }
  await writeFile(join(plugins, 'component_keyring_file.cnf'), JSON.stringify(keyring))
  const command = [...server.slice(0, -1), linked].map((word) => `'${word}'`).join(' ')
  return {
    // Takes the place of the words of the server's own program.
    commandPrefix: ['sh', '-c', `shift ${server.length}; exec ${command} "$@"`, 'sh'],
    arguments: [`--plugin-dir=${plugins}`, '--binlog-encryption=ON'],
  }
}

function pluginFolder(baseOptions: readonly string[]): string {
  const option = '--plugin-dir='
  const given = baseOptions.find((word) => word.startsWith(option))
  return given === undefined ? '/usr/lib/mysql/plugin' : given.slice(option.length)
}
