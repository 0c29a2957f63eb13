import { afterEach, describe, expect, test, vi } from 'vitest'
import { type Log, silentLog } from '../../../../src/base/log.ts'
import { untilAborted } from '../../../../src/base/until-aborted.ts'
import { runGateway } from '../../../../src/cli/run/run-command.ts'
import { notifyServiceManager } from '../../../../src/cli/run/service-manager.ts'
import type { GatewayConfig } from '../../../../src/gateway/config/gateway-config.ts'

const config = { name: 'ec2', site: 'production' } as GatewayConfig
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

function listeners(): number {
  return SIGNALS.reduce((sum, name) => sum + process.listenerCount(name), 0)
}

/** A gateway that closes at once when it is told to, or only when the test lets it. */
function gatewayOf(closed: Promise<void> = Promise.resolve()) {
  return async () => ({
    run: async (signal: AbortSignal) => {
      await untilAborted(signal)
      await closed
    },
  })
}

afterEach(() => vi.restoreAllMocks())

describe('run command', () => {
  test.each(SIGNALS)('%s stops the gateway, and leaves no listener behind', async (name) => {
    const before = listeners()
    const running = runGateway(config, silentLog, gatewayOf())
    expect(listeners()).toBe(before + 3)
    process.emit(name)
    await running
    expect(listeners()).toBe(before)
  })

  test('a second signal ends the process at once', async () => {
    const exit = vi.spyOn(process, 'exit').mockImplementation((() => {}) as never)
    const { promise, resolve } = Promise.withResolvers<void>()
    const running = runGateway(config, silentLog, gatewayOf(promise))
    process.emit('SIGTERM')
    expect(exit).not.toHaveBeenCalled()
    process.emit('SIGINT')
    expect(exit).toHaveBeenCalledWith(130)
    resolve()
    await running
  })

  test('a gateway that cannot start is an error of the command', async () => {
    const before = listeners()
    const broken = async () => ({ run: () => Promise.reject(new Error('no')) })
    await expect(runGateway(config, silentLog, broken)).rejects.toThrow('no')
    expect(listeners()).toBe(before)
  })

  test('a stray rejection is logged with its code and ends the process', async () => {
    const exit = vi.spyOn(process, 'exit').mockImplementation((() => {}) as never)
    const logged: object[] = []
    const log: Log = { ...silentLog, error: (fields) => void logged.push(fields) }
    const others = process.listeners('unhandledRejection')
    const running = runGateway(config, log, gatewayOf())
    const own = process.listeners('unhandledRejection').find((one) => !others.includes(one))
    own?.(Object.assign(new Error('slip'), { code: 'EPIPE' }), Promise.resolve())
    expect(logged).toMatchObject([{ code: 'EPIPE' }])
    expect(exit).toHaveBeenCalledWith(1)
    process.emit('SIGTERM')
    await running
  })
})

describe('service manager', () => {
  const environment = { NOTIFY_SOCKET: '/run/notify', WATCHDOG_USEC: '40000' }

  test('is told ready, alive and stopping', async () => {
    const stopping = new AbortController()
    const sent: string[] = []
    const send = async (message: string): Promise<void> => {
      sent.push(message)
      if (sent.length === 3) stopping.abort()
    }
    await notifyServiceManager({ env: environment, log: silentLog, send }, stopping.signal)
    expect(sent).toEqual(['READY=1', 'WATCHDOG=1', 'WATCHDOG=1', 'STOPPING=1'])
  })

  test('is left alone where nobody listens, and a failure is only a warning', async () => {
    const { signal } = new AbortController()
    const send = vi.fn().mockRejectedValue(new Error('no such program'))
    await notifyServiceManager({ env: {}, log: silentLog, send }, signal)
    expect(send).not.toHaveBeenCalled()
    const warn = vi.fn()
    const log: Log = { ...silentLog, warn }
    await notifyServiceManager({ env: environment, log, send }, signal)
    expect(warn).toHaveBeenCalledOnce()
  })
})
