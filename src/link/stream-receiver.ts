import { zstdDecompressSync } from 'node:zlib'
import type { Clock } from '../base/clock.ts'
import { LandbridgeError } from '../base/errors.ts'
import { releaseBuffer } from '../base/release-buffer.ts'
import { type Release, Turns } from '../base/turns.ts'
import { untilAborted } from '../base/until-aborted.ts'
import type { Channel } from './channel.ts'
import {
  DATA_HEADER_BYTES,
  type DataFrame,
  encodeAck,
  FRAME_PAYLOAD_BYTES_MAX,
  type Frame,
  FrameType,
} from './frame.ts'
import { superseded } from './link-session.ts'
import {
  type Open,
  open,
  parseBody,
  type Resume,
  restart,
  type Sample,
  type State,
  sample,
  state,
} from './messages.ts'
import type { SpoolPort } from './source-port.ts'

export interface StreamReceiverOptions {
  readonly name: string
  /** In which this site is a copy. */
  readonly term: number
  readonly spool: SpoolPort
  readonly windowBytes: number
  readonly clock: Clock
  readonly onSample: (sample: Sample) => void
  /** A dump begins: who the source is. */
  readonly onOpen: (opened: Open) => void
}

export interface StreamReceiverStatus {
  /** Name of the gateway that it is received from; null without a session. */
  readonly peer: string | null
  /** As the sender last said; null without a session. */
  readonly state: State | null
  /** What holds it back, as the sender last said; null without a session. */
  readonly throttle: NonNullable<Sample['throttle']> | null
  /** When the sender last said that it is paused, on the monotonic clock; null: never. */
  readonly pausedMs: number | null
  readonly receivedBytes: number
  /** When the last of them came, on the monotonic clock; null before the first. */
  readonly receivedMs: number | null
}

/**
 * The receiving half of one stream: asks for what the spool lacks, hands every byte to it,
 * acknowledges what is synced.
 *
 * A session belongs to a peer. A newer one of the same peer ends the older; those of several
 * gateways at the origin's site take turns, and the first goes on for as long as it lasts.
 */
export class StreamReceiver {
  readonly name: string
  readonly #options: StreamReceiverOptions
  readonly #sessions = new Map<string, ReceiverSession>()
  readonly #turns = new Turns()
  /** The one whose turn it is. */
  #active: ReceiverSession | null = null
  #activePeer: string | null = null
  #state: State | null = null
  #throttle: StreamReceiverStatus['throttle'] = null
  #pausedMs: number | null = null
  #receivedBytes = 0
  #receivedMs: number | null = null

  constructor(options: StreamReceiverOptions) {
    this.name = options.name
    this.#options = options
  }

  status(): StreamReceiverStatus {
    return {
      peer: this.#activePeer,
      state: this.#state,
      throttle: this.#throttle,
      pausedMs: this.#pausedMs,
      receivedBytes: this.#receivedBytes,
      receivedMs: this.#receivedMs,
    }
  }

  /** The spool synced `bytes` more: tell the sender. */
  synced(bytes: number): void {
    this.#active?.synced(bytes)
  }

  /** The spool cannot go on: end the session, the next one resumes from what is synced. */
  broken(error: LandbridgeError): void {
    this.#active?.fail(error)
  }

