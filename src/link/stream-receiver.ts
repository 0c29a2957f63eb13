import { zstdDecompressSync } from 'node:zlib'
import type { Clock } from '../base/clock.ts'
import { LandbridgeError } from '../base/errors.ts'
import { releaseBuffer } from '../base/release-buffer.ts'
import { untilAborted } from '../base/until-aborted.ts'
import type { Channel } from './channel.ts'
import {
  DATA_HEADER_BYTES,
  type DataFrame,
  encodeAck,
  encodeJson,
  FRAME_PAYLOAD_BYTES_MAX,
  type Frame,
  FrameType,
} from './frame.ts'
import {
  type Open,
  open,
  parseBody,
  restart,
  type Sample,
  type State,
  sample,
  state,
} from './messages.ts'
import type { SpoolPort } from './source-port.ts'

export interface StreamReceiverOptions {
  readonly name: string
  readonly spool: SpoolPort
  readonly windowBytes: number
  readonly clock: Clock
  readonly onSample: (sample: Sample) => void
  /** A dump begins: who the source is. */
  readonly onOpen: (opened: Open) => void
}

export interface StreamReceiverStatus {
  /** As the sender last said; null without a session. */
  readonly state: State | null
  readonly receivedBytes: number
}

/**
 * The DR half of one stream: asks for what the spool lacks, hands every byte to it, acknowledges
 * what is synced.
 */
export class StreamReceiver {
  readonly name: string
  readonly #options: StreamReceiverOptions
  #session: ReceiverSession | null = null
  #state: State | null = null
  #receivedBytes = 0

  constructor(options: StreamReceiverOptions) {
    this.name = options.name
    this.#options = options
  }

  status(): StreamReceiverStatus {
    return { state: this.#state, receivedBytes: this.#receivedBytes }
  }

  /** The spool synced `bytes` more: tell the sender. */
  synced(bytes: number): void {
    this.#session?.synced(bytes)
  }

  /** The spool cannot go on: end the session, the next one resumes from what is synced. */
  broken(error: LandbridgeError): void {
    this.#session?.fail(error)
  }

  session(channel: Channel, stream: number): ReceiverSession {
    const session = new ReceiverSession(this.#options, channel, stream, {
      state: (told) => {
        this.#state = told
      },
      received: (bytes) => {
        this.#receivedBytes += bytes
      },
      ended: () => {
        if (this.#session === session) this.#session = null
        this.#state = null
      },
    })
    this.#session = session
    return session
  }
}

/** Names of files, mostly: data is bounded by the window. */
const BACKLOG_FRAMES_MAX = 4_096

interface SessionReports {
  state(state: State): void
  received(bytes: number): void
  ended(): void
}

export class ReceiverSession {
  readonly #options: StreamReceiverOptions
  readonly #channel: Channel
  readonly #stream: number
  readonly #reports: SessionReports
  #syncedBytes = 0
  /** Bytes of this dump that came. */
  #dumpBytes = 0
  #isOpen = false
  #isOver = false
  readonly #ending = new AbortController()
  /** An epoch that is being begun: the session is not over before that is. */
  #opening: Promise<void> = Promise.resolve()
  /** Frames that arrive while something before them is still being done, in order. */
  #backlog: Frame[] | null = null

  constructor(
    options: StreamReceiverOptions,
    channel: Channel,
    stream: number,
    reports: SessionReports,
  ) {
    this.#options = options
    this.#channel = channel
    this.#stream = stream
    this.#reports = reports
  }

  async run(signal: AbortSignal): Promise<void> {
    try {
      this.#inOrder(this.#resume())
      await untilAborted(signal)
    } finally {
      this.#isOver = true
      this.#ending.abort()
      await this.#opening.catch(() => undefined)
      this.#reports.ended()
    }
  }

  synced(bytes: number): void {
    this.#syncedBytes += bytes
    this.#channel.send(encodeAck(this.#stream, this.#syncedBytes))
  }

  fail(error: LandbridgeError): void {
    this.#channel.fail(error)
  }

  onFrame(frame: Frame): void {
    // Frames held back behind slow work must not reach the spool of a later session.
    if (this.#isOver) return
    // On arrival, since what waits behind slow work takes memory too.
    if (frame.type === FrameType.Data) this.#checkWindow(frame.rawBytes)
    // What only tells keeps no order with bytes, and must not gather behind a full disk.
    const isNews = frame.type === FrameType.Sample || frame.type === FrameType.State
    if (this.#backlog === null || isNews) this.#handle(frame)
    else this.#holdBack(this.#backlog, frame)
  }

  #holdBack(backlog: Frame[], frame: Frame): void {
    if (backlog.length < BACKLOG_FRAMES_MAX) backlog.push(frame)
    else {
      throw new LandbridgeError('ERR_LINK_WINDOW', `${backlog.length} frames of the peer wait`, {
        retryable: true,
      })
    }
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
        this.#options.onSample(parseBody(sample, frame.body, 'sample'))
        break
      case FrameType.State:
        this.#reports.state(parseBody(state, frame.body, 'state'))
        break
      default:
        throw new LandbridgeError('ERR_LINK_FRAME', `frame type ${frame.type} to a receiver`)
    }
  }

  #data(frame: DataFrame): void {
    this.#requireOpen()
    const bytes = frame.compressed ? decompress(frame) : frame.payload
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
    throw new LandbridgeError(
      'ERR_LINK_WINDOW',
      `the peer has ${underWay} bytes under way, ${this.#options.windowBytes} are allowed`,
      { retryable: true },
    )
  }

  /** Cuts the spool back to its last whole transaction and asks for what follows. */
  async #resume(): Promise<void> {
    this.#isOpen = false
    const held = await this.#options.spool.rewind()
    if (this.#isOver) return
    this.#syncedBytes = 0
    this.#dumpBytes = 0
    const body = { held, windowBytes: this.#options.windowBytes }
    this.#channel.send(encodeJson(FrameType.Resume, this.#stream, body))
  }

  async #open(opened: Open): Promise<void> {
    const { source, newEpoch } = opened
    if (newEpoch !== null) {
      const { signal } = this.#ending
      await this.#options.spool.beginEpoch({ source, ...newEpoch }, { signal })
    }
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
