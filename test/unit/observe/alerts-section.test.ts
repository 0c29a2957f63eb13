import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Problems } from '../../../src/config/problem.ts'
import { ConfigFiles } from '../../../src/config/secret-file.ts'
import { alertsSection } from '../../../src/observe/alerts-section.ts'
import { temporaryFolder } from '../../helpers/spool/spool-fixture.ts'

async function loaded(raw: unknown, secret = 'abc123\n') {
  await using folder = await temporaryFolder()
  const path = join(folder.path, 'secret')
  await writeFile(path, secret)
  await chmod(path, 0o600)
  const problems = new Problems()
  const files = new ConfigFiles({ directory: folder.path, env: {} }, problems)
  const nothing = { site: null, dataDir: null, self: null, peerNames: [], peers: [] }
  const value = await alertsSection.load(raw, { ...nothing, files, problems })
  const told = problems.list.map(({ path: where, message }) => `${where}: ${message}`)
  return { webhook: value?.webhook, problems: told, all: JSON.stringify(problems.list) }
}

const url = 'https://alerts.example.net/hook/t0ken'

describe('the section alerts', () => {
  test('is nothing when it is not there', async () => {
    expect(await loaded(undefined)).toMatchObject({ webhook: null, problems: [] })
    expect(await loaded({})).toMatchObject({ webhook: null, problems: [] })
  })

  test('has a URL of which only the origin is shown, and its times', async () => {
    const { webhook } = await loaded({ webhook: { url, holdOff: '1m', repeat: '12h' } })
    expect(webhook?.url.reveal()).toBe(url)
    const times = { holdOffMs: 60_000, repeatMs: 43_200_000 }
    expect(webhook).toMatchObject({ origin: 'https://alerts.example.net', ...times })
    expect(JSON.stringify(webhook)).not.toContain('t0ken')
  })

  test('takes the URL, a token or a password from files', async () => {
    const fromFile = await loaded({ webhook: { urlFile: 'secret' } }, `${url}\n`)
    expect(fromFile.webhook?.url.reveal()).toBe(url)
    const bearer = await loaded({ webhook: { url, bearerFile: 'secret' } })
    expect(bearer.webhook?.authorization?.reveal()).toBe('Bearer abc123')
    const basic = await loaded({ webhook: { url, user: 'lb', passwordFile: 'secret' } })
    const pair = Buffer.from('lb:abc123').toString('base64')
    expect(basic.webhook?.authorization?.reveal()).toBe(`Basic ${pair}`)
  })

  test.each([
    [{}, 'alerts.webhook: has no URL'],
    [{ url, urlFile: 'secret' }, 'alerts.webhook: has two URLs'],
    [{ url: 'ftp://t0ken.example/' }, 'alerts.webhook.url: must be an http or https URL'],
    [{ url: 'https://u:t0ken@example.net/' }, 'alerts.webhook.url: has a password in it'],
    [{ url, bearerFile: 'secret', user: 'u' }, 'alerts.webhook: has two secrets'],
    [{ url, passwordFile: 'secret' }, 'alerts.webhook.user: is missing'],
    [{ url, user: 'u' }, 'alerts.webhook: has no password'],
    [{ url: 'http://a.example/', bearerFile: 'secret' }, 'alerts.webhook: would send a secret'],
    [{ url: 'http://a.example/', ca: 'secret' }, 'is not a PEM file'],
    [{ url, repeat: '5s' }, 'alerts.webhook.repeat: "5s" must be at least 1m'],
    [{ url, token: 't0ken' }, 'alerts.webhook.token: is not a known key'],
  ])('refuses %o, and never says the secret', async (webhook, problem) => {
    const { problems, all } = await loaded({ webhook })
    expect(problems.join('\n')).toContain(problem)
    expect(all).not.toContain('t0ken')
  })

  test('takes a plain URL of the machine itself with a secret', async () => {
    const local = { url: 'http://127.0.0.1:9093/hook', bearerFile: 'secret' }
    expect((await loaded({ webhook: local })).problems).toEqual([])
  })
})
