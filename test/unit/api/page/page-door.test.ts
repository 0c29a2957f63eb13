import { describe, expect, test } from 'vitest'
import { PageDoor } from '../../../../src/api/page/page-door.ts'

const loopback = new PageDoor({ host: '127.0.0.1', names: [], scheme: 'http' })
const tunnel = new PageDoor({ host: '10.77.0.2', names: ['azure', '10.77.0.2'], scheme: 'https' })

describe('on loopback', () => {
  test.each(['127.0.0.1:7480', 'localhost:9000', '[::1]:7480', 'LOCALHOST', '127.0.0.1'])(
    'a request for %s is let in, through whatever port ssh -L has chosen',
    (host) => expect(loopback.allowsHost(host)).toBe(true),
  )

  test.each([
    'evil.example',
    'evil.example:7480',
    '127.0.0.1.evil.example',
    '10.77.0.2:7480',
    'localhost.evil.example:7480',
    '127.0.0.1@evil.example',
    'evil.example#127.0.0.1',
    '[::1]evil',
    '',
    undefined,
  ])('a request for %s is not', (host) => expect(loopback.allowsHost(host)).toBe(false))
})

describe('behind mutual TLS', () => {
  test('the names of the certificate are let in, and no loopback', () => {
    expect(tunnel.allowsHost('10.77.0.2:7480')).toBe(true)
    expect(tunnel.allowsHost('azure:7480')).toBe(true)
    expect(tunnel.allowsHost('localhost:7480')).toBe(false)
    expect(tunnel.allowsHost('evil.example:7480')).toBe(false)
  })

  test('the page itself may open a WebSocket, and only by https', () => {
    expect(tunnel.allowsOrigin('https://azure:7480', 'azure:7480')).toBe(true)
    expect(tunnel.allowsOrigin('http://azure:7480', 'azure:7480')).toBe(false)
  })
})

test.each([
  ['http://127.0.0.1:7480', '127.0.0.1:7480', true],
  ['http://localhost:9000', 'localhost:9000', true],
  ['http://localhost:9001', 'localhost:9000', false],
  ['http://localhost:7480', '127.0.0.1:7480', false],
  ['https://127.0.0.1:7480', '127.0.0.1:7480', false],
  ['http://evil.example', '127.0.0.1:7480', false],
  ['http://evil.example:7480', 'evil.example:7480', false],
  ['null', '127.0.0.1:7480', false],
  [undefined, '127.0.0.1:7480', false],
])('a WebSocket from %s to %s is let in: %s', (origin, host, isLetIn) => {
  expect(loopback.allowsOrigin(origin, host)).toBe(isLetIn)
})
