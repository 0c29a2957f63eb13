import { readFileSync } from 'node:fs'

/*
 * Loaded with `--import` in front of a gateway of a chaos lab: its wall clock then differs from
 * the machine's by the milliseconds in the file that LANDBRIDGE_LAB_CLOCK names, and jumps when
 * the file changes. Only this process sees it; what OpenSSL or the kernel say stays as it is.
 */
const LOOK_MS = 100
const file = process.env.LANDBRIDGE_LAB_CLOCK

if (file !== undefined) {
  const MachineDate = Date
  const machineNow = Date.now
  let offsetMs = 0
  const look = (): void => {
    try {
      offsetMs = Number(readFileSync(file, 'utf8')) || 0
    } catch {
      // No file, no step.
      offsetMs = 0
    }
  }
  const now = (): number => machineNow() + offsetMs
  look()
  setInterval(look, LOOK_MS).unref()
  globalThis.Date = new Proxy(MachineDate, {
    construct: (target, values, newTarget) =>
      Reflect.construct(target, values.length === 0 ? [now()] : values, newTarget),
    get: (target, name) => (name === 'now' ? now : Reflect.get(target, name)),
  })
}
