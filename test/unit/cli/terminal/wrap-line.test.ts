import { expect, test } from 'vitest'
import { wrapLine } from '../../../../src/cli/terminal/wrap-line.ts'

test('what fits stays as it is', () => {
  expect(wrapLine('  lag   none', 12)).toEqual(['  lag   none'])
  expect(wrapLine('', 5)).toEqual([''])
})

test('breaks between words, and goes on below the beginning of the text', () => {
  expect(wrapLine('  lag   none known, all is exposed', 24)).toEqual([
    '  lag   none known, all',
    '        is exposed',
  ])
  expect(wrapLine('    remedy: see that it runs', 18)).toEqual([
    '    remedy: see',
    '      that it runs',
  ])
})

test('colours take no column, and a word that is too wide stays whole', () => {
  const red = '\u001b[31m'
  expect(wrapLine(`${red}ab cd\u001b[0m`, 5)).toHaveLength(1)
  expect(wrapLine(`${red}ab cd ef\u001b[0m`, 5)).toEqual([`${red}ab cd`, ' ef\u001b[0m'])
  expect(wrapLine('abcdefgh ij', 6)).toEqual(['abcdefgh', '  ij'])
})
