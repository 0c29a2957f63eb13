import { existsSync, lstatSync, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { projectDirectory } from './cache.mjs'
import { runQuietly } from './command.mjs'
import { SetupError, say } from './report.mjs'

export const installedNode = () => join(projectDirectory, 'node_modules', '.bin', 'node')

/** npm writes node_modules/.package-lock.json last, so a cut installation does not count. */
export function needsNpmPackages() {
  const lock = join(projectDirectory, 'package-lock.json')
  const installed = join(projectDirectory, 'node_modules', '.package-lock.json')
  if (!existsSync(lock)) return false
  if (!existsSync(installed) || !existsSync(installedNode())) return true
  return statSync(installed).mtimeMs < statSync(lock).mtimeMs
}

export async function installNpmPackages() {
  refuseLink(join(projectDirectory, 'node_modules'))
  say('npm packages of package-lock.json, with Node 24 among them (npm ci)')
  // npm empties node_modules first: neither it nor its scripts may run on a Node from in there.
  const path = (process.env.PATH ?? '')
    .split(delimiter)
    .filter((folder) => !folder.includes('node_modules'))
    .join(delimiter)
  const env = { ...process.env, PATH: path }
  for (const name of ['npm_execpath', 'npm_node_execpath', 'NODE']) delete env[name]
  const flags = ['--no-audit', '--no-fund', '--include=dev']
  await runQuietly(['npm', 'ci', ...flags], { env, cwd: projectDirectory })
}

/** npm ci follows a link and empties what it leads to, which is another checkout's. */
export function refuseLink(path) {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() !== true) return
  throw new SetupError(
    `${path} is a link, and npm ci would empty what it points to`,
    `remove the link (rm ${path}) and run this again, or run npm ci where it leads`,
  )
}
