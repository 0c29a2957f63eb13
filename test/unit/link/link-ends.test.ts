import type { X509Certificate } from 'node:crypto'
import { connect } from 'node:tls'
import { describe, expect, test } from 'vitest'
import { systemClock } from '../../../src/base/clock.ts'
import { codeOf, LandbridgeError } from '../../../src/base/errors.ts'
import { certificateFingerprint, publicKeyFingerprint } from '../../../src/base/fingerprint.ts'
import { type Log, silentLog } from '../../../src/base/log.ts'
import { createAuthority, issueGatewayCertificate } from '../../../src/keys/certificates.ts'
import { LinkClient } from '../../../src/link/link-client.ts'
import { LinkServer } from '../../../src/link/link-server.ts'
import type { LinkPeer, SessionBody } from '../../../src/link/link-session.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { Stranger } from '../../helpers/link/stranger.ts'
import { until } from '../../helpers/spool/spool-fixture.ts'

const nowMs = Date.now()
const authority = await createAuthority('pair', nowMs)
const issue = async (name: string) =>
  await issueGatewayCertificate({ authority, name, tunnelAddress: '127.0.0.1', nowMs })
const ec2 = await issue('ec2')
const azure = await issue('azure')
const gcp = await issue('gcp')

type Identity = typeof ec2

/** As the peer file of a gateway that is named like its site. */
function peerOf(name: string, { certificatePem }: Identity): LinkPeer {
  return { name, site: name, certificateFingerprint: certificateFingerprint(certificatePem) }
}

const helloOf = (name: string) => () => ({
  gateway: name,
  site: name,
  software: 'test',
  streams: [],
})

function tlsOf(own: Identity) {
  return {
    certificatePem: own.certificatePem,
    privateKeyPem: own.privateKeyPem,
    authorityPem: authority.certificatePem,
    fingerprintOf: (certificate: X509Certificate) => publicKeyFingerprint(certificate.publicKey),
  }
}

/** Runs until its session is over, and takes so long to end. */
function idleBody(endMs = 0): SessionBody {
  return {
    onFrame: () => undefined,
    run: async (signal) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
      await new Promise((resolve) => setTimeout(resolve, endMs))
    },
  }
}

