import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { cacheDirectory } from './machine-cache.ts'
import { initialiseMariadb } from './mariadb-server.ts'
import { initialiseMysql } from './mysql-server.ts'
import type { ServerBinaries } from './server-binaries.ts'

const run = promisify(execFile)

/** Raise it when the way a template is made changes, so that old ones are not used. */
const TEMPLATE_LAYOUT = 2

/**
 * Puts fresh system tables at `dataDirectory`, which must not exist. Initialising takes MySQL
 * seconds, copying an initialised folder takes a fraction of one.
 */
export async function createDataDirectory(
  binaries: ServerBinaries,
  dataDirectory: string,
): Promise<void> {
  const template = await ensureTemplate(binaries)
  // Half a copy must not look like data after a crash, so it gets its name last.
  const unfinished = `${dataDirectory}.unfinished`
  await rm(unfinished, { recursive: true, force: true })
  await copySparse(template, unfinished)
  await rename(unfinished, dataDirectory)
}

async function copySparse(from: string, to: string): Promise<void> {
  await run('cp', ['-a', '--reflink=auto', '--sparse=always', from, to])
}

async function ensureTemplate(binaries: ServerBinaries): Promise<string> {
  const folder = join(cacheDirectory(), 'templates')
  const name = `${binaries.flavor}-${binaries.version}-layout${TEMPLATE_LAYOUT}`
  const template = join(folder, name)
  if (existsSync(template)) return template
  await mkdir(folder, { recursive: true })
  const workspace = await mkdtemp(join(folder, `.${name}-`))
  try {
    const data = join(workspace, 'data')
    await mkdir(data, { mode: 0o700 })
    await (binaries.flavor === 'mysql' ? initialiseMysql : initialiseMariadb)(binaries, data)
    // auto.cnf holds the server_uuid: each copy has to make its own.
    await rm(join(data, 'auto.cnf'), { force: true })
    // Most of it is zeros that were written: as holes they cost a copy nothing.
    const sparse = join(workspace, 'sparse')
    await copySparse(data, sparse)
    await rename(sparse, template).catch((error: unknown) => {
      // Another process was faster; its template is as good as ours.
      if (!existsSync(template)) throw error
    })
  } finally {
    await rm(workspace, { recursive: true, force: true })
  }
  return template
}
