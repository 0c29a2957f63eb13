import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { callOperation, fetchStatus } from '../../src/api/admin-client.ts'
import { downLab } from '../../src/lab/lab-down.ts'
import { labPaths } from '../../src/lab/lab-paths.ts'
import { labShape, relayPort } from '../../src/lab/lab-shape.ts'
import { addressesOf, type SiteName } from '../../src/lab/lab-sites.ts'
import { databaseOf, type LabState, listLabs } from '../../src/lab/lab-state.ts'
import { upLab } from '../../src/lab/lab-up.ts'
import type { GatewayStatus } from '../../src/status/status.ts'
import { describeFlavors } from '../helpers/needs.ts'
import { Ledger } from '../helpers/pair/ledger.ts'
import { SiteServer } from '../helpers/pair/site-servers.ts'

const signal = new AbortController().signal

/** The real tunnel and a WAN between the sites; the databases are moved by hand. */
describeFlavors('in a lab of %s', { needs: ['root'] }, (flavor) => {
  const paths = labPaths(`r-${randomBytes(4).toString('hex')}`)
  const shape = labShape({ sites: 3, streams: 1 })
  const ledger = new Ledger()
  const places = new Map<SiteName, SiteServer>()
  let state: LabState

  beforeAll(async () => {
    const wan = { delayMs: 10, lossPercent: 0.1 }
    const options = { paths, shape, flavor, wan, gateways: true, progress: () => undefined }
    state = (await upLab({ ...options, signal })).state
    const login = state.logins.relay
    if (login === undefined) throw new Error('the lab has no login for its relays')
    const password = (await readFile(login.passwordFile, 'utf8')).trim()
    for (const site of shape.sites) {
      const relay = {
        host: addressesOf(site).gateway,
        port: relayPort('main'),
        user: login.user,
        password,
      }
      const spoolDirectory = join(paths.dataDirectory, site, 'spool/main')
      places.set(site, new SiteServer(databaseOf(state, 'main', site), { relay, spoolDirectory }))
    }
    await ledger.create(at('ec2'))
  })

  afterAll(async () => {
    await ledger.stop()
    await downLab(paths)
    expect(await listLabs()).not.toContain(paths.name)
  })

  function at(site: SiteName): SiteServer {
    const place = places.get(site)
    if (place === undefined) throw new Error(`the lab has no ${site}`)
    return place
  }

  function socketOf(site: SiteName): string {
    return state.gateways.find((gateway) => gateway.site === site)?.adminSocket ?? ''
  }

  async function statuses(): Promise<GatewayStatus[]> {
    return await Promise.all(shape.sites.map((site) => fetchStatus(socketOf(site))))
  }

  async function moveTo(from: SiteName, to: SiteName, term: number): Promise<void> {
    const pids = (await statuses()).map(({ pid }) => pid)
    ledger.write(at(from))
    await sleep(3_000)
    await ledger.stop()
    const wanted = await at(from).committed()
    await expect.poll(() => at(to).applied(), { timeout: 120_000 }).toBe(wanted)
    await at(to).promote()
    const advance = { name: 'term.advance', permission: 'recover' } as const
    await callOperation(socketOf(to), advance, { stream: 'main', reason: 'a test' }, { signal })
    ledger.write(at(to))
    const others = shape.sites.filter((site) => site !== to)
    for (const site of others) {
      const standing = async () => {
        const [stream] = (await fetchStatus(socketOf(site))).streams
        return [stream?.role, stream?.term.term, stream?.state, stream?.peer]
      }
      await expect.poll(standing, { timeout: 120_000 }).toEqual(['copy', term, 'streaming', to])
    }
    await expect.poll(() => at(from).isReadOnly(), { timeout: 60_000 }).toBe(true)
    await at(from).demote(async () => {
      const [stream] = (await fetchStatus(socketOf(from))).streams
      return stream?.spool?.synced?.gtids ?? ''
    })
    await sleep(3_000)
    await ledger.stop()
    for (const site of others) await at(site).expectCopyOf(at(to))
    expect((await statuses()).map(({ pid }) => pid)).toEqual(pids)
  }

  test('the origin moves three times under load: nothing lost, nothing doubled', async () => {
    await moveTo('ec2', 'azure', 2)
    await moveTo('azure', 'gcp', 3)
    await moveTo('gcp', 'ec2', 4)
    for (const site of shape.sites) await ledger.expectIn(at(site))
    console.log(`${flavor}: ${ledger.acknowledged} transactions acknowledged over three moves`)
    expect(ledger.acknowledged).toBeGreaterThan(1_000)
  })
})
