import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { LandbridgeError } from '../../../src/base/errors.ts'
import { silentLog } from '../../../src/base/log.ts'
import { untilAborted } from '../../../src/base/until-aborted.ts'
import type { PeerConfig } from '../../../src/config/peer-file.ts'
import type { StreamConfig } from '../../../src/gateway/config/gateway-config.ts'
import { Stream } from '../../../src/gateway/stream.ts'
import type { StreamHalf } from '../../../src/gateway/stream-half.ts'
import { firstTerm, type TermRecord, termRecordSchema } from '../../../src/status/term-record.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { until } from '../../helpers/spool/spool-fixture.ts'

const retention = {
  ageMs: null,
  sizeBytes: null,
  hardLimit: false,
  replicaAgeMs: 1,
  minimumHoldMs: 1,
}
const config: StreamConfig = {
  name: 'main',
  origin: 'ec2',
  database: {} as StreamConfig['database'],
  throttle: { bytesPerSecond: null },
  lag: { objectiveMs: null },
  spool: { directory: '/nowhere', retention },
  relay: null,
}
const own = (origin: string): StreamConfig => ({ ...config, origin })
const peerOf = (name: string, mayTakeOver = true) => {
  return { name, site: name, mayTakeOver } as PeerConfig
}
const later = (term: number, origin: string): TermRecord => {
  return { term, origin, sinceMs: 5, by: origin, reason: 'a test' }
}
const named = (term: TermRecord, hasDatabase = true) => ({ name: 'main', term, hasDatabase })

/** A stream at site azure (or another) whose halves only say what they are. */
class Fixture implements AsyncDisposable {
  /** What happened, in order. */
  readonly log: string[] = []
  readonly clock: FakeClock
  readonly stream: Stream
  readonly #stop = new AbortController()
  readonly #running: Promise<void>

  private constructor(stream: Stream, clock: FakeClock) {
    this.stream = stream
    this.clock = clock
    this.#running = this.stream.run(this.#stop.signal)
  }

  static async create(
    dataDir: string,
    { site = 'azure', own = config }: { site?: string; own?: StreamConfig } = {},
  ): Promise<Fixture> {
    const clock = new FakeClock()
    const late: { fixture?: Fixture } = {}
    const note = (line: string) => late.fixture?.log.push(line)
    const stream = await Stream.load({
      ...{ dataDir, gateway: site, site, config: own, database: null },
      peers: [peerOf('ec2'), peerOf('gcp')],
      makeHalf: ({ term, origin }) => {
        if (origin === site && own.database === null) {
          throw new LandbridgeError('ERR_CONFIG', 'there is no database')
        }
        return halfOf(origin === site ? 'origin' : 'copy', term, note)
      },
      endSessions: async ({ code }) => void note(`sessions end: ${code}`),
      clock,
      log: silentLog,
    })
    const fixture = new Fixture(stream, clock)
    late.fixture = fixture
    return fixture
  }

