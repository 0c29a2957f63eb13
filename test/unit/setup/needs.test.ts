import { describe, expect, test } from 'vitest'
import { isRecentMysql } from '../../../src/setup/machine.mjs'
import { needsOf } from '../../../src/setup/needs.mjs'
import { mirrorOf } from '../../../src/setup/sid-root.mjs'

const bare = {
  hasProgram: () => false,
  hasSid: () => false,
  hasInSid: () => false,
  hasUnpacked: () => false,
  hasRecentMysql: () => false,
}
const full = {
  hasProgram: () => true,
  hasSid: () => true,
  hasInSid: () => true,
  hasUnpacked: () => true,
  hasRecentMysql: () => false,
}

const names = (needs: readonly { readonly package: string }[]) =>
  needs.map((need) => need.package).join(' ')

describe('needsOf', () => {
  test('gives a MariaDB demo no MySQL, but a root of sid for wireguard-go', () => {
    const { debian, sid, root } = needsOf('demo', [], bare)
    expect(names(debian)).toBe(
      'mariadb-server mariadb-client iproute2 nftables wireguard-tools procps openssl ' +
        'debootstrap debian-archive-keyring',
    )
    expect(names(sid)).toBe('wireguard-go')
    expect(root).toBe(true)
  })

  test('gives a MySQL demo no MariaDB', () => {
    const { debian, sid } = needsOf('demo', ['--seconds', '5', '--flavor=mysql'], bare)
    expect(names(debian)).not.toContain('mariadb')
    expect(names(sid)).toBe('mysql-server-core mysql-client-core wireguard-go')
  })

  test('takes a recent mysqld on PATH instead of the one of sid', () => {
    const machine = { ...bare, hasRecentMysql: () => true }
    expect(names(needsOf('test', [], machine).sid)).toBe('wireguard-go mariadb-server-core')
  })

  test('unpacks a newer MariaDB for tests only, beside the MySQL that it cannot live with', () => {
    const [mysql, newer] = needsOf('test', [], { ...bare, hasSid: () => true }).sid.filter(
      ({ program }) => program.endsWith('d'),
    )
    expect([mysql?.beside, newer?.beside?.folder]).toEqual([undefined, 'opt/mariadb'])
    expect(newer?.program).toContain(`${newer?.beside?.folder}/`)
    expect(names(needsOf('demo', ['--flavor=both'], bare).sid)).not.toContain('mariadb')
  })

  test('gives a root of sid what an image is made from where an engine can run it', () => {
    const without = { ...bare, hasRecentMysql: () => true }
    const sidOf = (args: string[], machine: typeof full) =>
      names(needsOf('test', args, machine).sid)
    const withEngine = { ...without, hasProgram: () => true }
    const image = 'wireguard-go iproute2 wireguard-tools nftables mariadb-server-core'
    expect(sidOf(['--docker'], withEngine)).toBe(image)
    expect(sidOf(['--only', 'unit,docker'], withEngine)).toBe(image)
    for (const names of [sidOf(['--long'], withEngine), sidOf(['--docker'], without)]) {
      expect(names).toBe('wireguard-go mariadb-server-core')
    }
  })

  test('unpacks promtool for tests only, where there is none', () => {
    expect(names(needsOf('test', [], bare).unpacked)).toBe('prometheus')
    expect(names(needsOf('demo', [], bare).unpacked)).toBe('')
    const installed = { ...bare, hasProgram: (name: string) => name === 'promtool' }
    expect(names(needsOf('test', [], installed).unpacked)).toBe('')
    const unpacked = { ...bare, hasUnpacked: (path: string) => path === 'usr/bin/promtool' }
    expect(names(needsOf('test', [], unpacked).unpacked)).toBe('')
  })

  test('gives a browser to tests of the page, and to nothing else', () => {
    const debianOf = (command: string, args: string[]) => names(needsOf(command, args, bare).debian)
    expect(debianOf('test', [])).toContain('chromium')
    expect(debianOf('test', ['--only', 'browser'])).toContain('chromium')
    expect(debianOf('test', ['--only', 'integration,alone'])).not.toContain('chromium')
    expect(debianOf('demo', [])).not.toContain('chromium')
  })

  test('adds to an existing root without debootstrap', () => {
    const machine = { ...full, hasInSid: (path: string) => path.includes('wireguard') }
    const { debian, sid } = needsOf('demo', ['--flavor', 'mysql'], machine)
    expect(names(debian)).toBe('')
    expect(names(sid)).toBe('mysql-server-core mysql-client-core')
  })

  test('needs nothing when all is there, for help, and for tests without servers', () => {
    const nothing = { debian: [], sid: [], unpacked: [] }
    expect(needsOf('test', [], full)).toMatchObject(nothing)
    expect(needsOf('demo', ['--help'], bare)).toMatchObject(nothing)
    expect(needsOf('lab', ['status'], bare)).toMatchObject({ ...nothing, root: false })
    expect(needsOf('test', ['--only', 'unit,tidy'], bare)).toMatchObject({
      ...nothing,
      root: false,
    })
    expect(needsOf('test', ['--only=unit,integration'], bare).root).toBe(true)
    expect(needsOf('test', ['--only=long'], bare).root).toBe(true)
  })
})

test('the version tells MySQL from MariaDB under its name, and old from new', () => {
  expect(isRecentMysql('mysqld  Ver 9.7.4-2 for Linux on x86_64 ((Debian))')).toBe(true)
  expect(isRecentMysql('mysqld  Ver 8.4.0 for Linux on x86_64 (MySQL Community)')).toBe(true)
  expect(isRecentMysql('mysqld  Ver 8.0.36 for Linux on x86_64')).toBe(false)
  expect(isRecentMysql('mysqld  Ver 10.11.19-MariaDB-0+deb12u1 for debian-linux-gnu')).toBe(false)
  expect(isRecentMysql('')).toBe(false)
})

test("the mirror is apt's own of Debian, not that of updates or of others", () => {
  const lines = [
    'Example nodistro http://packages.example/',
    'Debian bookworm-security http://mirror.example/debian-security/',
    'Debian bookworm http://mirror.example/debian/',
  ]
  expect(mirrorOf(lines.join('\n'))).toBe('http://mirror.example/debian/')
  expect(mirrorOf('Ubuntu noble http://mirror.example/ubuntu/\n')).toBeUndefined()
})
