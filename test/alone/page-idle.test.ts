import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { needs } from '../helpers/needs.ts'
import { processCpuMs, ReplicatedPair } from '../helpers/pair/replicated-pair.ts'

const MEASURED_MS = 10_000
/** A steady gateway: its first seconds compile what runs for the first time. */
const SETTLED_MS = 5_000
const PAGES = 5
/** A shared processor has bad moments. */
const TRIES = 4

test('five idle open pages cost a gateway under 1 % of a core more than none', {
  ...needs('mariadb'),
}, async () => {
  await using pair = await ReplicatedPair.create('mariadb', { gateways: { page: true } })
  const port = pair.pair.pagePorts?.dr
  const busyPercent = async (): Promise<number> => {
    await sleep(SETTLED_MS)
    const pid = pair.pair.pid('dr')
    const [before, startedAt] = [await processCpuMs(pid), performance.now()]
    await sleep(MEASURED_MS)
    return (100 * ((await processCpuMs(pid)) - before)) / (performance.now() - startedAt)
  }
  const without = await busyPercent()
  let views = 0
  const origin = `http://127.0.0.1:${port}`
  const sockets = Array.from({ length: PAGES }, () => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/live`, { origin })
    socket.on('message', () => {
      views += 1
    })
    return socket
  })
  await expect.poll(() => views).toBeGreaterThan(2 * PAGES)
  const more: number[] = []
  while (more.length < TRIES && !more.some((percent) => percent < 1)) {
    more.push((await busyPercent()) - without)
  }
  for (const socket of sockets) socket.terminate()
  expect(views).toBeGreaterThan(PAGES * 10)
  expect(Math.min(...more)).toBeLessThan(1)
})
