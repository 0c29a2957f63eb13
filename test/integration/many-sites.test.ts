import { mkdtemp, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFailed } from 'vitest'
import type { Flavor } from '../../src/base/flavor.ts'
import type { StreamStatus } from '../../src/status/status.ts'
import { testFlavors } from '../helpers/needs.ts'
import { Ledger } from '../helpers/pair/ledger.ts'
import { LoopbackGateways, writeLoopbackSites } from '../helpers/pair/loopback-gateways.ts'
import { bothRolesGrants, createLogin, SOURCE_PASSWORD } from '../helpers/pair/replicated-pair.ts'
import { loopbackRelay, SiteServer } from '../helpers/pair/site-servers.ts'
import { TestServers } from '../helpers/servers/test-servers.ts'

/** Real gateways and servers of any sites and streams: for each stream, a server at each site. */
class Sites implements AsyncDisposable {
  readonly gateways: LoopbackGateways
  readonly #places: ReadonlyMap<string, SiteServer>
  readonly #servers: TestServers
  readonly #names: readonly string[]

  private constructor(
    gateways: LoopbackGateways,
    places: ReadonlyMap<string, SiteServer>,
    servers: TestServers,
    names: readonly string[],
  ) {
    this.gateways = gateways
    this.#places = places
    this.#servers = servers
    this.#names = names
  }

  /** `origins`: of each stream, by its name. */
  static async create(
    flavor: Flavor,
    names: readonly string[],
    origins: Readonly<Record<string, string>>,
  ): Promise<Sites> {
    const servers = await TestServers.create()
    const directory = await mkdtemp(join(tmpdir(), 'lbsites-'))
    const started = new Map<string, Awaited<ReturnType<TestServers['start']>>>()
    for (const stream of Object.keys(origins)) {
      const starting = names.map(async (site) => {
        const server = await servers.start(flavor)
        await createLogin(server, bothRolesGrants(flavor))
        started.set(`${site} ${stream}`, server)
      })
      await Promise.all(starting)
    }
    const loginOf = (site: string, stream: string) => {
      const port = started.get(`${site} ${stream}`)?.port ?? 0
      return { port, user: 'landbridge', password: SOURCE_PASSWORD }
    }
    const streams = Object.entries(origins).map(([name, origin]) => {
      const databases = Object.fromEntries(names.map((site) => [site, loginOf(site, name)]))
      return { name, origin, databases }
    })
    const { relayPorts } = await writeLoopbackSites(directory, { sites: names, streams })
    const places = new Map<string, SiteServer>()
    for (const [key, server] of started) {
      const [site = '', stream = ''] = key.split(' ')
      const spoolDirectory = join(directory, 'data', site, 'spool', stream)
      places.set(
        key,
        new SiteServer(server, { relay: loopbackRelay(relayPorts.get(key) ?? 0), spoolDirectory }),
      )
    }
    const gateways = new LoopbackGateways(
      directory,
      Object.fromEntries(names.map((name) => [name, name])),
    )
    const sites = new Sites(gateways, places, servers, names)
    for (const name of names) await gateways.start(name)
    return sites
  }

  at(site: string, stream: string): SiteServer {
    const place = this.#places.get(`${site} ${stream}`)
    if (place === undefined) throw new Error(`there is no ${stream} at ${site}`)
    return place
  }

  /** Waits until a site's part of a stream is as wanted. */
  async until(
    site: string,
    stream: string,
    accept: (status: StreamStatus) => boolean,
  ): Promise<StreamStatus> {
    const find = (streams: readonly StreamStatus[]) => streams.find(({ name }) => name === stream)
    const { streams } = await this.gateways.until(site, (status) => {
      const found = find(status.streams)
      return found !== undefined && accept(found)
    })
    const found = find(streams)
    if (found === undefined) throw new Error(`there is no ${stream} at ${site}`)
    return found
  }

  /** GTIDs of all that is synced at a copy. */
  async held(site: string, stream: string): Promise<string> {
    const { spool } = await this.until(site, stream, () => true)
    return spool?.synced?.gtids ?? ''
  }

  /** Attaches the server of a copy once its relay has something to serve. */
  async attach(site: string, stream: string): Promise<void> {
    await this.until(site, stream, ({ spool }) => (spool?.bytes ?? 0) > 0)
    await this.at(site, stream).attach()
  }

  /** For whoever looks at a failed test. */
  lastWords = ''

  async #logs(): Promise<string> {
    const texts = this.#names.map(async (name) => {
      return `--- ${name}\n${(await readFile(this.gateways.logPath(name), 'utf8')).slice(-6_000)}`
    })
    const threads = [...this.#places].map(
      async ([key, place]) => `${key}: ${await place.threads()}`,
    )
    return (await Promise.all([...texts, ...threads])).join('\n')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.lastWords = await this.#logs()
    await this.gateways.stop()
    await this.#servers.stop()
  }
}

