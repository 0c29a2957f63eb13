import { z } from 'zod'
import * as field from '../../config/fields.ts'
import { SECTIONS, STREAM_SECTIONS } from './sections.ts'

/** Each costs a session in each direction; a userspace WireGuard is asked for 64 at most. */
const PEERS_MAX = 32

/** What belongs to no part of the program alone; the sections are read by those they belong to. */
export const gatewaySchema = field.mapping({
  ...anything(SECTIONS),
  name: field.name,
  site: field.name,
  dataDir: field.folder,
  peersFolder: field.text('must be the path of the folder with the peer files').default('../peers'),
  peers: z
    .array(field.name, { error: 'must be a list of the names of gateways' })
    .min(1, { error: 'must name at least one gateway' })
    .max(PEERS_MAX, { error: `must name at most ${PEERS_MAX} gateways` }),
  streams: z.array(z.unknown(), { error: 'must be a list of streams' }).min(1, {
    error: 'must have at least one stream',
  }),
})

export const streamSchema = field.mapping({
  ...anything(STREAM_SECTIONS),
  name: field.name,
  origin: field.name,
})

function anything(sections: object): Readonly<Record<string, z.ZodOptional<z.ZodUnknown>>> {
  return Object.fromEntries(Object.keys(sections).map((name) => [name, z.unknown().optional()]))
}
