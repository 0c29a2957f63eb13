import { decodeFrame, encodeJson, type Frame, FrameType } from '../../../src/link/frame.ts'
import { helloOf } from './memory-link.ts'
import type { SocketEnd } from './socket-pair.ts'

export interface HelloFields {
  readonly protocol?: unknown
  readonly [field: string]: unknown
}

/** A peer made by hand: says hello and then what the test wants. */
export class HandmadePeer {
  readonly heard: Frame[] = []
  readonly #end: SocketEnd

  constructor(
    end: SocketEnd,
    /** Its name, and that of its site. */
    gateway: string,
    fields: HelloFields = {},
  ) {
    this.#end = end
    end.socket.on('message', (data: Buffer) => this.heard.push(decodeFrame(data)))
    end.socket.resume()
    const protocol = { oldest: 1, newest: 1 }
    const body = { protocol, ...helloOf(gateway), ...fields }
    this.say(encodeJson(FrameType.Hello, 0, body))
  }

  say(...messages: Buffer[]): void {
    for (const message of messages) this.#end.socket.send(message, {}, () => undefined)
  }

  cut(): void {
    this.#end.cut()
  }

  hasHeard(type: FrameType): boolean {
    return this.heard.some((frame) => frame.type === type)
  }

  closeCode(): string | undefined {
    const close = this.heard.find(({ type }) => type === FrameType.Close)
    return close?.type === FrameType.Close ? (close.body as { code: string }).code : undefined
  }
}

export function dataFrame(offset: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(24)
  header.writeUInt8(FrameType.Data, 0)
  header.writeBigUInt64LE(BigInt(offset), 4)
  header.writeBigUInt64LE(1n, 12)
  header.writeUInt32LE(payload.length, 20)
  return Buffer.concat([header, payload])
}
