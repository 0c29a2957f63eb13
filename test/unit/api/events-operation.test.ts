import { expect, test } from 'vitest'
import { EventLog } from '../../../src/api/event-log.ts'
import { type Event, eventsOperation, eventsOutput } from '../../../src/api/events-operation.ts'
import { Journal } from '../../../src/api/journal.ts'
import { checkedInput } from '../../../src/api/operation-table.ts'
import { silentLog } from '../../../src/base/log.ts'
import { MemoryDisk } from '../../helpers/disk/memory-disk.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'

async function fixture() {
  const [disk, clock, log] = [new MemoryDisk(), new FakeClock(1_000_000), silentLog]
  const journal = new Journal({ path: '/data/journal.jsonl', clock, log, disk })
  const events = new EventLog({ path: '/data/events.jsonl', clock, log, disk })
  await journal.open()
  await events.open()
  const operation = eventsOperation(events, journal)
  const ask = async (input: object) => {
    const context = { signal: new AbortController().signal, progress() {}, caller: 'socket' }
    return eventsOutput.parse(await operation.run(checkedInput(operation, input), context))
  }
  const happen = async (what: string) => {
    const common = { kind: 'link', who: 'azure', severity: 'warning', detail: {} } as const
    await events.add([{ ...common, what }])
    await clock.advance(1_000)
  }
  const done = async (operation: string) => {
    const asked = { operation, caller: 'peer ec2' }
    const run = await journal.begin({ ...asked, detail: { stream: 'main' } })
    await clock.advance(1_000)
    await journal.add({ ...asked, run, phase: 'step', detail: 'a step' })
    await journal.add({ ...asked, run, phase: 'done', detail: null })
    await clock.advance(1_000)
  }
  return { ask, happen, done, clock }
}

const whats = (events: readonly Event[]) => events.map(({ who, what }) => `${who}: ${what}`)

test('has what was done and what happened, by time, without the steps', async () => {
  const { ask, happen, done } = await fixture()
  await happen('the link is down')
  await done('replica.attach')
  await happen('the link is up')
  const { events } = await ask({})
  expect(whats(events)).toEqual([
    'azure: the link is down',
    'peer ec2: replica.attach begun',
    'peer ec2: replica.attach done',
    'azure: the link is up',
  ])
  expect(new Set(events.map(({ id }) => id)).size).toBe(4)
  expect(whats((await ask({ lines: 2 })).events)).toEqual(whats(events).slice(2))
  const sinceMs = events[1]?.atMs ?? 0
  expect(whats((await ask({ sinceMs })).events)).toEqual(whats(events).slice(1))
})

test('with the cursor of the last answer it has what came since, and nothing twice', async () => {
  const { ask, happen, done } = await fixture()
  await happen('one')
  await done('term.advance')
  const { cursor } = await ask({})
  expect((await ask({ after: cursor })).events).toEqual([])
  await happen('two')
  const next = await ask({ after: cursor })
  expect(whats(next.events)).toEqual(['azure: two'])
  expect((await ask({ after: next.cursor })).events).toEqual([])
})
