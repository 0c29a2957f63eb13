import { LandbridgeError } from './errors.ts'

/** The two server families. Anything that differs between them is decided in one place each. */
export type Flavor = 'mysql' | 'mariadb'

/** Both ends of a link refuse it, each before it changes anything. */
export function otherFlavor(spool: string, held: Flavor, source: Flavor): LandbridgeError {
  return new LandbridgeError(
    'ERR_SPOOL_FLAVOR',
    `${spool} holds a ${held} stream, the source is ${source}`,
    {
      remedy:
        'Point the stream at the source that the spool is of, or give it a new' +
        ' `spool.directory` for this one. Nothing was changed or removed.',
    },
  )
}
