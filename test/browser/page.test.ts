import { setTimeout as sleep } from 'node:timers/promises'
import type { Locator, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { needs } from '../helpers/needs.ts'
import { type OpenedPage, TestBrowser } from '../helpers/page/chromium.ts'
import type { Site } from '../helpers/pair/loopback-pair.ts'
import { ReplicatedPair } from '../helpers/pair/replicated-pair.ts'

const WIDE = { width: 1280, height: 900 }
const PHONE = { width: 360, height: 740 }
/** What a database calls things; as markup it would run. */
const HOSTILE = '<img src=x onerror=document.title="owned">'

/** The views of all gateways, a second apart, need so long at most. */
const SHOWN_MS_MAX = 2_000

/** As a person reads it: what is hidden is not there. */
const shown = async (locator: Locator) => (await locator.allInnerTexts()).join(' ')

describe('the page in Chromium', needs('mariadb', 'browser'), () => {
  let pair: ReplicatedPair
  let browser: TestBrowser
  const opened: OpenedPage[] = []

  const urlOf = (site: Site) => `http://127.0.0.1:${pair.pair.pagePorts?.[site]}/`
  const open = async (site: Site, options: Parameters<TestBrowser['open']>[1] = {}) => {
    const one = await browser.open(urlOf(site), { viewport: WIDE, ...options })
    opened.push(one)
    await one.page.locator('.card').first().waitFor()
    return one.page
  }
  const write = async (text: string) => {
    const sql = await pair.sql()
    await sql.query(text)
    sql.destroy()
  }

  beforeAll(async () => {
    browser = await TestBrowser.start()
    pair = await ReplicatedPair.create('mariadb', { gateways: { page: true } })
    await write('CREATE DATABASE app; CREATE TABLE app.t (id INT PRIMARY KEY)')
    await pair.synced()
  })

  afterEach(async () => {
    for (const { page } of opened.splice(0)) await page.context().close()
  })

  afterAll(async () => {
    await browser?.close()
    await pair?.stop()
  })

  test('answers the questions first, and draws the flow with its numbers', async () => {
    const page = await open('dr')
    const titles = await page.locator('.card h2').allTextContents()
    expect(titles.slice(0, 2)).toEqual(['Is it up?', 'How far behind?'])
    await page.locator('.card', { hasText: 'Is it up?' }).getByText('Up', { exact: true }).waitFor()
    await page.locator('.station', { hasText: 'replica 2' }).getByText('caught-up').waitFor()
    const flow = await shown(page.locator('#flow'))
    expect(flow).toMatch(/ec2 origin[\s\S]*MariaDB \d+\.\d+[\s\S]*link up[\s\S]*azure copy/)
    expect(flow).toMatch(/spool[\s\S]*up to\s+binlog\.\d+ at [\d,]+/)
    expect(await page.title()).toMatch(/azure · landbridge$/)
    const bottom = await page.locator('.card').first().boundingBox()
    expect((bottom?.y ?? 0) + (bottom?.height ?? 0)).toBeLessThan(WIDE.height)
  })

  test.each([
    ['dr', WIDE, 'light'],
    ['dr', PHONE, 'dark'],
    ['production', WIDE, 'dark'],
    ['production', PHONE, 'light'],
  ] as const)('of %s fits %o, %s; nothing leaves the host, nobody complains', async (...given) => {
    const [site, viewport, colorScheme] = given
    const page = await open(site, { viewport, colorScheme })
    await page.locator('#charts canvas').first().waitFor()
    await page.locator('#gateways td').first().waitFor()
    const width = await page.evaluate('document.documentElement.scrollWidth')
    expect(width).toBeLessThanOrEqual(viewport.width)
    const paper = await page.evaluate('getComputedStyle(document.body).backgroundColor')
    const [red = 0] = String(paper).match(/\d+/g)?.map(Number) ?? []
    expect(red < 60).toBe(colorScheme === 'dark')
    await sleep(1_500)
    const { observed } = opened[0] as OpenedPage
    const hosts = observed.urls.map((url) => new URL(url).host)
    expect(hosts.length).toBeGreaterThan(20)
    expect(new Set(hosts)).toEqual(new Set([new URL(urlOf(site)).host]))
    expect(observed.urls.filter((url) => url.startsWith('ws://'))).toHaveLength(1)
    expect(observed.complaints).toEqual([])
  })

  test('at the origin says what the copy says, of the same moment', async () => {
    const [copy, origin] = [await open('dr'), await open('production')]
    const answers = (page: Page) => shown(page.locator('.card', { hasText: 'take over' }))
    await expect.poll(async () => (await answers(origin)) === (await answers(copy))).toBe(true)
    const stations = (page: Page) => page.locator('.branches .station .title').allTextContents()
    expect(await stations(origin)).toEqual(await stations(copy))
    for (const page of [copy, origin]) {
      const rows = await page.locator('#gateways tbody tr').allInnerTexts()
      expect(rows).toHaveLength(2)
      for (const row of rows) expect(row).toMatch(/now$/)
    }
  })

  test('is there for several at once, each a browser of its own', async () => {
    for (let browsers = 0; browsers < 4; browsers += 1) await open('dr')
  })

  test('can be used with the keyboard alone', async () => {
    const page = await open('dr')
    await page.locator('#charts canvas').first().waitFor()
    const reached = new Set<string>()
    for (let presses = 0; presses < 24; presses += 1) {
      await page.keyboard.press('Tab')
      const where = 'document.activeElement?.closest("#charts .controls, figure, .scroll")'
      reached.add(String(await page.evaluate(`${where}?.className || ${where}?.id || ""`)))
    }
    expect([...reached]).toEqual(expect.arrayContaining(['controls', 'scroll']))
    await page.locator('input[value="15 min"]').focus()
    await page.keyboard.press('ArrowRight')
    expect(await page.locator('input[value="24 h"]').isChecked()).toBe(true)
    await page.keyboard.press('ArrowLeft')
    const lag = page.locator('#chart-lag')
    await expect.poll(() => shown(lag.locator('.words'))).toMatch(/receive lag \d/)
    await lag.locator('.plot').focus()
    await page.keyboard.press('End')
    await expect.poll(() => shown(lag.locator('.cursor'))).toMatch(/: receive lag/)
    await lag.locator('summary').focus()
    await page.keyboard.press('Enter')
    await lag.locator('tbody tr').first().waitFor()
  })

  test('shows within 2 s that the other gateway is gone, and that it is back', async () => {
    const page = await open('dr')
    const tunnel = page.locator('.tunnel .state')
    await expect.poll(() => shown(tunnel)).toBe('link up')
    process.kill(pair.pair.pid('production'), 'SIGSTOP')
    try {
      await pair.pair.until('dr', ({ links }) => links.every(({ state }) => state !== 'up'))
      await tunnel.getByText('link down').waitFor({ timeout: SHOWN_MS_MAX })
      await page
        .locator('.card', { hasText: 'Is it up?' })
        .getByText('Down', { exact: true })
        .waitFor()
      const row = page.locator('#gateways tr', { hasText: 'ec2' })
      await expect.poll(() => shown(row)).toMatch(/ago: /)
    } finally {
      process.kill(pair.pair.pid('production'), 'SIGCONT')
    }
    await pair.pair.until('dr', ({ links }) => links.every(({ state }) => state === 'up'))
    await tunnel.getByText('link up').waitFor({ timeout: SHOWN_MS_MAX })
  })

  test('says how old it is while its gateway is away, and comes back by itself', async () => {
    const page = await open('dr')
    await pair.pair.kill('dr')
    await page.locator('.lost', { hasText: /what you see is \d+ s old/ }).waitFor()
    expect(await page.title()).toMatch(/^… not known now/)
    await pair.pair.start('dr')
    await page.locator('.lost').waitFor({ state: 'detached' })
    await page.locator('.station', { hasText: 'replica 2' }).getByText('caught-up').waitFor()
    // The browser itself says that nobody answered; nothing else may be said.
    const { observed } = opened[0] as OpenedPage
    const others = observed.complaints.filter((text) => !text.includes('ERR_CONNECTION_REFUSED'))
    expect(others).toEqual([])
  })

  test('charts what was before its gateway was started anew, in the viewer’s zone', async () => {
    const page = await open('dr', { timezoneId: 'Asia/Kolkata' })
    const lag = page.locator('#chart-lag')
    await expect.poll(() => shown(lag.locator('.words'))).toMatch(/receive lag \d/)
    await lag.locator('summary').click()
    const rows = lag.locator('tbody tr')
    await expect.poll(() => rows.count()).toBeGreaterThan(5)
    const status = await pair.pair.status('dr')
    const momentOf = (row: string) => Date.parse(`${row.slice(0, 19).replace(' ', 'T')}+05:30`)
    const earlier = (await rows.allInnerTexts()).filter((row) => {
      return momentOf(row) < (status?.startedAtMs ?? 0) - 5_000
    })
    expect(earlier.filter((row) => /\d/.test(row.slice(19)))).not.toEqual([])
    expect(await shown(page.locator('.zone'))).toMatch(/Asia\/(Kolkata|Calcutta)/)
  })

  test('shows text of a database as text', async () => {
    const page = await open('production')
    // The replica never hears of the table, and says its name when it is to write into it.
    await write(`SET sql_log_bin = 0; CREATE TABLE app.\`${HOSTILE}\` (id INT); SET sql_log_bin = 1;
      INSERT INTO app.\`${HOSTILE}\` VALUES (1)`)
    const station = page.locator('.station', { hasText: 'replica 2' })
    await station.getByText('does not apply').waitFor()
    await page.locator('#problems', { hasText: HOSTILE.slice(0, 12) }).waitFor()
    expect(await page.locator('img').count()).toBe(0)
    expect(await page.title()).not.toContain('owned')
    expect((opened[0] as OpenedPage).observed.complaints).toEqual([])
  })
})