class Ends implements AsyncDisposable {
  readonly codes: string[] = []
  readonly server: LinkServer
  readonly #stop = new AbortController()
  readonly #running: Promise<void>[] = []
  readonly #log: Log = {
    ...silentLog,
    warn: (fields) => {
      if ('code' in fields) this.codes.push(String(fields.code))
    },
  }
  readonly #host: string

  constructor(
    options: {
      readonly endMs?: number
      readonly host?: string
      readonly settled?: () => Promise<void>
    } = {},
  ) {
    this.#host = options.host ?? '127.0.0.1'
    this.server = new LinkServer({
      own: helloOf('ec2'),
      peers: [peerOf('azure', azure), peerOf('gcp', gcp)],
      pingMs: 1_000,
      host: this.#host,
      port: 0,
      tls: tlsOf(ec2),
      createBody: () => idleBody(options.endMs),
      serve: async () => null,
      ...(options.settled && { settled: options.settled }),
      clock: systemClock,
      log: this.#log,
    })
    this.#running.push(this.server.run(this.#stop.signal))
  }

  /** What the server says of its session with `azure`. */
  get status() {
    return this.server.stateOf('azure').status([])
  }

  async client(
    own = azure,
    peer = ec2,
    name = 'azure',
  ): Promise<{ readonly client: LinkClient; stop(): Promise<void> }> {
    const stop = new AbortController()
    const client = new LinkClient({
      own: helloOf(name),
      peer: peerOf('ec2', peer),
      pingMs: 1_000,
      host: this.#host,
      port: await this.server.ready,
      tls: tlsOf(own),
      createBody: () => idleBody(),
      serve: async () => null,
      clock: systemClock,
      log: this.#log,
    })
    const running = client.run(AbortSignal.any([this.#stop.signal, stop.signal]))
    this.#running.push(running)
    return {
      client,
      stop: async () => {
        stop.abort()
        await running
      },
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await Promise.all(this.#running)
  }
}

describe('the two ends of a link', () => {
  test('find each other by IPv6 as well', async () => {
    await using ends = new Ends({ host: '::1' })
    const { client } = await ends.client()
    await until(() => client.state.status([]).state === 'up' && ends.status.state === 'up')
  })

  test('come up over TLS, count what they say, and stop', async () => {
    const ends = new Ends()
    const { client } = await ends.client()
    await until(() => client.state.status([]).state === 'up' && ends.status.state === 'up')
    await until(() => client.state.status([]).roundTripMs !== null)
    expect(client.state.status([])).toMatchObject({ peer: 'ec2', sessions: 1, lastError: null })
    expect(ends.status).toMatchObject({ peer: 'azure', sessions: 1, lastError: null })
    await ends[Symbol.asyncDispose]()
    expect(client.state.status([]).state).toBe('down')
    // A stop is no trouble; at most the other end's farewell is told.
    expect(ends.codes.filter((code) => code !== 'ERR_LINK_CLOSED')).toEqual([])
  })

  test('lose no hello while an older session takes its time to end', async () => {
    await using ends = new Ends({ endMs: 150 })
    const first = await ends.client()
    await until(() => ends.status.state === 'up')
    const second = await ends.client()
    await until(() => second.client.state.status([]).state === 'up')
    await first.stop()
    expect(ends.status.sessions).toBeGreaterThan(1)
    expect(ends.codes).not.toContain('ERR_LINK_HELLO')
  })

  test('belong to their peers: of each the newest, and none ends that of another', async () => {
    await using ends = new Ends()
    const first = await ends.client()
    await until(() => ends.status.state === 'up')
    const other = await ends.client(gcp, ec2, 'gcp')
    await until(() => ends.server.stateOf('gcp').status([]).state === 'up')
    expect([ends.status.sessions, first.client.state.status([]).sessions]).toEqual([1, 1])
    await first.stop()
    expect(other.client.state.status([])).toMatchObject({ state: 'up', sessions: 1 })
  })

  test('take a peer for the one whose key it shows, whatever it calls itself', async () => {
    await using ends = new Ends()
    await ends.client(gcp, ec2, 'azure')
    await until(() => ends.codes.includes('ERR_LINK_HELLO'))
    expect(ends.status.sessions).toBe(0)
  })

  test('are renewed: all sessions end for the reason, and begin once that is settled', async () => {
    let settle = (): void => undefined
    let settled: Promise<void> = Promise.resolve()
    await using ends = new Ends({ settled: () => settled })
    const { client } = await ends.client()
    await until(() => client.state.status([]).state === 'up' && ends.status.state === 'up')
    settled = new Promise((resolve) => {
      settle = resolve
    })
    await ends.server.renew(new LandbridgeError('ERR_TERM_CHANGED', 'azure is the origin'))
    // It dials again, and is let wait.
    await until(() => ends.status.state === 'down' && client.state.status([]).state !== 'up')
    await new Promise((resolve) => setTimeout(resolve, 400))
    expect(ends.status.sessions).toBe(1)
    settle()
    await until(() => ends.status.state === 'up' && ends.status.sessions === 2)
    expect(client.state.status([]).lastError?.message).toContain('azure is the origin')
  })

  test('meet again after the session was cut', async () => {
    await using ends = new Ends()
    const { client } = await ends.client()
    await until(() => client.state.status([]).state === 'up' && ends.status.state === 'up')
    ends.server.stateOf('azure').channel?.fail(new Error('cut'))
    await until(
      () => client.state.status([]).sessions === 2 && client.state.status([]).state === 'up',
    )
    await until(() => ends.status.sessions === 2)
  })

  test('come up though strangers hold as many places as there are', async () => {
    await using ends = new Ends()
    const port = await ends.server.ready
    const strangers = Array.from({ length: 16 }, (_, at) => Stranger.at(port, `127.0.1.${1 + at}`))
    await until(() => ends.server.waiting === 16)
    const { client } = await ends.client()
    await until(() => client.state.status([]).state === 'up')
    expect(ends.server.refused()).toEqual([{ where: 'link', reason: 'crowded', connections: 1 }])
    await strangers[0]?.closed
    for (const stranger of strangers) stranger.destroy()
    expect(client.state.status([]).sessions).toBe(1)
  })

  test('refuse a certificate of the pair that is not the pinned one', async () => {
    await using ends = new Ends()
    const stranger = await issue('azure')
    const { client } = await ends.client(stranger)
    await until(() => ends.codes.includes('ERR_LINK_FINGERPRINT'))
    await until(() => client.state.status([]).lastError !== null)
    expect(ends.status.sessions).toBe(0)
    expect(client.state.status([]).sessions).toBe(0)
  })

  test('refuse to dial a server with another key than the pinned one', async () => {
    await using ends = new Ends()
    const other = await issue('ec2')
    const { client } = await ends.client(azure, other)
    await until(() => client.state.status([]).lastError?.code === 'ERR_LINK_FINGERPRINT')
    expect(client.state.status([]).sessions).toBe(0)
  })

  test('say when nobody listens, and what to do, once, however often it is dialled', async () => {
    const clock = new FakeClock()
    const told: object[] = []
    const ends = new Ends()
    const { client } = await ends.client()
    await ends[Symbol.asyncDispose]()
    expect(client.state.status([]).state).toBe('down')
    const alone = new LinkClient({
      own: helloOf('azure'),
      peer: peerOf('ec2', ec2),
      pingMs: 1_000,
      host: '127.0.0.1',
      port: await ends.server.ready,
      tls: tlsOf(azure),
      createBody: () => idleBody(),
      serve: async () => null,
      clock,
      log: { ...silentLog, warn: (fields) => void told.push(fields) },
    })
    const stop = new AbortController()
    const running = alone.run(stop.signal)
    for (let dials = 0; dials < 4; dials += 1) {
      await until(() => clock.sleeping > 0)
      await clock.advance(5_000)
    }
    const remedy = expect.stringContaining('the tunnel reaches it')
    expect(alone.state.status([]).lastError).toMatchObject({ code: 'ERR_LINK_DIAL', remedy })
    expect(told).toEqual([{ code: 'ERR_LINK_DIAL', remedy }])
    stop.abort()
    await running
  })

  test('take a dial into a way that is still being made for no trouble', async () => {
    const clock = new FakeClock()
    const told: object[] = []
    const ends = new Ends()
    const port = await ends.server.ready
    await ends[Symbol.asyncDispose]()
    let isPathNew = true
    const client = new LinkClient({
      own: helloOf('azure'),
      peer: peerOf('ec2', ec2),
      pingMs: 1_000,
      host: '127.0.0.1',
      port,
      tls: tlsOf(azure),
      createBody: () => idleBody(),
      serve: async () => null,
      clock,
      log: { ...silentLog, warn: (fields) => void told.push(fields) },
      excuses: (error) => isPathNew && codeOf(error) === 'ERR_LINK_DIAL',
    })
    const stop = new AbortController()
    const running = client.run(stop.signal)
    for (let dials = 0; dials < 3; dials += 1) {
      await until(() => clock.sleeping > 0)
      expect(client.state.status([])).toMatchObject({ state: 'down', lastError: null })
      await clock.advance(1_000)
    }
    expect(told).toEqual([])
    isPathNew = false
    await until(() => clock.sleeping > 0)
    await clock.advance(1_000)
    await until(() => client.state.status([]).lastError?.code === 'ERR_LINK_DIAL')
    expect(told).toMatchObject([{ code: 'ERR_LINK_DIAL' }])
    stop.abort()
    await running
  })

  test('give nothing to somebody without a certificate', async () => {
    await using ends = new Ends()
    const socket = connect({
      host: '127.0.0.1',
      port: await ends.server.ready,
      ca: authority.certificatePem,
      servername: 'ec2',
    })
    let isClosed = false
    socket.on('error', () => undefined)
    socket.on('close', () => {
      isClosed = true
    })
    socket.write('GET /v1/link HTTP/1.1\r\n\r\n')
    await until(() => isClosed)
    expect(ends.status.sessions).toBe(0)
  })
})
