import { describe, expect, test } from 'vitest'
import { PasswordGuesses } from '../../../../src/relay/login/password-guesses.ts'
import { FakeClock } from '../../../helpers/fake-clock.ts'

function waits(guesses: PasswordGuesses, address: string, count: number): number[] {
  return Array.from({ length: count }, () => guesses.wrongMs(address))
}

describe('the wait for the answer to a wrong password', () => {
  test('grows with each one of an address, up to a cap', () => {
    const guesses = new PasswordGuesses({ clock: new FakeClock() })
    expect(waits(guesses, '10.0.0.1', 10)).toEqual([
      ...[0, 0, 0, 200, 400, 800, 1_600, 3_200, 5_000, 5_000],
    ])
    expect(guesses.wrongMs('10.0.0.2')).toBe(0)
  })

  test('begins anew after a right one, and after a long time', async () => {
    const clock = new FakeClock()
    const guesses = new PasswordGuesses({ clock })
    waits(guesses, '10.0.0.1', 9)
    guesses.right('10.0.0.1')
    expect(waits(guesses, '10.0.0.1', 4)).toEqual([0, 0, 0, 200])
    await clock.advance(600_000)
    expect(guesses.wrongMs('10.0.0.1')).toBe(0)
  })
})
