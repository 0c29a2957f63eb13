import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, beforeEach, expect, onTestFailed, test } from 'vitest'
import { buildImage, ContainerPair, NAMES } from '../helpers/docker/container-pair.ts'
import { baseImageObstacle, importBaseImage } from '../helpers/docker/docker-base-image.ts'
import { DockerEngine, NoEngine } from '../helpers/docker/docker-engine.ts'
import { describeFlavors } from '../helpers/needs.ts'

const SITES = ['production', 'dr'] as const
const NET_ADMIN = '0000000000001000'

/*
 * The image and docker-compose.yml on a real engine of the test's own. Where there can be none, or
 * nothing to build from, each test is skipped with the reason, which the closing lines name.
 */
let obstacle = DockerEngine.obstacle() ?? baseImageObstacle()
let engine: DockerEngine

beforeAll(async () => {
  if (obstacle !== null) return
  try {
    engine = await DockerEngine.start()
  } catch (error) {
    if (!(error instanceof NoEngine)) throw error
    obstacle = error.message
    return
  }
  await importBaseImage(engine)
  await buildImage(engine)
})
beforeEach(({ task, skip }) => {
  if (obstacle === null) return
  Object.assign(task.meta, { skipReason: obstacle })
  skip(obstacle)
})
afterAll(() => engine?.stop())

test('can be read by the gateway’s user, and needs NET_ADMIN for the tunnel alone', async () => {
  const run = ['run', '--rm', '--network', 'none']
  const unreadable = ['lb-gateway', '/opt/landbridge', '!', '-readable']
  const asUser = ['--user', '10001:10001', '--entrypoint', 'find']
  expect(await engine.docker(...run, ...asUser, ...unreadable)).toBe('')
  expect(await engine.docker(...run, 'lb-gateway', 'version')).toMatch(/^landbridge \d/)
})

describeFlavors('a pair in containers, for %s', (flavor) => {
  let pair: ContainerPair

  beforeAll(async () => {
    if (obstacle === null) pair = await ContainerPair.create(engine, flavor)
  })
  beforeEach(() => onTestFailed(async () => console.error(await pair.logTails())))
  afterAll(() => pair?.stop())

  test('becomes healthy, as user 10001 with one capability', async () => {
    for (const site of SITES) {
      const name = pair.container(site)
      const health = ['inspect', '--format', '{{.State.Health.Status}}', name]
      await engine.until(health, (output) => output.trim() === 'healthy')
      const processes = await engine.docker('top', name, '-eo', 'pid,args')
      const [, pid] = /^(\d+)\s+\S*node .* run --config/m.exec(processes) ?? []
      const status = await readFile(`/proc/${pid}/status`, 'utf8')
      expect(status).toMatch(/^Uid:\s+10001\s+10001\s+10001\s+10001$/m)
      expect(status).toMatch(/^Gid:\s+10001\s+10001\s+10001\s+10001$/m)
      for (const set of ['Prm', 'Eff', 'Bnd']) expect(status).toContain(`Cap${set}:\t${NET_ADMIN}`)
      expect(status).toMatch(/^NoNewPrivs:\s+1$/m)
    }
  })

  test('feeds a replica that is attached from within', async () => {
    await pair.write(200)
    expect(await pair.attach()).toContain('the replica follows this relay')
    expect(await pair.compareTables()).toMatchObject({ equal: true, tables: 1, rows: 200 })
    await engine.until(['exec', pair.container('dr'), 'landbridge', 'status'], (output) =>
      output.startsWith(`${NAMES.dr} (dr): ok`),
    )
  })

  test.each(SITES)('ends by itself when the %s gateway is told to stop', async (site) => {
    const name = pair.container(site)
    await engine.docker('stop', name)
    expect(await engine.docker('inspect', '--format', '{{.State.ExitCode}}', name)).toBe('0')
    await pair.write(20)
    await engine.docker('start', name)
    expect(await pair.compareTables()).toMatchObject({ equal: true })
  })

  test.each(SITES)('goes on where it was when the %s container is replaced', async (site) => {
    await engine.docker('kill', pair.container(site))
    await pair.write(20)
    await pair.run(site)
    expect(await pair.compareTables()).toMatchObject({ equal: true })
  })

  test('holds the same bytes as the source', async () => {
    expect(await pair.compareSpool()).toMatchObject({ identical: true, failures: [] })
  })
})
