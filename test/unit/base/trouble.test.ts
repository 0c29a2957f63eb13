import { expect, test } from 'vitest'
import { LandbridgeError } from '../../../src/base/errors.ts'
import { Trouble } from '../../../src/base/trouble.ts'
import { problemOf } from '../../../src/status/problem-of.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'

const full = (text: string) => new LandbridgeError('ERR_DISK_FULL', text, { remedy: 'make room' })

test('a trouble has one beginning, however often it is met and in whichever words', async () => {
  const clock = new FakeClock(5_000)
  const trouble = new Trouble(clock)
  expect(trouble.now).toBeNull()
  expect(trouble.met(full('no room'))).toBe('begun')
  await clock.advance(1_000)
  expect(trouble.met(full('no room'))).toBe('same')
  expect(trouble.met(full('no inode'))).toBe('changed')
  expect(trouble.now).toMatchObject({ sinceMs: 5_000, error: { message: 'no inode' } })
  expect(trouble.met(new Error('something else'))).toBe('begun')
  expect(trouble.now?.sinceMs).toBe(6_000)
  trouble.over()
  expect(trouble.now).toBeNull()
  expect(trouble.met(full('no room'))).toBe('begun')
})

test('what the status reports of it has its code, its remedy and all causes', () => {
  const error = new LandbridgeError('ERR_SPOOL_WRITE', 'cannot write', {
    cause: new Error('EIO'),
    remedy: 'look at the disk',
  })
  const trouble = { error, sinceMs: 7 }
  expect(problemOf(trouble, { severity: 'error', where: 'spool:main' })).toEqual({
    code: 'ERR_SPOOL_WRITE',
    severity: 'error',
    where: 'spool:main',
    message: 'cannot write: EIO',
    remedy: 'look at the disk',
    sinceMs: 7,
  })
})