  problems() {
    return this.stream.problems().map(({ code, severity }) => `${severity} ${code}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#running
  }
}

function halfOf(
  role: StreamHalf['role'],
  term: number,
  note: (line: string) => unknown,
): StreamHalf {
  return {
    role,
    run: async (signal: AbortSignal) => {
      await untilAborted(signal)
      await new Promise((resolve) => setImmediate(resolve))
      note(`${role} of term ${term} ends`)
    },
    status: () => ({ copies: [] }),
    problems: () => [],
    refused: () => [],
  } as unknown as StreamHalf
}

describe('a stream over its terms', () => {
  let dataDir: string
  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'lbterm-'))
  })
  afterEach(async () => {
    await rm(dataDir, { recursive: true })
  })

  test('begins in the first term, with the origin of the configuration', async () => {
    await using one = await Fixture.create(dataDir)
    expect([one.stream.term, one.stream.half.role]).toEqual([firstTerm('ec2'), 'copy'])
    await using other = await Fixture.create(dataDir, { site: 'ec2' })
    expect(other.stream.half.role).toBe('origin')
  })

  test('takes a higher term of a peer that may take over', async () => {
    await using one = await Fixture.create(dataDir)
    one.stream.heard(peerOf('gcp'), named(later(2, 'azure')))
    await one.stream.settled()
    expect(one.stream.term).toEqual(later(2, 'azure'))
    expect(one.log).toEqual(['sessions end: ERR_TERM_CHANGED', 'copy of term 1 ends'])
    expect([one.stream.half.role, one.problems()]).toEqual(['origin', []])
  })

  test('remembers it over a restart, whatever the configuration says', async () => {
    {
      await using one = await Fixture.create(dataDir)
      await one.stream.advance('azure', 'the fire')
    }
    await using again = await Fixture.create(dataDir, { own: { ...config, origin: 'gcp' } })
    expect(again.stream.term).toMatchObject({ term: 2, origin: 'azure', by: 'azure' })
    expect(again.stream.half.role).toBe('origin')
  })

  test('takes no lower one, and none of a peer whose file does not allow it', async () => {
    await using one = await Fixture.create(dataDir)
    await one.stream.advance('azure', 'the fire')
    one.stream.heard(peerOf('ec2'), named(firstTerm('ec2')))
    one.stream.heard(peerOf('gcp', false), named(later(3, 'gcp')))
    await one.stream.settled()
    expect(one.stream.term.term).toBe(2)
    expect(one.problems()).toEqual(['error ERR_TERM_UNTRUSTED'])
    // It was mended there.
    one.stream.heard(peerOf('gcp', false), named(later(2, 'azure')))
    expect(one.problems()).toEqual([])
  })

  test('is blocked towards a peer that has another origin in the same term', async () => {
    await using one = await Fixture.create(dataDir)
    one.stream.heard(peerOf('gcp'), named(firstTerm('gcp')))
    expect(one.problems()).toEqual(['blocked ERR_TERM_CONFLICT'])
    expect(one.stream.term.term).toBe(1)
    // A person decides: also for the site that is the origin already.
    one.stream.heard(peerOf('ec2'), named(firstTerm('ec2')))
    await one.stream.advance('ec2', 'it has the data')
    expect(one.stream.term).toMatchObject({ term: 2, origin: 'ec2' })
    one.stream.heard(peerOf('gcp'), named(one.stream.term))
    expect(one.problems()).toEqual([])
  })

  test('is not decided anew for a site that is the origin already', async () => {
    await using one = await Fixture.create(dataDir)
    expect(await one.stream.advance('ec2', 'again')).toBeNull()
    expect([one.stream.term.term, one.log]).toEqual([1, []])
  })

  test('cannot be moved to a site without a database', async () => {
    await using one = await Fixture.create(dataDir, { own: { ...config, database: null } })
    await expect(one.stream.advance('azure', 'x')).rejects.toMatchObject({ code: 'ERR_USAGE' })
  })

  test('that was the origin fences its database, also when it was restarted', async () => {
    for (const start of ['first', 'again']) {
      await using one = await Fixture.create(dataDir, { site: 'ec2' })
      if (start === 'first') {
        one.stream.heard(peerOf('gcp'), named(later(2, 'gcp')))
        await one.stream.settled()
      }
      // It has no login there: that is said until a person has done it.
      expect([one.stream.half.role, one.problems()]).toEqual(['copy', ['error ERR_FENCE']])
    }
  })

  test('fences it too where it missed terms, or has the record of another gateway', async () => {
    await using missed = await Fixture.create(join(dataDir, 'missed'))
    missed.stream.heard(peerOf('gcp'), named(later(3, 'gcp')))
    await missed.stream.settled()
    expect(missed.problems()).toEqual(['error ERR_FENCE'])
    await cp(join(dataDir, 'missed'), join(dataDir, 'copied'), { recursive: true })
    await using copied = await Fixture.create(join(dataDir, 'copied'), { site: 'ec2' })
    expect(copied.problems()).toEqual(['error ERR_FENCE'])
    // The origin itself has nothing to fence, whatever the record says.
    await cp(join(dataDir, 'missed'), join(dataDir, 'origin'), { recursive: true })
    await using origin = await Fixture.create(join(dataDir, 'origin'), { site: 'gcp' })
    expect([origin.stream.half.role, origin.problems()]).toEqual(['origin', []])
  })

  test('says when its origin is where nobody can be reached', async () => {
    await using one = await Fixture.create(dataDir)
    one.stream.heard(peerOf('gcp'), named(later(2, 'onprem')))
    await one.stream.settled()
    expect([one.stream.half.role, one.problems()]).toEqual(['copy', ['blocked ERR_TERM_ORIGIN']])
  })

  test('keeps its term while the new one cannot be stored, then takes it', async () => {
    await using one = await Fixture.create(join(dataDir, 'data'))
    await writeFile(join(dataDir, 'data'), 'a file where the folder belongs')
    one.stream.heard(peerOf('gcp'), named(later(2, 'gcp')))
    await until(() => one.problems().length > 0)
    expect([one.problems(), one.stream.term.term]).toEqual([['error ERR_TERM_STORE'], 1])
    expect(one.log).toEqual([])
    await rm(join(dataDir, 'data'))
    await one.clock.advance(5_000)
    await until(() => one.stream.term.term === 2)
    expect(one.problems()).toEqual([])
  })

  test('takes no term that cannot be, and says which peer reports it', async () => {
    await using one = await Fixture.create(dataDir)
    one.stream.heard(peerOf('gcp'), named(later(900_000_000, 'gcp')))
    await one.stream.settled()
    expect([one.stream.term.term, one.problems()]).toEqual([1, ['error ERR_TERM_UNTRUSTED']])
    const record = later(2, 'gcp')
    for (const wrong of [{ term: 2 ** 53 - 1 }, { term: 1e9 + 1 }, { sinceMs: 1e308 }]) {
      expect(termRecordSchema.safeParse({ ...record, ...wrong }).success).toBe(false)
    }
  })

  test('says when a peer goes on in a lower term', async () => {
    await using one = await Fixture.create(dataDir)
    await one.stream.advance('azure', 'the fire')
    one.stream.heard(peerOf('gcp'), named(firstTerm('ec2')))
    expect(one.problems()).toEqual([])
    await one.clock.advance(11_000)
    expect(one.problems()).toEqual(['error ERR_TERM_BEHIND'])
  })

  test('cannot be moved to a site of which no gateway says that it has a database', async () => {
    await using one = await Fixture.create(dataDir)
    const moving = () => one.stream.advance('gcp', 'x')
    await expect(moving()).rejects.toMatchObject({ code: 'ERR_USAGE' })
    one.stream.heard(peerOf('gcp'), named(firstTerm('ec2'), false))
    await expect(moving()).rejects.toMatchObject({ code: 'ERR_USAGE' })
    one.stream.heard(peerOf('gcp'), named(firstTerm('ec2')))
    expect(await moving()).toMatchObject({ term: 2, origin: 'gcp' })
  })

  test('that is told to be origin where it cannot blocks alone, also after a restart', async () => {
    for (const start of ['first', 'again']) {
      await using one = await Fixture.create(dataDir, { own: { ...config, database: null } })
      if (start === 'first') {
        one.stream.heard(peerOf('gcp'), named(later(2, 'azure')))
        await one.stream.settled()
      }
      expect([one.stream.half.role, one.problems()]).toEqual(['origin', ['blocked ERR_CONFIG']])
      expect(one.stream.status().state).toBe('blocked')
    }
  })

  test('takes the highest of several that come at once', async () => {
    await using one = await Fixture.create(dataDir)
    one.stream.heard(peerOf('gcp'), named(later(2, 'azure')))
    one.stream.heard(peerOf('ec2'), named(later(4, 'gcp')))
    one.stream.heard(peerOf('gcp'), named(later(3, 'ec2')))
    await one.stream.settled()
    expect([one.stream.term, one.stream.half.role]).toEqual([later(4, 'gcp'), 'copy'])
  })

  test('at its origin is blocked once every peer lacks it, or the others do not come', async () => {
    await using one = await Fixture.create(dataDir, { site: 'azure', own: own('azure') })
    expect([one.stream.isNamedBy('gcp'), one.problems()]).toEqual([null, []])
    one.stream.heard(peerOf('gcp'), null)
    expect([one.stream.isNamedBy('gcp'), one.problems()]).toEqual([false, []])
    await one.clock.advance(61_000)
    expect(one.problems()).toEqual(['blocked ERR_STREAM_UNKNOWN'])
    one.stream.heard(peerOf('ec2'), named(firstTerm('azure')))
    expect(one.problems()).toEqual([])
    one.stream.heard(peerOf('ec2'), null)
    expect(one.problems()).toEqual(['blocked ERR_STREAM_UNKNOWN'])
  })

  test('is blocked by a damaged record until a peer knows a higher term', async () => {
    await writeFile(join(dataDir, 'term-main.json'), '{"format":1,"record":{"term":2}}')
    await using one = await Fixture.create(dataDir)
    expect(one.problems()).toEqual(['blocked ERR_TERM_FILE'])
    one.stream.heard(peerOf('gcp'), named(firstTerm('ec2')))
    expect(one.problems()).toEqual(['blocked ERR_TERM_FILE'])
    one.stream.heard(peerOf('gcp'), named(later(2, 'gcp')))
    await one.stream.settled()
    expect([one.problems(), one.stream.term]).toEqual([[], later(2, 'gcp')])
  })
})
