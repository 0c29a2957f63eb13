import { WebSocket } from 'ws'
import { decodeFrame, encodeAck, encodePong, FrameType } from '../../../src/link/frame.ts'

/**
 * The other end of one measurement: takes Data frames, acknowledges them at once, and counts what
 * came in each tenth of a second. Argument: the port. Prints the counts when the connection ends.
 */
const SLOT_MS = 100
const socket = new WebSocket(`ws://127.0.0.1:${process.argv[2]}`)
socket.binaryType = 'nodebuffer'

const slots: number[] = []
let begunMs: number | null = null
let payloadBytes = 0

socket.on('message', (data: Buffer) => {
  const frame = decodeFrame(data)
  if (frame.type === FrameType.Ping) {
    socket.send(encodePong(frame.sentUs, Math.round(Date.now() * 1000)))
  } else if (frame.type === FrameType.Data) {
    const nowMs = performance.now()
    begunMs ??= nowMs
    const slot = Math.floor((nowMs - begunMs) / SLOT_MS)
    slots[slot] = (slots[slot] ?? 0) + data.length
    payloadBytes += frame.payload.length
    socket.send(encodeAck(frame.stream, payloadBytes))
  }
})
socket.on('close', () => {
  process.stdout.write(JSON.stringify(Array.from(slots, (bytes) => bytes ?? 0)))
})
