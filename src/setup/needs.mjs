import { basename } from 'node:path'

/**
 * What each command needs of the machine. Pure: `machine` says what is there.
 *
 * @typedef {{ package: string, programs: string[] }} DebianNeed
 * @typedef {{ package: string, program: string, beside?: BesideNeed }} SidNeed
 * @typedef {{ folder: string, packages: string[], libraries: string[] }} BesideNeed
 * @typedef {{ package: string, program: string }} UnpackedNeed
 */

const MARIADB = [
  { package: 'mariadb-server', programs: ['mariadbd', 'mariadb-install-db'] },
  { package: 'mariadb-client', programs: ['mariadb', 'mariadb-binlog'] },
]
const NETWORK = [
  { package: 'iproute2', programs: ['ip', 'tc'] },
  { package: 'nftables', programs: ['nft'] },
  { package: 'wireguard-tools', programs: ['wg'] },
  { package: 'procps', programs: ['ps', 'sysctl'] },
]
const DISK = [{ package: 'e2fsprogs', programs: ['mkfs.ext4'] }]
/** For the tests of the web page. */
const BROWSER = [{ package: 'chromium', programs: ['chromium'] }]
const CERTIFICATES = [{ package: 'openssl', programs: ['openssl'] }]
/** Ubuntu's debootstrap would take sid unverified without the keyring. */
const DEBIAN_KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'
const BOOTSTRAP = [
  { package: 'debootstrap', programs: ['debootstrap'] },
  { package: 'debian-archive-keyring', programs: [DEBIAN_KEYRING] },
]

const SID_MYSQL = [
  { package: 'mysql-server-core', program: 'usr/sbin/mysqld' },
  { package: 'mysql-client-core', program: 'usr/bin/mysqlbinlog' },
]
/**
 * A newer MariaDB than the machine's own. Debian lets it and MySQL not be installed in one root, so
 * that its packages are only unpacked, in a folder of their own beside what they depend on.
 */
const SID_NEWER_MARIADB = [
  {
    package: 'mariadb-server-core',
    program: 'opt/mariadb/usr/sbin/mariadbd',
    beside: {
      folder: 'opt/mariadb',
      packages: ['mariadb-server-core', 'mariadb-client-core', 'mariadb-client'],
      libraries: ['liburing2', 'libpcre2-posix3', 'libmariadb3', 'libncurses6', 'libedit2'],
    },
  },
]
const SID_WIREGUARD = [{ package: 'wireguard-go', program: 'usr/bin/wireguard-go' }]

/**
 * Only promtool is wanted: the package would bring a server that starts, and fonts. So it is
 * unpacked in the cache, and nothing of it is installed.
 */
const PROMETHEUS = [{ package: 'prometheus', program: 'usr/bin/promtool' }]

/** With what the Dockerfile installs, the root is the base of an image without a registry. */
export const SID_CONTAINER = [
  ...SID_WIREGUARD,
  { package: 'iproute2', program: 'usr/bin/ip' },
  { package: 'wireguard-tools', program: 'usr/bin/wg' },
  { package: 'nftables', program: 'usr/sbin/nft' },
]

const packagesOf = (...needs) => needs.flat().map((need) => need.package)

/** Without which a test that declares the need (test/helpers/needs.ts) cannot run. */
export const PACKAGES_OF_NEED = {
  root: packagesOf(NETWORK, SID_WIREGUARD, DISK),
  mariadb: packagesOf(MARIADB, CERTIFICATES),
  'newer-mariadb': packagesOf(SID_NEWER_MARIADB, CERTIFICATES),
  mysql: packagesOf(SID_MYSQL, CERTIFICATES),
  promtool: packagesOf(PROMETHEUS),
  browser: packagesOf(BROWSER),
}

/** Steps and projects of the test command that run real servers. */
const REAL_SERVERS = /parallel|integration|browser|alone|long|docker/

export const COMMANDS = ['demo', 'chaos', 'test', 'fuzz', 'bench', 'lab']

/**
 * @returns {{ flavors: string[], root: boolean, debian: DebianNeed[], sid: SidNeed[],
 *   unpacked: UnpackedNeed[] }}
 */
export function needsOf(command, args, machine) {
  const nothing = { flavors: [], root: false, debian: [], sid: [], unpacked: [] }
  if (asksOnly(command, args)) return nothing
  const only = optionOf(args, '--only')
  if (command === 'test' && only !== undefined && !REAL_SERVERS.test(only)) return nothing
  const flavors = flavorsOf(command, args)
  // The throttle is measured in a lab.
  const root = command !== 'bench' || args.includes('throttle')
  const sid = [
    ...(flavors.includes('mysql') && !machine.hasRecentMysql() ? SID_MYSQL : []),
    ...(buildsImage(command, args, machine) ? SID_CONTAINER : root ? SID_WIREGUARD : []),
    ...(command === 'test' ? SID_NEWER_MARIADB : []),
  ].filter((need) => !machine.hasInSid(need.program))
  const debian = [
    ...(flavors.includes('mariadb') ? MARIADB : []),
    ...(root ? NETWORK : []),
    ...(command === 'chaos' || command === 'test' ? DISK : []),
    ...(needsBrowser(command, only) ? BROWSER : []),
    ...CERTIFICATES,
    ...(sid.length > 0 && !machine.hasSid() ? BOOTSTRAP : []),
  ].filter((need) => !need.programs.every((program) => machine.hasProgram(program)))
  const unpacked = (command === 'test' ? PROMETHEUS : []).filter(({ program }) => {
    return !machine.hasProgram(basename(program)) && !machine.hasUnpacked(program)
  })
  return { flavors, root, debian, sid, unpacked }
}

/** All packages of what `needsOf` answers. */
export const packagesIn = ({ debian, sid, unpacked }) => packagesOf(debian, sid, unpacked)

/** Half a gigabyte with what it depends on: only where a test of the page may run. */
function needsBrowser(command, only) {
  return command === 'test' && (only === undefined || /parallel|browser/.test(only))
}

/** Help, fuzzing, and the words of the lab that only look or take down, need nothing but Node. */
function asksOnly(command, args) {
  if (['--help', '-h', '--plan'].some((flag) => args.includes(flag))) return true
  if (command === 'fuzz') return true
  return command === 'lab' && args.find((word) => !word.startsWith('-')) !== 'up'
}

/** An engine is used where there is one, and never installed: that would change the machine. */
function buildsImage(command, args, machine) {
  const isAsked = args.includes('--docker') || /\bdocker\b/.test(optionOf(args, '--only') ?? '')
  return command === 'test' && isAsked && machine.hasProgram('dockerd')
}

function flavorsOf(command, args) {
  const chosen = optionOf(args, '--flavor')
  if (chosen === 'mysql' || chosen === 'mariadb') return [chosen]
  return command === 'test' || chosen === 'both' ? ['mariadb', 'mysql'] : ['mariadb']
}

/** Value of `--name value` or `--name=value`, the last one given. */
export function optionOf(args, name) {
  let value
  args.forEach((word, index) => {
    if (word === name) value = args[index + 1]
    else if (word.startsWith(`${name}=`)) value = word.slice(name.length + 1)
  })
  return value
}
