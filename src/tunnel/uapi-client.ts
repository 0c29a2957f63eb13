import { connect, type Socket } from 'node:net'
import { LandbridgeError } from '../base/errors.ts'
import type { Secret } from '../base/secret.ts'
import { parseReply, type UapiDevice, UapiReplySplitter } from './uapi.ts'

const REPLY_MS_MAX = 5_000

/**
 * Asks a userspace WireGuard over its socket, one request at a time, on one connection that is
 * made again when it broke.
 */
export class UapiClient {
  readonly #path: string
  #socket: Socket | null = null
  #last: Promise<unknown> = Promise.resolve()

  constructor(path: string) {
    this.#path = path
  }

  async request(text: string | Secret): Promise<UapiDevice> {
    const turn = this.#last.then(() =>
      this.#exchange(typeof text === 'string' ? text : text.reveal()),
    )
    // The next request waits for this one, whatever became of it.
    this.#last = turn.catch(() => undefined)
    return turn
  }

  close(): void {
    this.#socket?.destroy()
    this.#socket = null
  }

  #exchange(text: string): Promise<UapiDevice> {
    const socket = this.#connection()
    const splitter = new UapiReplySplitter()
    return new Promise<UapiDevice>((resolve, reject) => {
      const settle = (outcome: () => void) => {
        socket.off('data', onData).off('error', onError).off('close', onClose)
        clearTimeout(timer)
        outcome()
      }
      const fail = (error: unknown) => {
        this.close()
        settle(() => reject(error))
      }
      const onData = (chunk: string) => {
        try {
          const [reply] = splitter.push(chunk)
          if (reply === undefined) return
          const device = parseReply(reply)
          settle(() => resolve(device))
        } catch (error) {
          fail(error)
        }
      }
      const onError = (cause: unknown) => fail(this.#unreachable(cause))
      const onClose = () => fail(this.#unreachable(undefined))
      const timer = setTimeout(() => fail(this.#unreachable(undefined)), REPLY_MS_MAX)
      socket.on('data', onData).on('error', onError).on('close', onClose)
      socket.write(text)
    })
  }

  #connection(): Socket {
    if (this.#socket !== null && !this.#socket.destroyed) return this.#socket
    this.#socket = connect(this.#path).setEncoding('utf8')
    // Between requests nobody listens; an error then shows as a destroyed socket at the next one.
    this.#socket.on('error', () => undefined)
    return this.#socket
  }

  #unreachable(cause: unknown): LandbridgeError {
    return new LandbridgeError('ERR_TUNNEL_UAPI', `${this.#path} does not answer`, {
      retryable: true,
      cause,
    })
  }
}
