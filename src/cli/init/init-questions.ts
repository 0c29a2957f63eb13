import { createInterface } from 'node:readline/promises'
import { LandbridgeError } from '../../base/errors.ts'
import { output } from '../terminal/terminal.ts'
import { DEFAULTS, type InitOptions, parseSites } from './init-plan.ts'

export type Ask = (question: string, proposal: string) => Promise<string>

/** What a person at a terminal is asked; every question proposes what the flags say. */
export async function askOptions(options: InitOptions): Promise<InitOptions> {
  const terminal = createInterface({ input: process.stdin })
  // Lines that were typed or pasted ahead of their question are kept, unlike with question().
  const lines = terminal[Symbol.asyncIterator]()
  const ask: Ask = async (question, proposal) => {
    output.write(`${question} [${proposal}]: `)
    const { value, done } = await lines.next()
    if (done === true) {
      throw new LandbridgeError('ERR_USAGE', 'the answers ended early', {
        remedy: 'answer all, or use --yes with flags',
      })
    }
    return value.trim() || proposal
  }
  try {
    return await askAll(options, ask)
  } finally {
    terminal.close()
  }
}

const TAKE_OVER = `
When the origin is lost, the database at another site can be made the origin. The other gateways
believe that only from gateways that may take over.
  With it, an old origin that comes back steps down by itself.
  Without it, a gateway that is mistaken or in wrong hands cannot make another site the origin.
Which sites may take over (names, or none)`

/** `ask` answers with the proposal where nothing is typed. Exported for its test. */
export async function askAll(options: InitOptions, ask: Ask): Promise<InitOptions> {
  const proposed = options.sites.join(',')
  const sites = parseSites(await ask('Names of the sites, the origin first', proposed))
  const known = options.origin ?? options.foundOrigin
  const origin = known !== undefined && sites.includes(known) ? known : sites[0]
  const endpoint: string[] = []
  const database: string[] = []
  const databaseCa: string[] = []
  const relayListen: string[] = []
  for (const name of options.only === undefined ? sites : [options.only]) {
    const one = async (values: string[], question: string, proposal: string) => {
      const answer = await ask(question, proposal)
      if (answer !== '') values.push(`${name}=${answer}`)
      return answer
    }
    if (options.externalTunnel !== true) {
      await one(
        endpoint,
        `Public address of ${name}, host:port (empty: it only dials)`,
        givenFor(options.endpoint, name),
      )
    }
    const empty = name === origin ? 'to be written into the file' : 'there is none yet'
    const proposal = givenFor(options.database, name)
    const at = await one(database, `The database at ${name}, host:port (empty: ${empty})`, proposal)
    if (at !== '') {
      await one(
        databaseCa,
        'PEM file of who signed its certificate (empty: a public authority, or not known yet)',
        givenFor(options.databaseCa, name),
      )
    }
    await one(
      relayListen,
      `Where the gateway at ${name} listens for its database, as a copy, host:port`,
      givenFor(options.relayListen, name) || DEFAULTS.relayListen,
    )
  }
  // What the files that are there refuse is not allowed again by an empty answer.
  const takers = sites.filter((name) => !options.foundWithoutTakeOver?.includes(name))
  const mayTakeOver = await ask(TAKE_OVER, options.mayTakeOver ?? (takers.join(',') || 'none'))
  return {
    ...options,
    sites,
    ...(origin !== undefined && { foundOrigin: origin }),
    endpoint,
    database,
    databaseCa,
    relayListen,
    mayTakeOver,
  }
}

function givenFor(values: readonly string[] | undefined, name: string): string {
  return values?.find((text) => text.startsWith(`${name}=`))?.slice(name.length + 1) ?? ''
}
