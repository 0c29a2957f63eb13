import { expect, test } from 'vitest'
import { planOf } from '../../../../src/cli/init/init-plan.ts'
import { askAll } from '../../../../src/cli/init/init-questions.ts'

const OPTIONS = { directory: '.', sites: ['ec2', 'azure'], dataDir: '/var/lib/landbridge' }

/** Answers in order, an empty one for all that follow; and what was asked. */
function person(...answers: readonly string[]) {
  const asked: string[] = []
  const left = [...answers]
  const ask = async (question: string, proposal: string): Promise<string> => {
    asked.push(`${question.split('\n').at(-1)} [${proposal}]`)
    return left.shift() || proposal
  }
  return { ask, asked }
}

test('asks of each site what is of that site, and who may take over', async () => {
  const answers = ['tokyo, paris', '198.51.100.20', 'db.example.net', '/ca.pem', '', '', '', '']
  const { ask, asked } = person(...answers, 'tokyo')
  const plan = planOf(await askAll(OPTIONS, ask))
  expect(asked).toEqual([
    'Names of the sites, the origin first [ec2,azure]',
    'Public address of tokyo, host:port (empty: it only dials) []',
    'The database at tokyo, host:port (empty: to be written into the file) []',
    'PEM file of who signed its certificate (empty: a public authority, or not known yet) []',
    'Where the gateway at tokyo listens for its database, as a copy, host:port [0.0.0.0:3307]',
    'Public address of paris, host:port (empty: it only dials) []',
    'The database at paris, host:port (empty: there is none yet) []',
    'Where the gateway at paris listens for its database, as a copy, host:port [0.0.0.0:3307]',
    'Which sites may take over (names, or none) [tokyo,paris]',
  ])
  expect(plan).toMatchObject({
    origin: 'tokyo',
    gateways: [
      {
        name: 'tokyo',
        endpoint: { host: '198.51.100.20', port: 51_820 },
        database: { host: 'db.example.net', port: 3306 },
        databaseCa: '/ca.pem',
        mayTakeOver: true,
      },
      { name: 'paris', endpoint: null, database: null, mayTakeOver: false },
    ],
  })
})

test('proposes what flags and files say, and asks of one site where it is --only', async () => {
  const { ask, asked } = person()
  const plan = planOf(
    await askAll(
      {
        ...OPTIONS,
        only: 'azure',
        endpoint: ['azure=203.0.113.20:4500'],
        foundOrigin: 'azure',
        foundWithoutTakeOver: ['ec2', 'azure'],
      },
      ask,
    ),
  )
  expect(asked.join()).not.toContain('at ec2')
  expect(asked[1]).toBe(
    'Public address of azure, host:port (empty: it only dials) [203.0.113.20:4500]',
  )
  // An empty answer allows nobody what the peer files refuse.
  expect(asked.at(-1)).toBe('Which sites may take over (names, or none) [none]')
  expect(plan).toMatchObject({ origin: 'azure', gateways: [{}, { endpoint: { port: 4500 } }] })
  expect(plan.gateways.map(({ mayTakeOver }) => mayTakeOver)).toEqual([false, false])
})
