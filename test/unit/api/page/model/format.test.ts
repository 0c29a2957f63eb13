import { describe, expect, test } from 'vitest'
import { eventRows } from '../../../../../src/api/page/model/events.ts'
import {
  byteRate,
  LocalTime,
  perSecond,
  shortAge,
  shortBytes,
  shortDuration,
} from '../../../../../src/api/page/model/format.ts'
import { journalRows } from '../../../../../src/api/page/model/journal.ts'

test.each([
  [null, '–'],
  [0.4, '0 s'],
  [320.4, '320 ms'],
  [999.6, '1.0 s'],
  [4_234, '4.2 s'],
  [9_960, '10 s'],
  [59_600, '1 min'],
  [92_000, '1 min 32 s'],
  [11_100_000, '3 h 5 min'],
  [187_200_000, '2 d 4 h'],
])('%j ms is %s', (ms, text) => expect(shortDuration(ms)).toBe(text))

test.each([
  [null, '–'],
  [0, '0 B'],
  [512, '512 B'],
  [1_000, '0.98 KiB'],
  [61_860, '60.4 KiB'],
  [1_048_576, '1 MiB'],
  [4_402_341_478, '4.1 GiB'],
])('%j bytes are %s', (bytes, text) => expect(shortBytes(bytes)).toBe(text))

test('rates and ages', () => {
  expect([byteRate(2_048), byteRate(null)]).toEqual(['2 KiB/s', '–'])
  expect([perSecond(0.25), perSecond(1_234.4), perSecond(0)]).toEqual(['0.3/s', '1,234/s', '0/s'])
  expect([shortAge(900), shortAge(12_000)]).toEqual(['now', '12 s ago'])
})

describe('times', () => {
  const atMs = Date.UTC(2026, 10, 28, 23, 5, 9)

  test('are in the zone of who looks, which is named', () => {
    const berlin = new LocalTime('Europe/Berlin')
    expect(berlin.moment(atMs)).toBe('2026-11-29 00:05:09')
    expect(berlin.time(atMs)).toBe('00:05:09')
    expect(berlin.zone).toMatch(/^Europe\/Berlin \(\S+\)$/)
    expect(new LocalTime('UTC').zone).toBe('UTC')
  })

  test('of today are without the day', () => {
    const time = new LocalTime('UTC')
    expect(time.brief(atMs, atMs + 1_000)).toBe('23:05:09')
    expect(time.brief(atMs, atMs + 3_600_000)).toBe('2026-11-28 23:05:09')
  })
})

describe('the journal', () => {
  const line = (sequence: number, phase: string, detail: unknown, run: string | null = 'a') => ({
    ...{ sequence, atMs: sequence * 1_000, run, operation: 'term.advance', caller: 'socket' },
    ...{ phase, detail },
  })

  test('has a row for each run, the newest first, with how it ended', () => {
    const ec2 = [
      line(1, 'begun', { stream: 'main', lines: 3 }),
      line(2, 'step', 'waiting'),
      line(3, 'done', { ok: true }),
      line(4, 'begun', {}, 'b'),
    ]
    const azure = [
      line(5, 'begun', { site: 'azure' }),
      line(6, 'failed', { code: 'ERR_X', message: 'no <b>' }),
      line(9, 'gap', 'a gap', null),
      'no line',
    ]
    const rows = journalRows([
      { gateway: 'ec2', entries: ec2 },
      { gateway: 'azure', entries: azure },
    ])
    expect(
      rows.map(({ gateway, atMs, result, detail }) => [gateway, atMs, result, detail]),
    ).toEqual([
      ['azure', 9_000, 'gap', 'a gap'],
      ['azure', 5_000, 'failed', 'no <b> (ERR_X)'],
      ['ec2', 4_000, 'runs', ''],
      ['ec2', 1_000, 'done', 'stream: main, lines: 3'],
    ])
  })

  test('cuts what is long', () => {
    const [row] = journalRows([{ gateway: 'ec2', entries: [line(1, 'begun', 'x'.repeat(900))] }])
    expect(row?.detail).toMatch(/^x{200}…$/)
  })
})

test('events are of all gateways, the newest first; what is none is left out', () => {
  const event = { id: 'e1', atMs: 5, kind: 'link', who: 'azure', what: 'down', severity: 'error' }
  const older = { ...event, id: 'j1', atMs: 3, kind: 'operation', severity: 'info' }
  const rows = eventRows([
    { gateway: 'ec2', events: [older, null, { id: 7 }] },
    { gateway: 'azure', events: [event] },
  ])
  expect(rows.map(({ key, kind, mood }) => [key, kind, mood])).toEqual([
    ['azure e1', 'link', 'bad'],
    ['ec2 j1', 'operation', 'good'],
  ])
})
