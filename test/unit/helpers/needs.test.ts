import { afterEach, expect, test, vi } from 'vitest'

afterEach(() => {
  vi.unstubAllEnvs()
  vi.resetModules()
})

test('what cannot be had here is skipped, with the reason', async () => {
  const missing = [{ root: false, packages: ['mysql-server-core'], reason: 'why', remedy: 'how' }]
  vi.stubEnv('LANDBRIDGE_MISSING', JSON.stringify(missing))
  const { needs } = await import('../../helpers/needs.ts')
  expect(needs('mysql')).toEqual({ skip: true, meta: { skipReason: 'why; how' } })
  expect(needs('mariadb')).toEqual({})
})
