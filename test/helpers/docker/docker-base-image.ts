import { chmod, cp, realpath, rm, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runCommand } from '../../../src/lab/hosts/command.ts'
import { findOnPath, sidRoot } from '../../../src/setup/cache.mjs'
import { machine } from '../../../src/setup/machine.mjs'
import { SID_CONTAINER } from '../../../src/setup/needs.mjs'
import type { DockerEngine } from './docker-engine.ts'

const MODULES = fileURLToPath(new URL('../../../node_modules', import.meta.url))

/** Servers, documentation and downloads of the root of sid are no part of a base image. */
const LEFT_OUT = [
  ...['./opt', './usr/lib/mysql', './usr/share/mysql', './usr/sbin/mysqld', './usr/bin/mysql*'],
  ...['./usr/share/doc/*', './usr/share/man/*', './usr/share/locale/*', './var/lib/mysql*'],
  ...['./var/cache/apt/*.bin', './var/cache/apt/archives/*.deb', './var/lib/apt/lists/*'],
  ...['./proc/*', './sys/*', './dev/*', './run/*', './tmp/*'],
]

/** `npm ci` without a registry: what this checkout has installed from the same lock file. */
const NPM = `#!/bin/sh
if [ "$1" = ci ]; then exec cp -a /opt/node_modules .; fi
exec node /usr/local/lib/node_modules/npm/bin/npm-cli.js --offline "$@"
`

/** Why there can be no base images here, null when there can be. */
export function baseImageObstacle(): string | null {
  const absent = SID_CONTAINER.filter(({ program }) => !machine.hasInSid(program))
  if (absent.length > 0) {
    const list = absent.map((need) => need.package).join(', ')
    return `the root of Debian sid lacks ${list}; npm test -- --long installs them`
  }
  return findOnPath('npm') ? null : 'there is no npm on this machine'
}

/**
 * `lb-base` stands in for both public images, which no test may fetch: Debian sid with this
 * checkout's Node and packages, with npm, and with what the Dockerfile installs already there.
 */
export async function importBaseImage(engine: DockerEngine): Promise<void> {
  const npm = join(dirname(await realpath(findOnPath('npm') ?? 'npm')), '..')
  const [wrapper, node] = [join(engine.directory, 'npm'), join(engine.directory, 'node')]
  await writeFile(wrapper, NPM)
  await chmod(wrapper, 0o755)
  await cp(join(MODULES, 'node', 'bin', 'node'), node)
  const archive = join(engine.directory, 'base.tar')
  await packRoot(archive, [
    [node, 'usr/local/bin/node'],
    [wrapper, 'usr/local/bin/npm'],
    [npm, 'usr/local/lib/node_modules/npm'],
    [await realpath(MODULES), 'opt/node_modules'],
  ])
  const path = 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
  await engine.docker('import', '--change', path, archive, 'lb-base')
  await rm(archive)
}

/** A root of sid with files and folders of this machine added. */
async function packRoot(
  archive: string,
  added: readonly (readonly [from: string, to: string])[],
): Promise<void> {
  const without = [...LEFT_OUT, 'node_modules/node/bin', 'node_modules/node/node_modules']
  await runCommand([
    ...['tar', '--create', '--file', archive, '--one-file-system', '--numeric-owner'],
    ...without.map((pattern) => `--exclude=${pattern}`),
    ...added.map(([from, to]) => `--transform=s,^${relative('/', from)},./${to},SH`),
    ...['--directory', sidRoot(), '.', '--directory', '/'],
    ...added.map(([from]) => relative('/', from)),
  ])
}
