import { once } from 'node:events'
import { request } from 'node:https'
import { text } from 'node:stream/consumers'
import { beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import {
  type CertificateAndKey,
  createAuthority,
  issueGatewayCertificate,
} from '../../../../src/keys/certificates.ts'
import { ServedPage } from '../../../helpers/page/served-page.ts'

const DAY_MS = 86_400_000

describe('behind mutual TLS', () => {
  let authority: CertificateAndKey
  let gateway: CertificateAndKey
  let anna: CertificateAndKey
  let bert: CertificateAndKey

  const issue = (from: CertificateAndKey, name: string, nowMs = Date.now()) =>
    issueGatewayCertificate({ authority: from, name, tunnelAddress: '127.0.0.1', nowMs })

  beforeAll(async () => {
    authority = await createAuthority('the gateways', Date.now())
    gateway = await issue(authority, 'azure')
    const others = await createAuthority('people', Date.now())
    anna = await issue(others, 'anna')
    bert = await issue(others, 'bert')
  })

  const start = (viewersPem: string) =>
    ServedPage.start({
      config: { listen: { host: '127.0.0.1', port: 0 }, viewersPem },
      identity: gateway,
    })

  const tls = (who: CertificateAndKey | null) => ({
    ca: authority.certificatePem,
    ...(who && { cert: who.certificatePem, key: who.privateKeyPem.reveal() }),
  })

  async function get(served: ServedPage, who: CertificateAndKey | null): Promise<string> {
    const { port } = served.page
    const options = { host: '127.0.0.1', port, path: '/', ...tls(who) }
    const headers = { connection: 'close' }
    const [response] = await once(request({ ...options, headers }).end(), 'response')
    return `${response.statusCode} ${(await text(response)).slice(0, 15)}`
  }

  test('whoever is in the file may look, and hears what is so each second', async () => {
    await using served = await start(`${bert.certificatePem}\n${anna.certificatePem}`)
    expect(await get(served, anna)).toBe('200 <!doctype html>')
    expect(await get(served, bert)).toBe('200 <!doctype html>')
    const url = `wss://127.0.0.1:${served.page.port}/live`
    const origin = `https://127.0.0.1:${served.page.port}`
    const socket = new WebSocket(url, { ...tls(anna), origin })
    const [data] = await once(socket, 'message')
    expect(JSON.parse(String(data))).toMatchObject({ type: 'hello', gateway: 'azure' })
    socket.terminate()
  })

  test('nobody else may: without a certificate, one of the same signer, a gateway', async () => {
    await using served = await start(anna.certificatePem)
    for (const who of [null, bert, gateway]) await expect(get(served, who)).rejects.toThrow()
    await expect.poll(() => served.page.refused()).not.toEqual([])
    expect(served.page.refused().every(({ where }) => where === 'page')).toBe(true)
    expect(await get(served, anna)).toMatch(/^200/)
  })

  test('a certificate that one in the file has signed is not let in', async () => {
    const carla = await createAuthority('carla', Date.now())
    const signed = await issue(carla, 'dora')
    await using served = await start(carla.certificatePem)
    await expect(get(served, signed)).rejects.toThrow()
    expect(served.page.refused()).toMatchObject([{ where: 'page', reason: 'certificate' }])
    expect(await get(served, carla)).toMatch(/^200/)
  })

  test('one that has run out is not let in', async () => {
    const old = await issue(authority, 'anna', Date.now() - 1_000 * DAY_MS)
    await using served = await start(old.certificatePem)
    await expect(get(served, old)).rejects.toThrow()
  })

  test('a request without TLS gets no answer', async () => {
    await using served = await start(anna.certificatePem)
    await expect(served.get('/')).rejects.toThrow()
  })
})