const streamsFrom = (peer: string) => (status: StreamStatus) =>
  status.state === 'streaming' && status.peer === peer

testFlavors(
  'one %s origin feeds two copies, and its role moves among three sites',
  async (flavor) => {
    await using sites = await Sites.create(flavor, ['ec2', 'azure', 'gcp'], { main: 'ec2' })
    onTestFailed(() => console.error(sites.lastWords))
    const [ec2, azure, gcp] = ['ec2', 'azure', 'gcp'].map((name) => sites.at(name, 'main')) as [
      SiteServer,
      SiteServer,
      SiteServer,
    ]
    const ledger = new Ledger()
    await ledger.create(ec2)
    ledger.write(ec2)
    for (const name of ['azure', 'gcp']) await sites.attach(name, 'main')
    const origin = await sites.until('ec2', 'main', ({ copies }) =>
      copies.every(({ state }) => state === 'streaming'),
    )
    expect(origin.copies.map(({ peer }) => peer)).toEqual(['azure', 'gcp'])
    await sleep(1_000)
    await ledger.stop()
    for (const copy of [azure, gcp]) await copy.expectCopyOf(ec2)

    // gcp is cut off, and hears nothing of the new term.
    process.kill(sites.gateways.pid('gcp'), 'SIGSTOP')
    const wanted = await ec2.committed()
    await expect.poll(() => azure.applied(), { timeout: 60_000 }).toBe(wanted)
    await azure.promote()
    await sites.gateways.operate('azure', 'term.advance', { stream: 'main', reason: 'a test' })
    ledger.write(azure)
    await sites.until('ec2', 'main', streamsFrom('azure'))
    await expect.poll(() => ec2.isReadOnly(), { timeout: 60_000 }).toBe(true)
    await ec2.demote(() => sites.held('ec2', 'main'))
    process.kill(sites.gateways.pid('gcp'), 'SIGCONT')
    const { term } = await sites.until('gcp', 'main', streamsFrom('azure'))
    expect(term).toMatchObject({ term: 2, origin: 'azure', by: 'azure' })
    await sleep(1_000)
    await ledger.stop()
    for (const copy of [ec2, gcp]) await copy.expectCopyOf(azure)

    // The origin is cut off: it comes back when another one has taken over.
    process.kill(sites.gateways.pid('azure'), 'SIGSTOP')
    const applied = await azure.committed()
    await expect.poll(() => gcp.applied(), { timeout: 60_000 }).toBe(applied)
    await gcp.promote()
    await sites.gateways.operate('gcp', 'term.advance', { stream: 'main', reason: 'azure is gone' })
    ledger.write(gcp)
    await sites.until('ec2', 'main', streamsFrom('gcp'))
    process.kill(sites.gateways.pid('azure'), 'SIGCONT')
    const old = await sites.until('azure', 'main', streamsFrom('gcp'))
    expect([old.role, old.term.term]).toEqual(['copy', 3])
    await expect.poll(() => azure.isReadOnly(), { timeout: 60_000 }).toBe(true)
    await azure.demote(() => sites.held('azure', 'main'))
    await sleep(500)
    await ledger.stop()
    for (const copy of [ec2, azure]) await copy.expectCopyOf(gcp)
    for (const place of [ec2, azure, gcp]) await ledger.expectIn(place)
  },
)

testFlavors('two %s streams go in opposite directions between two sites', async (flavor) => {
  const origins = { main: 'ec2', back: 'azure' }
  await using sites = await Sites.create(flavor, ['ec2', 'azure'], origins)
  onTestFailed(() => console.error(sites.lastWords))
  const ledgers = { main: new Ledger(), back: new Ledger('other') }
  const copies = { main: 'azure', back: 'ec2' }
  const names = ['main', 'back'] as const
  for (const name of names) {
    const origin = sites.at(origins[name], name)
    await ledgers[name].create(origin)
    ledgers[name].write(origin)
  }
  for (const name of names) await sites.attach(copies[name], name)
  await sleep(1_500)
  // One gateway serves one direction and receives the other: its end is that of both.
  await sites.gateways.kill('azure')
  await sites.gateways.start('azure')
  await sleep(1_500)
  for (const name of names) {
    await ledgers[name].stop()
    const origin = sites.at(origins[name], name)
    const copy = sites.at(copies[name], name)
    await copy.expectCopyOf(origin)
    await ledgers[name].expectIn(copy)
    expect(ledgers[name].acknowledged).toBeGreaterThan(500)
  }
  for (const site of ['ec2', 'azure']) {
    const { links } = await sites.gateways.until(site, ({ state }) => state === 'ok')
    const carried = links.map(({ role, carries }) => [role, ...carries])
    expect(carried).toEqual([
      ['receiver', site === 'ec2' ? 'back' : 'main'],
      ['sender', site === 'ec2' ? 'main' : 'back'],
    ])
  }
})
