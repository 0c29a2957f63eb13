import { expect, test } from 'vitest'
import { needs } from '../helpers/needs.ts'
import { LabBrowser } from '../helpers/page/lab-browser.ts'

/** From when the gateway itself knows. */
const SHOWN_MS_MAX = 2_000

test('the page follows a cut of the WAN and its heal within 2 s', {
  ...needs('root', 'mariadb', 'browser'),
}, async () => {
  await using lab = await LabBrowser.start()
  const { page, observed } = await lab.browser.open(lab.url)
  const tunnel = page.locator('.tunnel .state')
  await tunnel.getByText('link up').waitFor()
  const exposed = page.locator('.card', { hasText: 'lost' })
  await exposed.getByText('Little', { exact: true }).waitFor()

  await lab.wan({ cut: true })
  await lab.until('down')
  await tunnel.getByText('link down').waitFor({ timeout: SHOWN_MS_MAX })
  await exposed.getByText('Exposed', { exact: true }).waitFor()
  const row = page.locator('#gateways tr', { hasText: 'ec2' })
  await expect.poll(async () => (await row.allInnerTexts()).join()).toContain('ago')

  await lab.wan({ cut: false })
  await lab.until('up')
  await tunnel.getByText('link up').waitFor({ timeout: SHOWN_MS_MAX })
  await exposed.getByText('Little', { exact: true }).waitFor()
  expect(observed.complaints).toEqual([])
  const others = observed.urls.filter((url) => new URL(url).hostname !== '127.0.0.1')
  expect(others).toEqual([])
})
