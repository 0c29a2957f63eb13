import { createHash } from 'node:crypto'
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { projectDirectory } from './cache.mjs'
import { runQuietly } from './command.mjs'
import { SetupError } from './report.mjs'

/*
 * `npm run release`: one file that installs landbridge with everything it needs, and its SHA-256.
 * The dependencies are in it, as package-lock.json has them: so the digest vouches for all that
 * will run, and installing asks no registry.
 */

const HELP = `npm run release -- [--out DIRECTORY]

Writes landbridge-VERSION.tgz and landbridge-VERSION.tgz.sha256 (default: into release/).
`

/** Of a dependency: what has an entry of its own in the lock file, and what nobody runs. */
const LEFT_OUT =
  /^\/(node_modules|tests?|docs|examples|benchmarks?|\.[^/]*)$|\.map$|\.cts$|(?<!\.d)\.ts$/

async function release(outDirectory) {
  const staging = await mkdtemp(join(tmpdir(), 'landbridge-release-'))
  try {
    const name = await stage(staging)
    await mkdir(outDirectory, { recursive: true })
    // What the scripts do is done: the first `npm pack` built.
    const flags = ['--silent', '--ignore-scripts', '--pack-destination', outDirectory]
    await runQuietly(['npm', 'pack', ...flags], { cwd: join(staging, 'package') })
    const digest = createHash('sha256').update(await readFile(join(outDirectory, name)))
    const line = `${digest.digest('hex')}  ${name}\n`
    await writeFile(join(outDirectory, `${name}.sha256`), line)
    return line
  } finally {
    await rm(staging, { recursive: true, force: true })
  }
}

/** The package as npm packs it, unpacked again, with its dependencies. Answers the file's name. */
async function stage(staging) {
  const pack = ['npm', 'pack', '--silent', '--pack-destination', staging]
  const name = (await runQuietly(pack, { cwd: projectDirectory })).trim().split('\n').pop()
  await runQuietly(['tar', '-xzf', join(staging, name), '-C', staging])
  const bundled = await copyDependencies(join(staging, 'package'))
  const path = join(staging, 'package', 'package.json')
  const { devDependencies, allowScripts, scripts, ...kept } = JSON.parse(await readFile(path))
  const description = { ...kept, bundleDependencies: bundled }
  await writeFile(path, `${JSON.stringify(description, null, 2)}\n`)
  return name
}

/** Each at its place, and of the version that the lock file says. Answers the outermost names. */
async function copyDependencies(target) {
  const lock = JSON.parse(await readFile(join(projectDirectory, 'package-lock.json')))
  const names = new Set()
  for (const [place, { version, dev }] of Object.entries(lock.packages)) {
    if (place === '' || dev === true) continue
    const from = join(projectDirectory, place)
    const found = JSON.parse(await readFile(join(from, 'package.json'))).version
    if (found !== version) {
      throw new SetupError(`${place} is ${found}, package-lock.json says ${version}`, 'run npm ci')
    }
    const filter = (path) => !path.slice(from.length).match(LEFT_OUT)
    await cp(from, join(target, place), { recursive: true, filter })
    names.add(place.replace(/^node_modules\//, '').replace(/\/node_modules\/.*$/, ''))
  }
  return [...names]
}

const { values } = parseArgs({
  options: { out: { type: 'string', default: 'release' }, help: { type: 'boolean', short: 'h' } },
})

if (values.help) process.stdout.write(HELP)
else {
  try {
    process.stdout.write(await release(resolve(values.out)))
  } catch (error) {
    if (!(error instanceof SetupError)) throw error
    process.stderr.write(`error: ${error.message}\n  ${error.remedy}\n`)
    process.exitCode = 1
  }
}
