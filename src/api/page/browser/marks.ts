import type { Mood } from '../model/questions.ts'
import { type Described, h } from './dom.ts'

type Mark = Mood | 'unknown'

const SHAPES: Readonly<Record<Mark, readonly string[]>> = {
  // Told apart by their shape too: not everybody sees the colour.
  good: ['M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1z', 'M4.6 8.3l2.3 2.3 4.5-4.9'],
  warn: ['M8 1.6 15.2 14.4H.8z', 'M8 6v4M8 12v.4'],
  bad: ['M5 1h6l4 4v6l-4 4H5l-4-4V5z', 'M5.4 5.4l5.2 5.2M10.6 5.4l-5.2 5.2'],
  unknown: [
    'M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1z',
    'M6.2 6.2a1.9 1.9 0 1 1 2.6 1.8c-.6.2-.8.6-.8 1.2M8 11.6v.4',
  ],
}

const WORDS: Readonly<Record<Mark, string>> = {
  good: 'good',
  warn: 'warning',
  bad: 'bad',
  unknown: 'unknown',
}

export function mark(mood: Mark): Described {
  const [shape = '', sign = ''] = SHAPES[mood]
  return h(
    'svg',
    { class: `mark ${mood}`, viewBox: '0 0 16 16', role: 'img', 'aria-label': WORDS[mood] },
    h('path', { class: 'shape', d: shape }),
    h('path', { class: 'sign', d: sign }),
  )
}
