import { EventEmitter } from 'node:events'
import type { WebSocket } from 'ws'

/** What happens to a message: it arrives now or later, is lost for ever, or cuts the connection. */
export type Fate = 'deliver' | 'delay' | 'drop' | 'cut'
export type Judge = (message: Buffer) => Fate

/** Of the event loop: long against what a source sends meanwhile. */
const DELAY_TURNS = 40

/** One end of a connection in memory, with as much of a WebSocket as Channel uses. */
class MemorySocket extends EventEmitter {
  readonly OPEN = 1
  readonly CLOSED = 3
  readyState = 1
  bytesRead = 0
  peer: MemorySocket | null = null
  judge: Judge = () => 'deliver'
  #inbox: Buffer[] = []
  #paused = true

  send(message: Buffer, _options: object, sent: (error?: Error) => void): void {
    if (this.readyState !== this.OPEN) {
      setImmediate(() => sent(new Error('not open')))
      return
    }
    const fate = this.judge(message)
    if (fate === 'cut') this.terminate()
    else if (fate === 'deliver') this.peer?.receive(Buffer.from(message))
    else if (fate === 'delay') this.#later(Buffer.from(message), DELAY_TURNS)
    setImmediate(() => sent())
  }

  #later(message: Buffer, turns: number): void {
    if (turns === 0) this.peer?.receive(message)
    else setImmediate(() => this.#later(message, turns - 1))
  }

  receive(message: Buffer): void {
    if (this.#inbox.length === 0) setImmediate(() => this.#emptyInbox())
    this.#inbox.push(message)
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    this.#emptyInbox()
  }

  close(): void {
    this.terminate()
  }

  terminate(): void {
    this.#end()
    this.peer?.end()
  }

  /** The other end is gone: what it had sent still arrives. */
  end(): void {
    setImmediate(() => {
      this.#emptyInbox()
      this.#end()
    })
  }

  /** All at once, as when one chunk of the network holds many frames. */
  #emptyInbox(): void {
    if (this.#paused) return
    const inbox = this.#inbox
    this.#inbox = []
    for (const message of inbox) {
      this.bytesRead += message.length
      this.emit('message', message, true)
    }
  }

  #end(): void {
    if (this.readyState === this.CLOSED) return
    this.readyState = this.CLOSED
    setImmediate(() => this.emit('close'))
  }
}

export interface SocketEnd {
  readonly socket: WebSocket
  readonly stream: { readonly bytesRead: number }
  cut(): void
}

function endOf(socket: MemorySocket, judge: Judge | undefined): SocketEnd {
  if (judge !== undefined) socket.judge = judge
  return {
    socket: socket as unknown as WebSocket,
    stream: socket,
    cut: () => socket.terminate(),
  }
}

/** Two ends; each judge decides about what its end sends. */
export function socketPair(judges: { readonly left?: Judge; readonly right?: Judge } = {}): {
  readonly left: SocketEnd
  readonly right: SocketEnd
} {
  const [left, right] = [new MemorySocket(), new MemorySocket()]
  left.peer = right
  right.peer = left
  return { left: endOf(left, judges.left), right: endOf(right, judges.right) }
}
