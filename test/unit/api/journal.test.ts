import { describe, expect, test } from 'vitest'
import { Journal } from '../../../src/api/journal.ts'
import { silentLog } from '../../../src/base/log.ts'
import { MemoryDisk } from '../../helpers/disk/memory-disk.ts'
import type { Outcome } from '../../helpers/disk/memory-file-system.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'

const PATH = '/data/journal.jsonl'
/** Whatever was not synced is lost. */
const worst: Outcome = { file: ({ stable }) => stable, names: () => [] }
const attach = { operation: 'replica.attach', caller: 'socket' } as const

async function opened(
  disk: MemoryDisk,
  limits: {
    readonly fileBytesMax?: number
    readonly filesMax?: number
    readonly clock?: FakeClock
  } = {},
): Promise<Journal> {
  const journal = new Journal({
    ...{ path: PATH, clock: new FakeClock(), log: silentLog, disk },
    ...limits,
  })
  await journal.open()
  return journal
}

/** Run and phase of each line; runs are numbered as they come. */
function phases(journal: Journal): string[] {
  const runs: (string | null)[] = []
  return journal.entries(1_000).map(({ run, phase }) => {
    if (run !== null && !runs.includes(run)) runs.push(run)
    return run === null ? phase : `${runs.indexOf(run) + 1} ${phase}`
  })
}

async function record(journal: Journal, runs: number): Promise<void> {
  for (let count = 0; count < runs; count += 1) {
    const run = await journal.begin({ ...attach, detail: { stream: 'main' } })
    await journal.add({ ...attach, run, phase: 'step', detail: 'a step' })
    await journal.add({ ...attach, run, phase: 'done', detail: null })
  }
}

