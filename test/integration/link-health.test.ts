import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseDocument } from 'yaml'
import type { GatewayStatus } from '../../src/status/status.ts'
import { needs } from '../helpers/needs.ts'
import type { Site } from '../helpers/pair/loopback-pair.ts'
import { ReplicatedPair } from '../helpers/pair/replicated-pair.ts'

/*
 * What does not depend on the flavour is shown on MariaDB, which starts sooner.
 */
let pair: ReplicatedPair

beforeAll(async () => {
  pair = await ReplicatedPair.create('mariadb', { attach: false })
})
afterAll(() => pair?.stop())

/** The gateway of the copy gets peer files of its own, with one digit of a key changed. */
async function mistakePeer(): Promise<void> {
  const { directory } = pair.pair
  await cp(join(directory, 'peers'), join(directory, 'peers-dr'), { recursive: true })
  const path = join(directory, 'peers-dr', 'ec2.yaml')
  const text = await readFile(path, 'utf8')
  const changed = text.replace(/sha256:(.)/, (_, digit) => `sha256:${digit === '0' ? '1' : '0'}`)
  expect(changed).not.toBe(text)
  await writeFile(path, changed)
  await pointPeersAt('../peers-dr')
}

async function pointPeersAt(folder: string): Promise<void> {
  const path = pair.pair.configPath('dr')
  const config = parseDocument(await readFile(path, 'utf8'))
  config.setIn(['peersFolder'], folder)
  await writeFile(path, config.toString())
}

test(
  'a wrong key in one peer file is a problem at both gateways, and stays one',
  needs('mariadb'),
  async () => {
    await mistakePeer()
    await pair.restartGateway('dr', 'SIGTERM')
    const hasProblem = ({ problems }: GatewayStatus) =>
      problems.some(({ where, severity }) => where === 'link' && severity === 'error')
    for (const site of ['production', 'dr'] satisfies Site[]) {
      const { problems } = await pair.pair.until(site, hasProblem)
      const since = problems.find(({ where }) => where === 'link')?.sinceMs
      for (let look = 0; look < 20; look += 1) {
        await new Promise((resolve) => setTimeout(resolve, 100))
        const status = await pair.pair.status(site)
        expect(status?.state).toBe('degraded')
        expect(status?.problems.find(({ where }) => where === 'link')?.sinceMs).toBe(since)
      }
    }
    await pointPeersAt('../peers')
    await pair.restartGateway('dr', 'SIGTERM')
    for (const site of ['production', 'dr'] satisfies Site[]) {
      await pair.pair.until(site, ({ problems }) => problems.every(({ where }) => where !== 'link'))
    }
  },
)
