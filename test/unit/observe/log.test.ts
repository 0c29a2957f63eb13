import { describe, expect, test } from 'vitest'
import { errorFields, LandbridgeError } from '../../../src/base/errors.ts'
import { Secret } from '../../../src/base/secret.ts'
import { createLog } from '../../../src/observe/log.ts'
import { commandsIn, forgedIn, HOSTILE } from '../../helpers/terminal/hostile-text.ts'

function capture(options: { pretty?: boolean; color?: boolean; level?: 'debug' | 'info' } = {}) {
  const lines: string[] = []
  const log = createLog({
    level: 'info',
    name: 'ec2',
    ...options,
    output: { write: (text) => void lines.push(text) },
  })
  return { log, lines }
}

describe('log', () => {
  test('writes JSON lines with level, time, gateway, fields and message', () => {
    const { log, lines } = capture()
    log.child({ station: 'link' }).warn({ attempt: 3 }, 'link lost')
    log.debug({}, 'not written')
    expect(lines).toHaveLength(1)
    expect(JSON.parse(lines[0] ?? '')).toEqual({
      level: 'warn',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      gateway: 'ec2',
      station: 'link',
      attempt: 3,
      message: 'link lost',
    })
  })

  test('writes no name twice in a line, whoever adds it', () => {
    const { log, lines } = capture()
    const child = log.child({ stream: 'main', gateway: 'other' }).child({ station: 'link' })
    child.warn({ stream: 'main', station: 'source', message: 'field', time: 1, level: 2 }, 'text')
    const names = [...(lines[0] ?? '').matchAll(/"(\w+)":/g)].map(([, name]) => name)
    expect(names.length).toBe(new Set(names).size)
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      level: 'warn',
      gateway: 'other',
      stream: 'main',
      station: 'source',
      message: 'text',
      message_: 'field',
    })
  })

  test('never writes a secret, wrapped or by its field name', () => {
    const { log, lines } = capture({ level: 'debug' })
    const login = { user: 'u', password: 'hunter2', nested: { privateKey: 'hunter2' } }
    log.debug({ login, password: 'hunter2', wrapped: new Secret('hunter2') }, 'x')
    expect(lines.join('')).not.toContain('hunter2')
    expect(lines.join('')).toContain('[secret]')
  })

  test('writes an error with its code, causes and remedy; a stack only for the unexpected', () => {
    const { log, lines } = capture()
    const cause = new Error('refused')
    log.error({ error: new LandbridgeError('ERR_X', 'no', { cause, remedy: 'do' }) }, 'a')
    log.error({ error: new TypeError('slip') }, 'b')
    expect(JSON.parse(lines[0] ?? '').error).toEqual({
      code: 'ERR_X',
      message: 'no: refused',
      remedy: 'do',
    })
    expect(JSON.parse(lines[1] ?? '').error.stack).toContain('log.test.ts')
  })

  test('writes what to do beside the code, and on a terminal below the line', () => {
    const password = new Secret('hunter2')
    const remedy = `SET PASSWORD = '${password}';\nFLUSH PRIVILEGES`
    const error = new LandbridgeError('ERR_X', 'no', { remedy, details: { password } })
    for (const pretty of [false, true]) {
      const { log, lines } = capture({ pretty, color: false })
      log.warn({ ...errorFields(error), peer: 'azure' }, 'link down: no')
      log.warn(errorFields(new Error('slip')), 'link down: slip')
      expect(lines.join('')).not.toContain('hunter2')
      expect(lines).toHaveLength(2)
      if (pretty) {
        const below = [`remedy: SET PASSWORD = '[secret]';`, 'FLUSH PRIVILEGES']
        const [head, ...rest] = lines[0]?.split('\n') ?? []
        expect(head).toMatch(/ WARN {2}link down: no code=ERR_X peer=azure$/)
        expect(rest).toEqual([...below.map((text) => ' '.repeat(19) + text), ''])
        expect(lines[1]).toMatch(/ WARN {2}link down: slip code=ERR_UNEXPECTED\n$/)
      } else {
        expect(JSON.parse(lines[0] ?? '')).toMatchObject({
          code: 'ERR_X',
          message: 'link down: no',
          remedy: "SET PASSWORD = '[secret]';\nFLUSH PRIVILEGES",
        })
        expect(JSON.parse(lines[1] ?? '')).not.toHaveProperty('remedy')
      }
    }
  })

  test('on a terminal lets no text command it, nor pass for a line of its own', () => {
    const { log, lines } = capture({ pretty: true, color: false })
    log.warn({}, 'the source refuses the dump: \u001b]0;title\u0007no\r\n12:00:00.000 ERROR gone')
    const [head, ...rest] = lines[0]?.split('\n') ?? []
    expect(head).toMatch(/ WARN {2}the source refuses the dump: \\x1b\]0;title\\x07no$/)
    expect(rest).toEqual([`${' '.repeat(19)}12:00:00.000 ERROR gone`, ''])
  })

  test('nothing that a server or a peer says commands a terminal, wherever it stands', () => {
    for (const pretty of [false, true]) {
      const { log, lines } = capture({ pretty, color: false })
      const cause = new Error(HOSTILE)
      const error = new LandbridgeError('ERR_X', HOSTILE, {
        cause,
        remedy: HOSTILE,
        details: { file: HOSTILE },
      })
      log.child({ peer: HOSTILE }).warn({ ...errorFields(error), error }, HOSTILE)
      log.error({ error: new TypeError(HOSTILE), [HOSTILE]: [HOSTILE], host: '\u001b[2J' }, 'b')
      const text = lines.join('')
      expect(text).toContain('ERR_X')
      expect(commandsIn(text)).toEqual([])
      expect(forgedIn(text)).toEqual([])
      if (!pretty) expect(JSON.parse(lines[0] ?? '').peer).toBe(HOSTILE)
    }
  })

  test('on a terminal writes one readable line, errors below it', () => {
    const { log, lines } = capture({ pretty: true, color: false })
    log.info({ peer: 'azure', text: 'two words', n: 5 }, 'link up')
    log.error({ error: new LandbridgeError('ERR_X', 'no', { remedy: 'do' }) }, 'link lost')
    expect(lines[0]).toMatch(
      /^\d\d:\d\d:\d\d\.\d{3} INFO {2}link up peer=azure text="two words" n=5\n$/,
    )
    expect(lines[1]).toMatch(/ ERROR link lost\n {19}ERR_X: no\n {19}remedy: do\n$/)
    const colored = capture({ pretty: true, color: true })
    colored.log.warn({}, 'x')
    expect(colored.lines[0]).toContain('\u001b[33mWARN \u001b[0m')
  })
})
