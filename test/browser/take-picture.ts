/**
 * The picture of the page in README.md, taken anew: `npm run picture`. Two clouds on this machine
 * under load, with a cut of the WAN some minutes ago, seen at the gateway of the copy. It takes
 * seven minutes, and needs root and Chromium.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { LabBrowser } from '../helpers/page/lab-browser.ts'

const PICTURE = fileURLToPath(new URL('../../gateway/page.png', import.meta.url))
/** The answers, the flow and the first chart. */
const SIZE = { width: 1180, height: 1200 }
const MINUTE_MS = 60_000
const part = Number(process.env.PICTURE_SPEED ?? 1)

const stop = new AbortController()
await using lab = await LabBrowser.start()
const loading = lab.load(120, stop.signal)
await sleep((3 * MINUTE_MS) / part)
await lab.wan({ cut: true })
await sleep(MINUTE_MS / 3)
await lab.wan({ cut: false })
await sleep((3 * MINUTE_MS) / part)
const { page } = await lab.browser.open(lab.url, { viewport: SIZE, colorScheme: 'light' })
await page.locator('#charts canvas').first().waitFor()
await sleep(5_000)
const first = await page.locator('figure').first().boundingBox()
const height = Math.ceil((first?.y ?? 0) + (first?.height ?? 0)) + 16
await page.screenshot({ path: PICTURE, clip: { x: 0, y: 0, width: SIZE.width, height } })
stop.abort()
await loading.catch(() => undefined)
process.stdout.write(`${PICTURE}\n`)
