import { describe, expect, test } from 'vitest'
import { LoginPlaces, type Place } from '../../../../src/relay/login/login-places.ts'

const LIMITS = { loginsMax: 6, loginsPerAddressMax: 3, dumpsMax: 4, dumpsPerAddressMax: 3 }

function house() {
  const places = new LoginPlaces(LIMITS)
  const gone: string[] = []
  const enter = (address: string, name = address): Place => {
    const place = places.enter(address, () => gone.push(name))
    if (place === null) throw new Error('the house is full')
    return place
  }
  return { places, gone, enter }
}

describe('logins that do not dump', () => {
  test('of one address push each other out, whoever was silent for longest', () => {
    const { gone, enter } = house()
    const first = enter('1.1.1.1', 'first')
    enter('1.1.1.1', 'second')
    enter('1.1.1.1', 'third')
    first.touch()
    enter('1.1.1.1', 'fourth')
    expect(gone).toEqual(['second'])
    first.leave()
    first.touch()
    enter('1.1.1.1', 'fifth')
    expect(gone).toEqual(['second'])
  })

  test('push out one of the address that has most of them when all places are taken', () => {
    const { gone, enter } = house()
    enter('2.2.2.2')
    for (const name of ['a', 'b', 'c']) enter('1.1.1.1', name)
    for (const address of ['3.3.3.3', '4.4.4.4', '5.5.5.5']) enter(address)
    expect(gone).toEqual(['a'])
  })

  test('find no place only where there is none to be had', () => {
    const places = new LoginPlaces({ ...LIMITS, loginsMax: 0 })
    expect(places.enter('1.1.1.1', () => undefined)).toBeNull()
  })
})

describe('dumps', () => {
  const who = (key: string | null, seniority = Number.POSITIVE_INFINITY) => ({ key, seniority })

  test('leave the places of logins free', () => {
    const { gone, enter } = house()
    for (let at = 0; at < 3; at += 1) expect(enter('1.1.1.1').dump(who(`r${at}`))).toBe(true)
    for (let at = 0; at < 3; at += 1) enter('1.1.1.1')
    expect(gone).toEqual([])
  })

  test('of strangers are refused when an address has enough, or all places are taken', () => {
    const { gone, enter } = house()
    for (let at = 0; at < 3; at += 1) enter('1.1.1.1').dump(who(`r${at}`))
    const stranger = enter('1.1.1.1')
    expect(stranger.dump(who('r3'))).toBe(false)
    expect(enter('2.2.2.2').dump(who('r4'))).toBe(true)
    expect(enter('3.3.3.3').dump(who(null))).toBe(false)
    expect(gone).toEqual([])
  })

  test('of a replica that was served before take the place of the one known for less long', () => {
    const { gone, enter } = house()
    enter('1.1.1.1', 'old').dump(who('old', 1))
    enter('1.1.1.1', 'young').dump(who('young', 9))
    enter('1.1.1.1', 'middle').dump(who('middle', 5))
    expect(enter('1.1.1.1', 'younger').dump(who('younger', 10))).toBe(false)
    expect(enter('1.1.1.1', 'back').dump(who('back', 7))).toBe(true)
    expect(gone).toEqual(['young'])
  })

  test('of one replica count once', () => {
    const { gone, enter } = house()
    for (let at = 0; at < 3; at += 1) enter('1.1.1.1').dump(who(`r${at}`, at))
    expect(enter('1.1.1.1').dump(who('r1', 1))).toBe(true)
    expect(gone).toEqual([])
  })
})