describe('a journal', () => {
  test('has a line for each thing that is done, each with the hash of the one before', async () => {
    const disk = new MemoryDisk()
    const journal = await opened(disk)
    await record(journal, 2)
    await journal.close()
    const again = await opened(disk.afterPowerLoss(worst))
    expect(phases(again)).toEqual(['1 begun', '1 step', '1 done', '2 begun', '2 step', '2 done'])
    const entries = again.entries(1_000)
    for (const [index, entry] of entries.entries()) {
      expect(entry.previous).toBe(entries[index - 1]?.hash ?? '0'.repeat(64))
    }
    expect(again.problems()).toEqual([])
  })

  test('says what was interrupted, wherever the gateway was killed', async () => {
    const disk = new MemoryDisk()
    const journal = await opened(disk)
    await record(journal, 1)
    await journal.begin({ ...attach, detail: null })
    const whole = disk.bytesOf(PATH)
    const lines = whole.toString().trimEnd().split('\n')
    const secondRun = whole.length - Buffer.byteLength(`${lines.at(-1)}\n`)
    for (let bytes = 0; bytes <= whole.length; bytes += 7) {
      const torn = disk.afterKill()
      await torn.truncate(PATH, bytes)
      const again = await opened(torn)
      expect(again.problems()).toEqual([])
      const [last] = again.entries(1)
      if (bytes > secondRun && bytes < whole.length) expect(last?.phase).toBe('done')
      await record(again, 1)
      await again.close()
      expect((await opened(torn)).problems()).toEqual([])
    }
    const again = await opened(disk.afterKill())
    expect(phases(again).slice(-2)).toEqual(['2 begun', '2 interrupted'])
    await again.close()
  })

  test.each([
    ['changed', (lines: string[]) => lines.map((line) => line.replace('main', 'other'))],
    ['taken out', (lines: string[]) => lines.toSpliced(1, 1)],
    ['put in', (lines: string[]) => lines.toSpliced(1, 0, lines[0] ?? '')],
    ['no JSON', (lines: string[]) => ['nonsense', ...lines]],
  ])(
    'notices a line that was %s, keeps all of it, and goes on in another',
    async (_how, change) => {
      const disk = new MemoryDisk()
      const journal = await opened(disk)
      await record(journal, 2)
      await journal.close()
      const text = change(disk.bytesOf(PATH).toString().trimEnd().split('\n')).join('\n')
      const file = await disk.open(PATH, 'w')
      await file.writev([Buffer.from(`${text}\n`)], 0)
      await file.close()
      const again = await opened(disk)
      expect(again.problems()).toMatchObject([{ code: 'ERR_JOURNAL_DAMAGED', severity: 'warning' }])
      const aside = (await disk.readdir('/data')).filter((name) => name.includes('damaged'))
      expect(aside).toHaveLength(1)
      expect(disk.bytesOf(`/data/${aside[0]}`).toString()).toBe(`${text}\n`)
      await record(again, 1)
      await again.close()
      const third = await opened(disk)
      expect(third.problems()).toEqual([])
      expect(phases(third)[0]).toBe('gap')
    },
  )

  test('is bounded: the oldest file goes, and the chain leads over from file to file', async () => {
    const disk = new MemoryDisk()
    const journal = await opened(disk, { fileBytesMax: 2_000, filesMax: 3 })
    await record(journal, 20)
    const run = await journal.begin({ ...attach, detail: null })
    await journal.close()
    expect((await disk.readdir('/data')).toSorted()).toEqual([
      'journal.jsonl',
      'journal.jsonl.1',
      'journal.jsonl.2',
    ])
    const again = await opened(disk, { fileBytesMax: 2_000, filesMax: 3 })
    expect(again.problems()).toEqual([])
    expect(again.entries(1)[0]).toMatchObject({ run, phase: 'interrupted', sequence: 62 })
  })

  test.each(['writev', 'datasync', 'open'] as const)(
    'that cannot be written (%s) stops nobody, says so, keeps the lines',
    async (name) => {
      const disk = new MemoryDisk()
      const journal = await opened(disk)
      await record(journal, 1)
      await journal.close()
      disk.before = (call) => (call.name === name ? { error: 'ENOSPC' } : undefined)
      await record(journal, 1)
      expect(journal.problems()).toMatchObject([{ code: 'ERR_JOURNAL_WRITE', where: 'journal' }])
      disk.before = (call) => (call.name === 'writev' ? { takes: 10 } : undefined)
      await record(journal, 1)
      expect(journal.problems()).toEqual([])
      await journal.close()
      disk.before = () => undefined
      const again = await opened(disk.afterPowerLoss(worst))
      expect(again.problems()).toEqual([])
      expect(phases(again)).toHaveLength(9)
    },
  )

  test('that could not be written is tried again, by itself and when it is closed', async () => {
    const disk = new MemoryDisk()
    const clock = new FakeClock()
    const journal = await opened(disk, { clock })
    const stopping = new AbortController()
    const running = journal.run(stopping.signal)
    const fails = (isFull: boolean): void => {
      disk.before = ({ name }) => (isFull && name === 'writev' ? { error: 'ENOSPC' } : undefined)
    }
    fails(true)
    await record(journal, 1)
    expect(journal.problems()).toHaveLength(1)
    fails(false)
    await expect.poll(() => clock.sleeping).toBe(1)
    await clock.advance(10_000)
    await expect.poll(() => journal.problems()).toEqual([])
    fails(true)
    await record(journal, 1)
    fails(false)
    stopping.abort()
    await running
    await journal.close()
    expect(phases(await opened(disk.afterPowerLoss(worst)))).toHaveLength(6)
  })

  test('that could not be read at first goes on with what is there', async () => {
    const disk = new MemoryDisk()
    const journal = await opened(disk)
    await journal.begin({ ...attach, detail: null })
    const killed = disk.afterKill()
    killed.before = ({ name }) => (name === 'readText' ? { error: 'EIO' } : undefined)
    const again = await opened(killed)
    await record(again, 1)
    expect(again.problems()).toMatchObject([{ code: 'ERR_JOURNAL_WRITE' }])
    killed.before = () => undefined
    await record(again, 1)
    await again.close()
    const third = await opened(killed)
    expect(third.problems()).toEqual([])
    expect(phases(third).slice(0, 3)).toEqual(['1 begun', '1 interrupted', '2 begun'])
    expect(phases(third)).toHaveLength(8)
  })

  test.each([
    ['journal.jsonl', 1],
    ['journal.jsonl.1', 2],
  ])('notices a change of %s once, with files before and behind it', async (name) => {
    const disk = new MemoryDisk()
    const limits = { fileBytesMax: 2_000, filesMax: 3 }
    const journal = await opened(disk, limits)
    await record(journal, 14)
    await journal.close()
    const text = disk.bytesOf(`/data/${name}`).toString().replace('socket', 'nobody')
    const file = await disk.open(`/data/${name}`, 'w')
    await file.writev([Buffer.from(text)], 0)
    await file.close()
    const again = await opened(disk, limits)
    expect(again.problems()).toMatchObject([
      { code: 'ERR_JOURNAL_DAMAGED', message: expect.stringContaining(`/data/${name} is not as`) },
    ])
    await record(again, 1)
    await again.close()
    const third = await opened(disk, limits)
    expect(third.problems()).toEqual([])
    await third.close()
  })

  test('takes what is no JSON, and goes on', async () => {
    const journal = await opened(new MemoryDisk())
    const loop: Record<string, unknown> = {}
    loop.loop = loop
    for (const detail of [7n, loop, undefined, 'x'.repeat(100_000)]) {
      await journal.begin({ ...attach, detail })
    }
    const details = journal.entries(9).map(({ detail }) => String(detail).slice(0, 12))
    expect(details).toEqual(['7', '(not shown: ', 'null', 'xxxxxxxxxxxx'.replace(/^x/, '"')])
  })

  test('keeps some lines for a disk that takes none, and says how many are missing', async () => {
    const disk = new MemoryDisk()
    const journal = await opened(disk)
    disk.before = (call) => (call.name === 'writev' ? { error: 'EIO' } : undefined)
    await record(journal, 100)
    disk.before = () => undefined
    await record(journal, 1)
    await journal.close()
    const again = await opened(disk)
    expect(again.problems()).toEqual([])
    expect(again.entries(1_000).find(({ phase }) => phase === 'gap')?.detail).toMatch(/^\d+ lines/)
  })
})
