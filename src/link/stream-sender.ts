import { abortable } from '../base/abortable.ts'
import { Backoff } from '../base/backoff.ts'
import type { Clock } from '../base/clock.ts'
import {
  codeOf,
  describeError,
  errorFields,
  isLandbridgeError,
  LandbridgeError,
  remedyOf,
} from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { Channel } from './channel.ts'
import { type Frame, FrameType } from './frame.ts'
import { type ByteThrottle, FrameTarget } from './frame-target.ts'
import {
  cutText,
  parseBody,
  type Resume,
  resume,
  SAMPLE_FILES_MAX,
  type Sample,
  type State,
} from './messages.ts'
import type { OpenedSource, SourcePort } from './source-port.ts'
import { WaitingBytes } from './waiting-bytes.ts'

export interface StreamSenderOptions {
  readonly name: string
  readonly source: SourcePort
  readonly throttle: ByteThrottle
  /** What the peer is told of it, with every sample. */
  readonly toldThrottle?: () => Sample['throttle']
  readonly compression: 'auto' | 'zstd' | 'none'
  readonly windowBytes: number
  readonly parkAfterMs?: number
  readonly clock: Clock
  readonly log: Log
}

export interface StreamSenderStatus {
  readonly state: 'idle' | State['state']
  readonly problem: State['problem']
  readonly source: OpenedSource['source'] | null
  readonly sample: Sample | null
  readonly sampledMs: number | null
  readonly sentBytes: number
  /** Bytes under way: sent, not yet synced at the peer. */
  readonly inFlightBytes: number
  /** Read, or known to be at the source, and held back by the throttle. */
  readonly waitingBytes: number
}

const PARK_AFTER_MS = 30_000
const BLOCKED_RETRY_MS = 10_000
const STEADY_DUMP_MS = 5_000

/**
 * The sending half of one stream, to one receiver. Keeps no position: every session, and every new
 * dump within one, starts where the receiver says that its spool ends.
 *
 *     idle ──Resume──▶ connecting ──Open──▶ streaming ──dump ended──▶ (Restart) ──▶ connecting
 *                          │                    └──no room, or paused, for long──▶ parked
 *                          │                                                 ──room──▶ connecting
 *                          └──a person must act──▶ blocked, looked at again every 10 s, and
 *                                                  blocked meanwhile
 */
export class StreamSender {
  readonly name: string
  readonly #options: StreamSenderOptions
  #state: StreamSenderStatus['state'] = 'idle'
  #problem: State['problem'] = null
  #source: OpenedSource['source'] | null = null
  #sample: Sample | null = null
  #sampledMs: number | null = null
  #earlierBytes = 0
  #target: FrameTarget | null = null
  readonly #waiting = new WaitingBytes()
  readonly #memory: SenderMemory = { stuck: null }

  constructor(options: StreamSenderOptions) {
    this.name = options.name
    this.#options = options
  }

  status(): StreamSenderStatus {
    return {
      state: this.#state,
      problem: this.#problem,
      source: this.#source,
      sample: this.#sample,
      sampledMs: this.#sampledMs,
      sentBytes: this.#earlierBytes + (this.#target?.sentBytes ?? 0),
      inFlightBytes: this.#target?.window.inFlightBytes ?? 0,
      waitingBytes: this.#waitingBytes(),
    }
  }

  /** Also while the dump is closed because of a pause. */
  #waitingBytes(): number {
    if (this.#target === null) return 0
    const { sentPlace, unsentBytes } = this.#target
    const isHeldBack = this.#target.isHeldBack || this.#options.throttle.pausedAtMs !== null
    return this.#waiting.of({ isHeldBack, sentPlace, unsentBytes })
  }

  /** A session of this stream on `channel`; ends with `signal`. */
  session(channel: Channel, stream: number): SenderSession {
    return new SenderSession(this.#options, channel, stream, this.#memory, {
      target: (target) => {
        this.#earlierBytes += this.#target?.sentBytes ?? 0
        this.#target = target
      },
      source: (source) => {
        this.#source = source
      },
      sample: (sample) => {
        this.#sample = sample
        this.#waiting.sampled(sample)
        this.#sampledMs = this.#options.clock.monotonicMs()
      },
      state: (state, problem) => {
        this.#state = state
        this.#problem = problem
      },
    })
  }
}

/** A source took a dump and then refused: what repeats at the same place is one problem. */
interface Stuck {
  /** Where the refused dump got to, which the receiver says next; null until then. */
  readonly place: string | null
  readonly problem: NonNullable<State['problem']>
}

