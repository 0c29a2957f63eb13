import { expect, test } from 'vitest'
import { ConditionWatch } from '../../../src/status/condition-watch.ts'
import type { GatewayStatus, Problem } from '../../../src/status/status.ts'
import type { Condition } from '../../../src/status/status-events.ts'
import { drLink, drStatus, drStream } from '../../helpers/status/status-fixture.ts'

const full: Problem = {
  code: 'ERR_DISK_FULL',
  severity: 'error',
  where: 'spool:main',
  message: 'no room',
  sinceMs: 0,
}
const troubled: GatewayStatus = { ...drStatus, problems: [full] }
const links = drStatus.links.map((link) => ({ ...link, state: 'down' as const }))
const cut: GatewayStatus = { ...drStatus, links }
const START_MS = 30_000

/** Past the settling after a start. */
function watching(known: ReadonlyMap<string, Condition> = new Map()) {
  const watch = new ConditionWatch({ known })
  watch.look(drStatus, 0)
  const look = (status: GatewayStatus, atMs: number) =>
    watch.look(status, START_MS + atMs).map(({ what, severity }) => `${severity} ${what}`)
  return look
}

test('tells once that a problem began, and once that it ended', () => {
  const look = watching()
  expect(look(troubled, 0)).toEqual([])
  expect(look(troubled, 3_000)).toEqual(['error spool:main: no room'])
  expect(look(troubled, 6_000)).toEqual([])
  expect(look(drStatus, 8_000)).toEqual([])
  expect(look(drStatus, 11_000)).toEqual(['info over: spool:main: no room'])
  expect(look(drStatus, 20_000)).toEqual([])
})

test('tells nothing of a problem of a moment', () => {
  const look = watching()
  expect(look(troubled, 0)).toEqual([])
  expect(look(drStatus, 2_000)).toEqual([])
  expect(look(troubled, 4_000)).toEqual([])
  expect(look(drStatus, 6_000)).toEqual([])
  expect(look(drStatus, 60_000)).toEqual([])
})

test('tells that the link went and came back', () => {
  const look = watching()
  look(cut, 0)
  expect(look(cut, 4_000)).toEqual([`warning the link to ${drLink.peer} is down`])
  look(drStatus, 5_000)
  expect(look(drStatus, 8_000)).toEqual([`info the link to ${drLink.peer} is up`])
})

test('takes a link that is not up yet after a start for no news', () => {
  const watch = new ConditionWatch({ known: new Map() })
  for (let ms = 0; ms < 18_000; ms += 2_000) expect(watch.look(cut, ms)).toEqual([])
  expect(watch.look(drStatus, 19_000)).toEqual([])
  expect(watch.look(drStatus, 60_000)).toEqual([])
})

test('what comes and goes is told a few times, then counted, and its last state is told', () => {
  const look = watching()
  const told: string[] = []
  let atMs = 0
  for (; atMs < 300_000; atMs += 4_000) {
    told.push(...look(atMs % 8_000 === 0 ? cut : drStatus, atMs), ...look(drStatus, atMs))
    const status = atMs % 8_000 === 0 ? cut : drStatus
    told.push(...look(status, atMs + 1), ...look(status, atMs + 3_500))
  }
  expect(told).toHaveLength(6)
  for (; atMs < 1_000_000; atMs += 10_000) told.push(...look(cut, atMs))
  expect(told.slice(6)).toEqual([`warning the link to ${drLink.peer} is down`])
})

test('counts the changes that were not told', () => {
  const watch = new ConditionWatch({ known: new Map() })
  watch.look(drStatus, 0)
  for (let round = 0; round < 50; round += 1) {
    watch.look(round % 2 === 0 ? cut : drStatus, START_MS + round * 1_000)
  }
  watch.look(cut, START_MS + 60_000)
  const [change] = watch.look(cut, START_MS + 64_000)
  expect(change?.untold).toBeGreaterThan(20)
})

test('tells of a new term at once, and not of the first one', () => {
  const look = watching()
  expect(look(drStatus, 0)).toEqual([])
  const term = { term: 2, origin: 'azure', sinceMs: 5, by: 'azure', reason: 'fire' }
  const streams = [{ ...drStream, role: 'origin' as const, term }]
  expect(look({ ...drStatus, streams }, 1_000)).toEqual([
    'info this site is the origin of main, decided at azure: fire',
  ])
})

test('tells at once of an objective that is breached, and met again', () => {
  const judged = (state: 'met' | 'breached') => {
    const objective = { maxMs: 5_000, exposure: { state, sinceMs: 0 }, apply: null }
    return { ...drStatus, streams: [{ ...drStream, objective }] }
  }
  const look = watching()
  expect(look(judged('met'), 0)).toEqual([])
  expect(look(judged('breached'), 2_000)).toEqual([
    'error the exposure of main is above the objective of 5.0 s',
  ])
  expect(look(judged('met'), 4_000)).toEqual([
    'info the exposure of main is within the objective of 5.0 s',
  ])
})

test('knows after a restart what was told before it', () => {
  const before = new ConditionWatch({ known: new Map() })
  before.look(drStatus, 0)
  before.look(troubled, START_MS)
  const told = before.look(troubled, START_MS + 4_000)
  const known = new Map(told.map((change) => [change.key, change]))
  const lasting = new ConditionWatch({ known })
  for (let ms = 0; ms < 60_000; ms += 2_000) expect(lasting.look(troubled, ms)).toEqual([])
  const healed = new ConditionWatch({ known })
  const looks: string[] = []
  for (let ms = 0; ms < 60_000; ms += 2_000) {
    looks.push(...healed.look(drStatus, ms).map(({ what }) => `${ms} ${what}`))
  }
  expect(looks).toEqual(['20000 over: spool:main: no room'])
})
