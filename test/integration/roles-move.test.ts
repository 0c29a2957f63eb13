import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, expect, onTestFailed, test } from 'vitest'
import type { TermRecord } from '../../src/status/term-record.ts'
import { describeFlavors } from '../helpers/needs.ts'
import { Ledger } from '../helpers/pair/ledger.ts'
import { NAMES, type Site } from '../helpers/pair/loopback-pair.ts'
import { ReplicatedPair } from '../helpers/pair/replicated-pair.ts'
import { loopbackRelay, SiteServer } from '../helpers/pair/site-servers.ts'

const SITES = ['production', 'dr'] as const

/** The databases are moved by hand, as the verbs of recovery will do it one day. */
describeFlavors('the origin of a %s stream', (flavor) => {
  const ledger = new Ledger()
  let pair: ReplicatedPair
  let places: Readonly<Record<Site, SiteServer>>

  beforeAll(async () => {
    pair = await ReplicatedPair.create(flavor, { bothRoles: true })
    const { pair: gateways, source, replica } = pair
    if (replica === null) throw new Error('there is no replica')
    places = {
      production: new SiteServer(source, {
        relay: loopbackRelay(gateways.productionRelayPort),
        spoolDirectory: gateways.productionSpoolDirectory,
      }),
      dr: new SiteServer(replica, {
        relay: loopbackRelay(gateways.relayPort),
        spoolDirectory: gateways.spoolDirectory,
      }),
    }
    await ledger.create(places.production)
  })
  beforeEach(() => onTestFailed(async () => console.error(await pair.logTails())))
  afterAll(async () => {
    await ledger.stop()
    await pair?.stop()
  })

  async function promote(from: Site, to: Site): Promise<void> {
    const wanted = await places[from].committed()
    await pair.eventually(async () => (await places[to].applied()) === wanted)
    await places[to].promote()
  }

  /** Moves the origin from one site to the other, while applications write. */
  async function reverse(from: Site, to: Site, term: number): Promise<void> {
    const pids = SITES.map((site) => pair.pair.pid(site))
    ledger.write(places[from])
    await sleep(1_000)
    await ledger.stop()
    await promote(from, to)
    const input = { stream: 'main', reason: 'a test' }
    type Advanced = { changed: boolean; term: TermRecord }
    const advanced = await pair.pair.operate<Advanced>(to, 'term.advance', input)
    expect(advanced).toMatchObject({ changed: true, term: { term, origin: NAMES[to] } })
    ledger.write(places[to])
    await pair.pair.until(from, ({ streams: [stream] }) => {
      return stream?.role === 'copy' && stream.term.term === term && stream.state === 'streaming'
    })
    await pair.eventually(() => places[from].isReadOnly())
    await places[from].demote(() => heldAt(from))
    await sleep(1_000)
    await ledger.stop()
    await places[from].expectCopyOf(places[to])
    expect(SITES.map((site) => pair.pair.pid(site))).toEqual(pids)
    for (const site of SITES) await pair.pair.until(site, ({ state }) => state === 'ok')
  }

  async function heldAt(site: Site): Promise<string> {
    return (await pair.pair.status(site))?.streams[0]?.spool?.synced?.gtids ?? ''
  }

  async function expectNothingLost(): Promise<void> {
    for (const site of SITES) await ledger.expectIn(places[site])
  }

  test('moves three times while applications write: nothing lost, nothing doubled', async () => {
    await reverse('production', 'dr', 2)
    await reverse('dr', 'production', 3)
    await reverse('production', 'dr', 4)
    await expectNothingLost()
    expect(ledger.acknowledged).toBeGreaterThan(1_000)
  })

  test('is moved by asking again for what is decided already no further', async () => {
    const again = await pair.pair.operate('dr', 'term.advance', { stream: 'main', reason: 'again' })
    expect(again).toMatchObject({
      changed: false,
      warnings: [],
      term: { term: 4, origin: 'azure' },
    })
  })

  test('is asked of the other gateway, which allows what its peer file says', async () => {
    const asked = await pair.pair.command('production', 'status', '--peer', 'azure', '--json')
    expect(JSON.parse(asked.stdout)).toMatchObject({ name: 'azure', streams: [{ role: 'origin' }] })
    const input = JSON.stringify({ stream: 'main', reason: 'from afar' })
    const words = ['operation', 'call', 'term.advance', '--input', input, '--peer', 'azure']
    const denied = await pair.pair.command('production', ...words, '--json')
    expect(denied.exitCode).toBe(1)
    expect(denied.stdout).toContain('ERR_OPERATION_DENIED')
    expect((await pair.pair.status('dr'))?.streams[0]?.term.term).toBe(4)
  })

  test('stays where it is over a restart of both gateways', async () => {
    for (const site of SITES) await pair.restartGateway(site)
    await pair.pair.until('production', ({ streams: [stream] }) => {
      return stream?.role === 'copy' && stream.state === 'streaming' && stream.term.term === 4
    })
    const { streams } = await pair.pair.until('dr', ({ state }) => state === 'ok')
    expect(streams[0]).toMatchObject({ role: 'origin', term: { term: 4, reason: 'a test' } })
  })

  test('moves while the other gateway is away, which comes back as a copy', async () => {
    await pair.pair.kill('dr')
    await promote('dr', 'production')
    const input = { stream: 'main', reason: 'azure is away' }
    await pair.pair.operate('production', 'term.advance', input)
    ledger.write(places.production)
    await sleep(500)
    await pair.pair.start('dr')
    const { streams } = await pair.pair.until('dr', ({ streams: [stream] }) => {
      return stream?.role === 'copy' && stream.state === 'streaming'
    })
    expect(streams[0]?.term).toMatchObject({ term: 5, origin: 'ec2' })
    await pair.eventually(() => places.dr.isReadOnly())
    await places.dr.demote(() => heldAt('dr'))
    await ledger.stop()
    await places.dr.expectCopyOf(places.production)
    await expectNothingLost()
    const production = await pair.pair.until('production', ({ state }) => state === 'ok')
    // It has received nothing since it is the origin.
    expect(production.streams[0]).toMatchObject({ role: 'origin', spool: null, peer: null })
  })
})