/** What outlives a session: a link that comes and goes does not begin a problem anew. */
interface SenderMemory {
  stuck: Stuck | null
}

interface SessionReports {
  target(target: FrameTarget | null): void
  source(source: OpenedSource['source']): void
  sample(sample: Sample): void
  state(state: StreamSenderStatus['state'], problem: State['problem']): void
}

export class SenderSession {
  readonly #options: StreamSenderOptions
  readonly #channel: Channel
  readonly #stream: number
  readonly #reports: SessionReports
  readonly #backoff: Backoff
  #resumed = Promise.withResolvers<Resume>()
  #target: FrameTarget | null = null
  /** As the receiver said when the newest dump was asked for. */
  #held: Resume['held'] = null
  #problem: State['problem'] = null
  /** Told as blocked until a dump lasts or something else is wrong, not a look long. */
  #isBlocked = false
  readonly #memory: SenderMemory
  #isAccepted = false

  constructor(
    options: StreamSenderOptions,
    channel: Channel,
    stream: number,
    memory: SenderMemory,
    reports: SessionReports,
  ) {
    this.#options = options
    this.#channel = channel
    this.#stream = stream
    this.#memory = memory
    this.#reports = reports
    this.#backoff = new Backoff({ clock: options.clock, firstMs: 200, capMs: 1_000 })
  }

  onFrame(frame: Frame): void {
    if (frame.type === FrameType.Ack) this.#target?.acked(frame.syncedBytes)
    else if (frame.type === FrameType.Resume) {
      this.#resumed.resolve(parseBody(resume, frame.body, 'resume'))
    } else {
      throw new LandbridgeError('ERR_LINK_FRAME', `frame type ${frame.type} to a sender`)
    }
  }