  /** A newer session of the same peer ends an older one, and begins when its work is over. */
  session(channel: Channel, stream: number, peer: string): ReceiverSession {
    const older = this.#sessions.get(peer)?.supersede() ?? Promise.resolve()
    const turn = async (signal: AbortSignal): Promise<Release> => {
      await older
      const release = await this.#turns.take(signal)
      if (session.isOver) return release
      this.#active = session
      this.#activePeer = peer
      return release
    }
    const session = new ReceiverSession(this.#options, channel, stream, turn, {
      state: (told) => {
        if (this.#active === session) this.#state = told
      },
      // The others' samples are by clocks of their own, and maybe of another server.
      sample: (told) => {
        if (this.#active !== session) return
        this.#throttle = told.throttle ?? null
        if (told.throttle?.bytesPerSecond === 0) this.#pausedMs = this.#options.clock.monotonicMs()
        this.#options.onSample(told)
      },
      received: (bytes) => {
        this.#receivedBytes += bytes
        this.#receivedMs = this.#options.clock.monotonicMs()
      },
      ended: () => {
        if (this.#sessions.get(peer) === session) this.#sessions.delete(peer)
        if (this.#active !== session) return
        this.#active = null
        this.#activePeer = null
        this.#state = null
        this.#throttle = null
      },
    })
    this.#sessions.set(peer, session)
    return session
  }
}

/** While frames are held back: what one costs besides its payload, and room for samples. */
const FRAME_COST_BYTES = 512
const BACKLOG_ROOM_BYTES = 1024 * 1024

type Turn = (signal: AbortSignal) => Promise<Release>

interface SessionReports {
  state(state: State): void
  sample(told: Sample): void
  received(bytes: number): void
  ended(): void
}

export class ReceiverSession {
  readonly #options: StreamReceiverOptions
  readonly #channel: Channel
  readonly #stream: number
  readonly #turn: Turn
  readonly #reports: SessionReports
  #release: Release = () => undefined
  #syncedBytes = 0
  /** Bytes of this dump that came. */
  #dumpBytes = 0
  #hasAsked = false
  #isOpen = false
  #isOver = false
  readonly #ending = new AbortController()
  /** An epoch that is being begun: the session is not over before that is. */
  #opening: Promise<void> = Promise.resolve()
  /** Frames that arrive while something before them is still being done, in order. */
  #backlog: Frame[] | null = null
  #backlogBytes = 0

  constructor(
    options: StreamReceiverOptions,
    channel: Channel,
    stream: number,
    turn: Turn,
    reports: SessionReports,
  ) {
    this.#options = options
    this.#channel = channel
    this.#stream = stream
    this.#turn = turn
    this.#reports = reports
  }

  get isOver(): boolean {
    return this.#isOver
  }

  async run(signal: AbortSignal): Promise<void> {
    try {
      this.#inOrder(this.#begin())
      await untilAborted(signal)
    } finally {
      await this.#end()
      this.#reports.ended()
    }
  }

  synced(bytes: number): void {
    // Of an older session's bytes: the other end does not know this stream's number yet.
    if (!this.#hasAsked) return
    this.#syncedBytes += bytes
    this.#channel.say(encodeAck(this.#stream, this.#syncedBytes))
  }

  fail(error: LandbridgeError): void {
    this.#channel.fail(error)
  }

  /** Settles when nothing of this session can reach the spool any more. */
  async supersede(): Promise<void> {
    this.#channel.fail(superseded())
    await this.#end()
  }

  /** Settles when it is this session's turn and the other end was asked for what is lacked. */
  async #begin(): Promise<void> {
    this.#release = await this.#turn(this.#ending.signal)
    // It was ended in the moment in which its turn came.
    if (this.#isOver) this.#release()
    else await this.#resume()
  }

  async #end(): Promise<void> {
    this.#isOver = true
    this.#ending.abort()
    await this.#opening.catch(() => undefined)
    this.#release()
  }

  onFrame(frame: Frame): void {
    // Frames held back behind slow work must not reach the spool of a later session.
    if (this.#isOver) return
    // What only tells keeps no order with bytes, and must not gather behind a full disk.
    const isNews = frame.type === FrameType.Sample || frame.type === FrameType.State
    if (this.#backlog === null || isNews) this.#handle(frame)
    else this.#holdBack(this.#backlog, frame)
  }

  #handle(frame: Frame): void {
    switch (frame.type) {
      case FrameType.Data:
        this.#data(frame)
        break
      case FrameType.File:
        this.#requireOpen()
        this.#options.spool.beginFile(frame.name, frame.offset)
        break
      case FrameType.Open:
        this.#opening = this.#open(parseBody(open, frame.body, 'open'))
        this.#inOrder(this.#opening)
        break
      case FrameType.Restart:
        parseBody(restart, frame.body, 'restart')
        this.#inOrder(this.#resume())
        break
      case FrameType.Sample:
        this.#reports.sample(parseBody(sample, frame.body, 'sample'))
        break
      case FrameType.State:
        this.#reports.state(parseBody(state, frame.body, 'state'))
        break
      default:
        throw new LandbridgeError('ERR_LINK_FRAME', `frame type ${frame.type} to a receiver`)
    }
  }

  /** What waits here is in memory as well: the window is its limit, with room for samples. */
  #holdBack(backlog: Frame[], frame: Frame): void {
    this.#backlogBytes += FRAME_COST_BYTES + payloadBytes(frame)
    const limit = Math.max(this.#options.windowBytes, FRAME_PAYLOAD_BYTES_MAX) + BACKLOG_ROOM_BYTES
    if (this.#backlogBytes > limit) throw tooMuch(this.#backlogBytes, limit)
    backlog.push(frame)
  }

  #data(frame: DataFrame): void {
    this.#requireOpen()
    const bytes = frame.compressed ? decompress(frame) : frame.payload
    this.#checkWindow(bytes.length)
    this.#reports.received(bytes.length)
    const ownBytes = frame.compressed ? bytes.length : DATA_HEADER_BYTES + bytes.length
    this.#options.spool.append(frame.offset, bytes, frame.readAtUs / 1000, () => {
      releaseBuffer(bytes, ownBytes)
    })
  }

  /** Memory is bounded by what may be under way, so the sender is held to it. */
  #checkWindow(bytes: number): void {
    this.#dumpBytes += bytes
    const underWay = this.#dumpBytes - this.#syncedBytes
    if (underWay <= Math.max(this.#options.windowBytes, FRAME_PAYLOAD_BYTES_MAX)) return
    throw tooMuch(underWay, this.#options.windowBytes)
  }

  /** Cuts the spool back to its last whole transaction and asks for what follows. */
  async #resume(): Promise<void> {
    this.#isOpen = false
    const held = await this.#options.spool.rewind()
    if (this.#isOver) return
    this.#syncedBytes = 0
    this.#dumpBytes = 0
    const { name: stream, term, windowBytes } = this.#options
    const body: Resume = { stream, term, held, windowBytes }
    this.#hasAsked = true
    this.#channel.sendJson(FrameType.Resume, this.#stream, body)
  }

  async #open(opened: Open): Promise<void> {
    const { source, newEpoch } = opened
    if (newEpoch !== null) {
      const { signal } = this.#ending
      await this.#options.spool.beginEpoch({ source, ...newEpoch }, { signal })
    } else await this.#options.spool.renewSource(source)
    this.#options.onOpen(opened)
    this.#isOpen = true
  }

  #requireOpen(): void {
    if (this.#isOpen) return
    throw new LandbridgeError('ERR_LINK_FRAME', 'the peer sent bytes before it opened the stream')
  }

  /** Holds back the frames behind `work` until it is done. */
  #inOrder(work: Promise<void>): void {
    const backlog: Frame[] = []
    this.#backlog = backlog
    this.#backlogBytes = 0
    work
      .then(() => {
        this.#backlog = null
        for (const [at, frame] of backlog.entries()) {
          if (this.#isOver) return
          this.#handle(frame)
          // That frame began work of its own: the rest waits behind it.
          if (this.#backlog !== null) {
            ;(this.#backlog as Frame[]).push(...backlog.slice(at + 1))
            return
          }
        }
      })
      .catch((error: unknown) => this.#channel.fail(error))
  }
}

function payloadBytes(frame: Frame): number {
  if (frame.type === FrameType.Data) return frame.payload.length
  return 'body' in frame ? JSON.stringify(frame.body ?? null).length : 0
}

function tooMuch(underWay: number, allowed: number): LandbridgeError {
  return new LandbridgeError(
    'ERR_LINK_WINDOW',
    `the peer has ${underWay} bytes under way, ${allowed} are allowed`,
    { retryable: true },
  )
}

function decompress(frame: DataFrame): Buffer {
  const refuse = (cause?: unknown): never => {
    throw new LandbridgeError('ERR_LINK_FRAME', 'a compressed frame does not unpack', { cause })
  }
  let bytes: Buffer
  try {
    bytes = zstdDecompressSync(frame.payload, { maxOutputLength: frame.rawBytes })
  } catch (cause) {
    return refuse(cause)
  }
  return bytes.length === frame.rawBytes ? bytes : refuse()
}
