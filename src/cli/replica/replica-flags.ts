import { InvalidArgumentError } from 'commander'
import {
  CHANNEL_CHARACTERS_MAX,
  DELAY_SECONDS_MAX,
  HOST_CHARACTERS_MAX,
  PATH_CHARACTERS_MAX,
  WAIT_SECONDS_MAX,
} from '../../gateway/replica-schemas.ts'

/*
 * What the flags of `landbridge replica` take, which is what the operations take.
 */

export function hostOf(text: string): string {
  const fits = text !== '' && text.length <= HOST_CHARACTERS_MAX
  if (fits) return text
  throw new InvalidArgumentError(`A host name or address, up to ${HOST_CHARACTERS_MAX} characters.`)
}

export function pathOf(text: string): string {
  const fits = text !== '' && text.length <= PATH_CHARACTERS_MAX
  if (fits) return text
  throw new InvalidArgumentError(`A path of up to ${PATH_CHARACTERS_MAX} characters.`)
}

/** The empty name is that of the connection without one. */
export function channelOf(text: string): string {
  if (text.length <= CHANNEL_CHARACTERS_MAX) return text
  throw new InvalidArgumentError(`A name of up to ${CHANNEL_CHARACTERS_MAX} characters.`)
}

export function delayOf(text: string): number {
  const seconds = Number(text)
  if (!/^\d+$/.test(text) || seconds > DELAY_SECONDS_MAX) {
    throw new InvalidArgumentError(`A whole number of seconds up to ${DELAY_SECONDS_MAX}.`)
  }
  return seconds
}

export function secondsOf(text: string): number {
  const seconds = Number(text)
  if (!(seconds >= 1 && seconds <= WAIT_SECONDS_MAX)) {
    throw new InvalidArgumentError(`1 to ${WAIT_SECONDS_MAX} seconds.`)
  }
  return seconds
}