  async run(signal: AbortSignal): Promise<void> {
    const ending = new AbortController()
    const watchSignal = AbortSignal.any([signal, ending.signal])
    const watching = this.#options.source.watch((sample) => this.#sendSample(sample), watchSignal)
    try {
      while (!signal.aborted) {
        const { held, windowBytes } = await abortable(this.#resumed.promise, signal)
        this.#resumed = Promise.withResolvers<Resume>()
        this.#held = held
        this.#recall(placeOf(held))
        this.#isAccepted = false
        await this.#oneDump(held, windowBytes, signal)
      }
    } finally {
      ending.abort()
      this.#reports.state('idle', null)
      this.#reports.target(null)
      await watching
    }
  }

  /** One dump, from the receiver's position to its end; then asks for the next position. */
  async #oneDump(held: Resume['held'], windowBytes: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    const startedMs = clock.monotonicMs()
    try {
      if (!this.#isBlocked) this.#tell('connecting')
      const opened = await this.#options.source.open(held, signal)
      this.#reports.source(opened.source)
      await this.#dump(opened, windowBytes, signal)
    } catch (error) {
      signal.throwIfAborted()
      if (clock.monotonicMs() - startedMs > STEADY_DUMP_MS) this.#backoff.reset()
      await this.#recover(error, signal)
    }
  }

  async #dump(opened: OpenedSource, windowBytes: number, signal: AbortSignal): Promise<void> {
    // It took a dump from here before, and refused at an event behind this place.
    const isStuckHere = this.#memory.stuck?.place === placeOf(this.#held)
    const target = new FrameTarget({
      ...this.#options,
      channel: this.#channel,
      stream: this.#stream,
      windowBytes: Math.min(windowBytes, this.#options.windowBytes),
      parkAfterMs: this.#options.parkAfterMs ?? PARK_AFTER_MS,
      onAccepted: () => {
        this.#isAccepted = true
        if (!isStuckHere) this.#flows()
      },
      // Only with the first bytes, so that an epoch is not begun for a refusal.
      onStart: () => {
        const { source, newEpoch } = opened
        this.#channel.sendJson(FrameType.Open, this.#stream, { source, newEpoch })
      },
    })
    this.#target = target
    this.#reports.target(target)
    const ending = new AbortController()
    const dumpSignal = AbortSignal.any([signal, ending.signal])
    const reading = opened.run(target, dumpSignal)
    const sending = target.run(dumpSignal)
    const lasting = Promise.allSettled(isStuckHere ? [this.#flowsOnceItLasts(dumpSignal)] : [])
    try {
      await Promise.race([reading, sending])
    } finally {
      ending.abort()
      await Promise.allSettled([reading, sending, lasting])
    }
  }

  async #flowsOnceItLasts(signal: AbortSignal): Promise<void> {
    await this.#options.clock.sleep(STEADY_DUMP_MS, { signal })
    if (this.#isAccepted) this.#flows()
  }

  #flows(): void {
    this.#problem = null
    this.#memory.stuck = null
    this.#isBlocked = false
    this.#tell('streaming')
  }

  async #recover(error: unknown, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options
    const code = codeOf(error)
    if (code === 'ERR_STREAM_PAUSED') return await this.#pause(code, describeError(error), signal)
    const known = this.#known(code)
    const sinceMs = known?.sinceMs ?? clock.wallMs()
    const remedy = remedyOf(error) ?? null
    // A text that the peer refuses would end the link, which is of all streams.
    const message = cutText(describeError(error))
    this.#problem = { code, message, remedy: remedy && cutText(remedy), sinceMs }
    if (known === null) log.warn(errorFields(error), `source: ${describeError(error)}`)
    const isParked = code === 'ERR_PARKED'
    this.#isBlocked = !isParked && isLandbridgeError(error) && !error.retryable
    if (this.#isBlocked && this.#isAccepted) {
      this.#memory.stuck = { place: null, problem: this.#problem }
    }
    if (isParked) {
      this.#tell('parked')
      await this.#target?.drained(signal)
    } else if (this.#isBlocked) {
      this.#tell('blocked')
      await clock.sleep(BLOCKED_RETRY_MS, { signal })
    } else {
      this.#tell('connecting')
      await this.#backoff.wait({ signal })
    }
    this.#channel.sendJson(FrameType.Restart, this.#stream, { code, message })
  }

  /** No fault: the status says who paused it. */
  async #pause(code: string, message: string, signal: AbortSignal): Promise<void> {
    this.#options.log.info(
      {},
      'paused for long: the dump is closed until the throttle lets it go on',
    )
    this.#problem = null
    this.#isBlocked = false
    this.#tell('parked')
    await this.#target?.drained(signal)
    await this.#options.throttle.released(signal)
    this.#channel.sendJson(FrameType.Restart, this.#stream, { code, message })
  }

  /** The same trouble as before, which began then; null when it is a new one. */
  #known(code: string): { readonly sinceMs: number } | null {
    if (this.#problem?.code === code) return this.#problem
    const { place, problem } = this.#memory.stuck ?? {}
    return place === placeOf(this.#held) && problem?.code === code ? problem : null
  }

  /** The receiver stands at `place`: whether a dump from there was refused before. */
  #recall(place: string): void {
    const { stuck } = this.#memory
    if (stuck === null) return
    // A new session of a spool that holds nothing: it was begun anew, as the remedy may say.
    const isAnew = this.#problem === null && place === ''
    this.#memory.stuck = isAnew ? null : { ...stuck, place: stuck.place ?? place }
    if (this.#memory.stuck?.place !== place || this.#problem !== null) return
    this.#problem = stuck.problem
    this.#isBlocked = true
    this.#tell('blocked')
  }

  #tell(state: State['state']): void {
    const body: State = { state, host: this.#options.source.host, problem: this.#problem }
    this.#reports.state(state, this.#problem)
    this.#channel.sendJson(FrameType.State, this.#stream, body)
  }

  /** Of a source's files those that lie between the receiver and the source's end. */
  #ahead(files: NonNullable<Sample['files']>): NonNullable<Sample['files']> {
    const file = this.#target?.ackedFile ?? this.#held?.file
    const at = files.findIndex(({ name }) => name === file)
    // One more: the receiver may have cut its spool back into the file before.
    return files.slice(Math.max(at - 1, 0)).slice(-SAMPLE_FILES_MAX)
  }

  #sendSample(sample: Sample): void {
    this.#reports.sample(sample)
    const { files, ...place } = sample
    const told = this.#options.toldThrottle?.()
    const throttle = told && { ...told, reason: told.reason && cutText(told.reason) }
    const ahead = files === undefined ? {} : { files: this.#ahead(files) }
    const body: Sample = { ...place, ...ahead, ...(throttle !== undefined && { throttle }) }
    this.#channel.sendJson(FrameType.Sample, this.#stream, body)
  }
}

function placeOf(held: Resume['held']): string {
  return held === null ? '' : `${held.epoch} ${held.file} ${held.offset}`
}
