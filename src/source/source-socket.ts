import { connect, type Socket } from 'node:net'

/** More than the kernel hands over at once on most paths; a read takes what is there. */
const READ_BYTES = 256 * 1024
/** A source that is dead while it has nothing to say is noticed some seconds after this. */
const KEEPALIVE_MS = 10_000

/**
 * The TCP connection to a source. It reads into one buffer, over and over: a stream of its own
 * would allocate 64 KiB for each read, gigabytes a minute, faster than they are collected.
 */
export class SourceSocket {
  readonly socket: Socket
  #shares = false

  constructor(host: string, port: number) {
    const buffer = Buffer.allocUnsafeSlow(READ_BYTES)
    const deliver = (length: number): boolean => {
      const chunk = buffer.subarray(0, length)
      this.socket.emit('data', this.#shares ? chunk : Buffer.from(chunk))
      return true
    }
    this.socket = connect({
      host,
      port,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEPALIVE_MS,
      onread: { buffer, callback: deliver },
    })
  }

  /** From now on chunks are valid only while the `data` event is handled; before, for good. */
  shareBuffer(): void {
    this.#shares = true
  }
}
