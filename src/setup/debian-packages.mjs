import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
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
    // One unreachable source of somebody's must not stop what the others can serve.
    await runQuietly(['apt-get', 'update'], { env }).catch((error) => {
      say(`apt-get update failed, going on with the lists there are: ${firstLine(error.message)}`)
    })
    await runQuietly(['apt-get', 'install', ...APT_OPTIONS, ...names], { env })
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
