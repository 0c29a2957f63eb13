import { copyFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { RunningServer } from '../../src/lab/servers/server-options.ts'
import { testFlavors } from '../helpers/needs.ts'
import { ReplicatedPair } from '../helpers/pair/replicated-pair.ts'
import { linkOf } from '../helpers/status/link-of.ts'

/** With names of this length, the source's list of files is more than a frame of the link. */
const NAME = 'b'.repeat(200)
const FILES = 4_900

/**
 * Thousands of binlog files without a transaction, as years of idle restarts leave them. A server
 * that stands still takes copies of a closed file for its own; writing them takes it minutes.
 */
async function addFiles({ dataDirectory }: RunningServer): Promise<void> {
  const index = join(dataDirectory, `${NAME}.index`)
  const listed = (await readFile(index, 'utf8')).trimEnd().split('\n')
  const newest = join(dataDirectory, listed.at(-1) ?? '')
  for (let number = listed.length + 1; number <= FILES; number += 1) {
    const name = `./${NAME}.${String(number).padStart(6, '0')}`
    await copyFile(newest, join(dataDirectory, name))
    listed.push(name)
  }
  await writeFile(index, `${listed.join('\n')}\n`)
}

testFlavors('a %s source with thousands of binlog files is followed', async (flavor) => {
  await using pair = await ReplicatedPair.create(flavor, {
    attach: false,
    source: { arguments: [`--log-bin=${NAME}`] },
  })
  await pair.pair.kill('dr')
  await pair.source.stop()
  await addFiles(pair.source)
  await pair.restart('source', 'SIGTERM')
  const sql = await pair.sql()
  await sql.query('CREATE DATABASE d')
  await pair.pair.start('dr')
  const status = await pair.pair.until('dr', ({ streams }) => {
    return (streams[0]?.spool?.files ?? 0) > 20 && (streams[0]?.receiveLag?.bytes ?? 0) > 0
  })
  expect([linkOf(status).sessions, status.problems]).toEqual([1, []])
})
