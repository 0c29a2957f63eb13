import { existsSync, mkdirSync, readdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { cacheDirectory, sidRoot } from './cache.mjs'
import { runQuietly } from './command.mjs'
import { say } from './report.mjs'

const UNFINISHED = 'sid.unfinished-'

/** Programs that the machine's own release does not have new enough, from Debian sid. */
export async function installFromSid(needs) {
  const names = needs.map((need) => need.package)
  const proxy = await aptProxy()
  const env = {
    ...process.env,
    ...(proxy && { http_proxy: proxy }),
    DEBIAN_FRONTEND: 'noninteractive',
    LC_ALL: 'C.UTF-8',
    PATH: `${process.env.PATH ?? ''}:/usr/local/sbin:/usr/sbin:/sbin`,
  }
  if (existsSync(sidRoot())) {
    say(`from Debian sid into ${sidRoot()}: ${names.join(' ')}`)
    await installInRoot(sidRoot(), needs, env)
    return
  }
  say(`a root of Debian sid in ${sidRoot()} (up to 750 MB) with ${names.join(' ')}`)
  await makeRoot(needs, env)
}

/** Built under another name: a root that is there is a whole one. */
async function makeRoot(needs, env) {
  mkdirSync(cacheDirectory(), { recursive: true })
  for (const name of readdirSync(cacheDirectory())) {
    if (name.startsWith(UNFINISHED)) await removeRoot(join(cacheDirectory(), name))
  }
  const unfinished = join(cacheDirectory(), `${UNFINISHED}${process.pid}`)
  try {
    // Without a mirror of the machine's, as on Ubuntu, debootstrap knows one itself.
    const mirror = process.env.LANDBRIDGE_DEBIAN_MIRROR || (await debianMirror())
    const argv = ['debootstrap', '--force-check-gpg', '--variant=minbase', 'sid', unfinished]
    await runQuietly(mirror === undefined ? argv : [...argv, mirror], { env })
    say('  base of sid is there, adding the programs')
    await installInRoot(unfinished, needs, env)
    renameSync(unfinished, sidRoot())
  } catch (error) {
    await removeRoot(unfinished)
    throw error
  }
}

async function installInRoot(root, needs, env) {
  const chroot = ['chroot', root, 'apt-get', '-y']
  await updateLists(chroot, env)
  const names = needs.flatMap((need) => need.beside?.libraries ?? [need.package])
  await runQuietly([...chroot, 'install', '--no-install-recommends', ...names], { env })
  for (const { beside } of needs) if (beside !== undefined) await unpackBeside(root, beside, env)
  await runQuietly([...chroot, 'clean'], { env })
}

/** apt checks what it downloads as always. The folder gets its name last: it is a whole one. */
async function unpackBeside(root, { folder, packages }, env) {
  const script = [
    `rm -rf /${folder}.unfinished && mkdir -p /${folder}.unfinished/packages`,
    `cd /${folder}.unfinished/packages`,
    `apt-get -o APT::Sandbox::User=root download ${packages.join(' ')}`,
    `for package in *.deb; do dpkg-deb -x "$package" /${folder}.unfinished; done`,
    `cd / && rm -rf /${folder}.unfinished/packages /${folder}`,
    `mv /${folder}.unfinished /${folder}`,
  ]
  await runQuietly(['chroot', root, 'sh', '-ec', script.join('\n')], { env })
}

/** sid's lists expire after a week; a frozen mirror or a clock that is ahead makes them old. */
async function updateLists(chroot, env) {
  try {
    await runQuietly([...chroot, 'update'], { env })
  } catch (error) {
    if (!/\bis expired\b/.test(error.message)) throw error
    say("  the mirror's lists of sid are past their date; using them as they are")
    await runQuietly([...chroot, '-o', 'Acquire::Check-Valid-Until=false', 'update'], { env })
  }
}

/** Something may still be mounted in what debootstrap left behind: stay on one file system. */
async function removeRoot(root) {
  await runQuietly(['rm', '-rf', '--one-file-system', root])
}

/** The mirror that apt itself uses for Debian, undefined on other distributions. */
async function debianMirror() {
  const format = '$(ORIGIN) $(CODENAME) $(REPO_URI)'
  const argv = ['apt-get', 'indextargets', '--format', format, 'Created-By: Packages']
  return mirrorOf(await runQuietly(argv))
}

/** Lines `ORIGIN CODENAME REPO_URI`; security and update archives have no sid. */
export function mirrorOf(text) {
  for (const line of text.split('\n')) {
    const [origin, codename = '', uri = ''] = line.trim().split(' ')
    if (origin === 'Debian' && /^[a-z]+$/.test(codename) && uri !== '') return uri
  }
  return undefined
}

async function aptProxy() {
  const text = await runQuietly(['apt-config', 'shell', 'PROXY', 'Acquire::http::Proxy'])
  return /^PROXY='(.+)'/.exec(text)?.[1]
}
