import { describe, expect, test } from 'vitest'
import { ClockOffset } from '../../../src/base/clock-offset.ts'
import { LandbridgeError } from '../../../src/base/errors.ts'
import type { Channel } from '../../../src/link/channel.ts'
import { LinkState } from '../../../src/link/link-state.ts'
import { linkProblems } from '../../../src/status/link-problems.ts'
import type { LinkStatus } from '../../../src/status/status.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { drLink, drStatus } from '../../helpers/status/status-fixture.ts'

const channel = {
  receivedBytes: 0,
  sentBytes: 0,
  clockOffset: new ClockOffset(),
} as unknown as Channel
const lost = new LandbridgeError('ERR_LINK_FRAME', 'too much for a frame')

describe('the link', () => {
  test('keeps the remedy of what took it down, and since when', async () => {
    const clock = new FakeClock()
    const state = new LinkState('ec2', 'receiver', clock)
    const downMs = clock.wallMs()
    const remedy = 'Copy the peer file.'
    state.down(new LandbridgeError('ERR_LINK_FINGERPRINT', 'not the peer', { remedy }))
    expect(linkProblems([state.status(['main'])], clock.wallMs() + 1_000)).toEqual([])
    await clock.advance(3_000)
    expect(linkProblems([state.status(['main'])], clock.wallMs())).toEqual([
      {
        code: 'ERR_LINK_FINGERPRINT',
        severity: 'error',
        where: 'link',
        message: 'not the peer',
        remedy,
        sinceMs: downMs,
      },
    ])
  })

  test('says where to look when its error has no remedy', async () => {
    const clock = new FakeClock()
    const state = new LinkState('ec2', 'receiver', clock)
    state.down(new Error('read ECONNRESET'))
    await clock.advance(3_000)
    const [problem] = linkProblems([state.status(['main'])], clock.wallMs())
    expect(problem).toMatchObject({ code: 'ERR_UNEXPECTED', message: 'read ECONNRESET' })
    expect(problem?.remedy).toMatch(/^See that the other gateway runs/)
  })

  test('that listens again no longer says why it could not before', async () => {
    const clock = new FakeClock()
    const state = new LinkState('azure', 'sender', clock)
    const sinceMs = clock.wallMs()
    state.down(new LandbridgeError('ERR_LINK_LISTEN', 'cannot listen on 10.77.0.1:7400'))
    state.listening()
    await clock.advance(11_000)
    const [problem] = linkProblems([state.status(['main'])], clock.wallMs())
    expect(problem).toMatchObject({ code: 'ERR_LINK_LOST', sinceMs })
  })

  test('that nobody ever opened is a problem, once the peer had time to start', async () => {
    const clock = new FakeClock()
    const state = new LinkState('azure', 'sender', clock)
    await clock.advance(9_000)
    expect(linkProblems([state.status(['main'])], clock.wallMs())).toEqual([])
    await clock.advance(2_000)
    expect(linkProblems([state.status(['main'])], clock.wallMs())).toMatchObject([
      { code: 'ERR_LINK_LOST', message: 'the peer has not connected yet' },
    ])
  })

  test('that is lost once and comes back has no problem any more', async () => {
    const clock = new FakeClock()
    const state = new LinkState('azure', 'sender', clock)
    state.up(channel)
    await clock.advance(60_000)
    state.down(lost)
    state.up(channel)
    await clock.advance(3_000)
    expect(linkProblems([state.status(['main'])], clock.wallMs())).toEqual([])
    await clock.advance(3_000)
    expect(state.status(['main'])).toMatchObject({ lastError: null, unsteadySinceMs: null })
  })

  // Each attempt came up and began the grace anew: the status was ok for ever.
  test.each(['up', 'greeting'] as const)(
    'that ends each second once it is %s is one problem',
    async (reached) => {
      const clock = new FakeClock()
      const state = new LinkState('azure', 'sender', clock)
      state.up(channel)
      await clock.advance(60_000)
      const sinceMs = clock.wallMs()
      const seen: unknown[] = []
      for (let second = 0; second < 20; second += 1) {
        state.down(lost)
        await clock.advance(500)
        state.greeting()
        if (reached === 'up') state.up(channel)
        if (second > 4) seen.push(...linkProblems([state.status(['main'])], clock.wallMs()))
        await clock.advance(500)
        if (second > 4) seen.push(...linkProblems([state.status(['main'])], clock.wallMs()))
      }
      expect(seen).toHaveLength(30)
      for (const problem of seen) expect(problem).toMatchObject({ code: 'ERR_LINK_FRAME', sinceMs })
    },
  )
})

describe('the sessions with a peer', () => {
  const { nowMs } = drStatus
  const down = { state: 'down', unsteadySinceMs: nowMs - 60_000, lastError: null } as const
  const receiver = drLink
  const sender: LinkStatus = { ...drLink, role: 'sender', carries: [] }

  test('are well when both are up', () => {
    expect(linkProblems([receiver, sender], nowMs)).toEqual([])
  })

  test('are one error when the one that carries streams is down, whatever the other does', () => {
    const error = [{ code: 'ERR_LINK_LOST', severity: 'error', where: 'link' }]
    expect(linkProblems([{ ...receiver, ...down }, sender], nowMs)).toMatchObject(error)
    const both = [
      { ...receiver, ...down },
      { ...sender, ...down },
    ]
    expect(linkProblems(both, nowMs)).toMatchObject(error)
  })

  test('are a warning when only the way back does not work', () => {
    expect(linkProblems([receiver, { ...sender, ...down }], nowMs)).toMatchObject(
      [
        {
          severity: 'warning',
          message: /^nothing could flow to ec2 if the origin moved: the peer/,
        },
      ].map((one) => ({ ...one, message: expect.stringMatching(one.message) })),
    )
  })

  test('are a warning when a peer that has no stream with us is away, with its name', () => {
    const gcp = { ...down, peer: 'gcp', carries: [] }
    const links = [receiver, sender, { ...receiver, ...gcp }, { ...sender, ...gcp }]
    const [problem, ...others] = linkProblems(links, nowMs)
    expect(others).toEqual([])
    expect(problem).toMatchObject({ severity: 'warning', where: 'link:gcp' })
    expect(problem?.message).toMatch(/^gcp is away: /)
  })
})
