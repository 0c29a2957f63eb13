import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { unpackedRoot } from './cache.mjs'
import { runQuietly } from './command.mjs'
import { say } from './report.mjs'

const POLICY_FILE = '/usr/sbin/policy-rc.d'
const POLICY = `#!/bin/sh
# Written by landbridge's set-up: no service starts while its packages are installed.
exit 101
`

const APT_OPTIONS = ['-y', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=300']

export async function installDebianPackages(needs) {
  const names = needs.map((need) => need.package)
  say(`Debian packages (apt-get install): ${names.join(' ')}`)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' }
  await withoutServiceStarts(async () => {
    await updateLists(env)
    await runQuietly(['apt-get', 'install', ...APT_OPTIONS, ...names], { env })
  })
}

/** Only the programs that are used: no scripts run, and nothing they depend on is installed. */
export async function unpackDebianPackages(needs) {
  const root = unpackedRoot()
  const names = needs.map((need) => need.package)
  say(`unpacked from Debian packages into ${root}: ${names.join(' ')}`)
  const downloads = join(root, 'packages')
  const env = { ...process.env, LC_ALL: 'C.UTF-8' }
  mkdirSync(downloads, { recursive: true })
  try {
    for (const { package: name, program } of needs) {
      const download = ['apt-get', '-o', 'APT::Sandbox::User=root', 'download', name]
      // Lists that are older than the mirror name a file that is gone.
      await runQuietly(download, { env, cwd: downloads }).catch(async () => {
        await updateLists(env)
        await runQuietly(download, { env, cwd: downloads })
      })
      for (const file of readdirSync(downloads)) await unpackProgram(join(downloads, file), program)
    }
  } finally {
    rmSync(downloads, { recursive: true, force: true })
  }
}

/** Under another name first: a program that is there is a whole one. */
async function unpackProgram(file, program) {
  const script = [
    'cd "$2" && mkdir -p unfinished "$(dirname "$3")"',
    'dpkg-deb --fsys-tarfile "$1" > unfinished/content.tar',
    'tar -x -C unfinished -f unfinished/content.tar "./$3"',
    'mv "unfinished/$3" "$3" && rm -rf unfinished "$1"',
  ]
  const argv = ['sh', '-ec', script.join('\n'), 'unpack', file, unpackedRoot(), program]
  await runQuietly(argv)
}

/** One unreachable source of somebody's must not stop what the others can serve. */
async function updateLists(env) {
  await runQuietly(['apt-get', 'update'], { env }).catch((error) => {
    say(`apt-get update failed, going on with the lists there are: ${firstLine(error.message)}`)
  })
}

/** The packages' own scripts would start a MariaDB server on the default port. */
async function withoutServiceStarts(work) {
  const foreign = existsSync(POLICY_FILE) && readFileSync(POLICY_FILE, 'utf8') !== POLICY
  if (foreign) return work()
  writeFileSync(POLICY_FILE, POLICY, { mode: 0o755 })
  const restore = () => rmSync(POLICY_FILE, { force: true })
  process.once('exit', restore)
  try {
    return await work()
  } finally {
    restore()
    process.off('exit', restore)
  }
}

function firstLine(text) {
  return text.split('\n').find((line) => /^[EW]:/.test(line)) ?? text.split('\n')[0]
}
