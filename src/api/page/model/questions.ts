import type { GatewayStatus, Verdict } from '../../../status/status.ts'
import type { ViewMessage } from '../protocol.ts'
import { shortAge } from './format.ts'
import { isOld, type Side, sidesOf } from './streams.ts'

export type Mood = Verdict['mood']

/** One of the questions of the person on call, with the answer of whoever can know it. */
export interface Question {
  /** Stays the same from view to view. */
  readonly key: string
  readonly title: string
  /** The stream, and the copy where there are several. Empty: there is nothing to tell apart. */
  readonly about: string
  readonly mood: Mood
  /** One word. */
  readonly word: string
  readonly answer: string
  /** Set: the answer is that old. */
  readonly old: string | null
}

const TITLES: Readonly<Record<string, string>> = {
  tunnel: 'Is it up?',
  lag: 'How far behind?',
  loss: 'What would be lost now?',
  failover: 'Can the copy take over?',
}

const WORDS: Readonly<Record<string, Readonly<Record<Mood, string>>>> = {
  tunnel: { good: 'Up', warn: 'Partly', bad: 'Down' },
  lag: { good: 'Close', warn: 'Behind', bad: 'Behind' },
  loss: { good: 'Little', warn: 'Exposed', bad: 'Exposed' },
  failover: { good: 'Yes', warn: 'Not now', bad: 'No' },
}

/** The judgement is the gateways': of a stream that of each copy, which alone can know. */
export function questionsOf(view: ViewMessage): Question[] {
  const sides = sidesOf(view)
  return view.status.verdicts.flatMap((own): Question[] => {
    const asked = copiesOf(own, view.status, sides)
    if (asked.length === 0) return [questionOf(own, sides[0], '')]
    return asked.map(({ side, verdict }) => {
      const name = own.stream ?? view.status.streams[0]?.name
      const text = asked.length > 1 ? `${name} at ${side.gateway}` : (own.stream ?? '')
      return questionOf(verdict ?? { ...own, mood: 'warn' }, side, text)
    })
  })
}

/** Who has to be asked, where this gateway cannot know it itself. */
function copiesOf(
  own: Verdict,
  status: GatewayStatus,
  sides: readonly Side[],
): { readonly side: Side; readonly verdict: Verdict | null }[] {
  if (own.question === 'tunnel') return []
  const name = own.stream ?? status.streams[0]?.name
  const stream = status.streams.find((one) => one.name === name)
  if (stream === undefined || stream.role === 'copy') return []
  return stream.copies.flatMap(({ peer }) => {
    const side = sides.find(({ gateway }) => gateway === peer)
    return side === undefined ? [] : [{ side, verdict: verdictOf(own, name ?? '', side) }]
  })
}

function verdictOf(own: Verdict, stream: string, { status }: Side): Verdict | null {
  if (status === null) return null
  const isCopy = status.streams.some(({ name, role }) => name === stream && role === 'copy')
  const only = status.streams.length === 1 ? null : stream
  const found = status.verdicts.find((one) => one.question === own.question && one.stream === only)
  return isCopy ? (found ?? null) : null
}

function questionOf(verdict: Verdict, side: Side | undefined, about: string): Question {
  const { question, stream } = verdict
  const old = side !== undefined && isOld(side)
  const heard = side?.ageMs ?? null
  const mood = old && verdict.mood === 'good' ? 'warn' : verdict.mood
  const when = heard === null ? 'not heard yet' : `as ${side?.gateway} said it ${shortAge(heard)}`
  return {
    key: `${question} ${stream ?? ''} ${side?.gateway ?? ''}`,
    title: TITLES[question] ?? question,
    about: about === '' ? (stream ?? '') : about,
    mood,
    word: WORDS[question]?.[mood] ?? mood,
    answer: verdict.answer,
    old: old ? when : null,
  }
}
