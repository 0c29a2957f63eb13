import type { HelloMessage, ViewMessage } from '../protocol.ts'
import { shortDuration } from './format.ts'
import { problemsOf, worstOf } from './problems.ts'
import { type Mood, questionsOf } from './questions.ts'

export interface HeadFacts {
  readonly hello: HelloMessage | null
  readonly view: ViewMessage | null
  /** Nothing was heard of the gateway just now. */
  readonly isOld: boolean
  readonly ageMs: number | null
}

export interface Head {
  /** Which gateway this is of. */
  readonly where: string
  readonly mood: Mood | 'unknown'
  readonly state: string
  /** Set: why what is shown is not of now. */
  readonly lost: string | null
  /** Of the document: read in a row of tabs. */
  readonly title: string
}

const MOODS = { ok: 'good', degraded: 'warn', blocked: 'bad' } as const
const STATES = { ok: 'all is well', degraded: 'degraded', blocked: 'blocked' } as const

/** Without word from its gateway, nothing on the page is said to be so now. */
export function headOf({ hello, view, isOld, ageMs }: HeadFacts): Head {
  const worst = view === null ? null : worstOf(problemsOf(view))
  const isKnown = worst !== null && !isOld
  const mood = isKnown ? MOODS[worst] : 'unknown'
  const state = isKnown ? STATES[worst] : worst === null ? 'connecting' : 'not known now'
  const where = whereOf(hello)
  const sign = mood === 'good' ? '●' : mood === 'unknown' ? '…' : '▲'
  const title = [`${sign} ${state}`, where, 'landbridge'].filter((part) => part !== '').join(' · ')
  return { where, mood, state, lost: isOld ? lostText(ageMs) : null, title }
}

/** For a screen reader: the answers in a word each. */
export function spokenAnswers(view: ViewMessage): string {
  const answers = questionsOf(view).map(({ title, about, word }) => {
    return `${[title, about, word].filter((part) => part !== '').join(' ')}.`
  })
  const { length } = problemsOf(view)
  return [...answers, length === 0 ? 'Nothing is wrong.' : `Problems: ${length}.`].join(' ')
}

function whereOf(hello: HelloMessage | null): string {
  if (hello === null) return ''
  const { gateway, site } = hello
  return site === gateway ? site : `${gateway} at ${site}`
}

function lostText(ageMs: number | null): string {
  if (ageMs === null) return 'Connecting to the gateway…'
  const age = shortDuration(Math.floor(ageMs / 1_000) * 1_000)
  return `No word from the gateway: what you see is ${age} old. Trying again…`
}
