import { describe, expect, test } from 'vitest'
import { ASKED_STEPS, STEPS, selectSteps } from '../../../helpers/runner/steps.ts'

function selected(...args: string[]) {
  const selection = selectSteps(args)
  if ('problem' in selection) return selection.problem
  return selection.steps.map((step) =>
    step.kind === 'command' ? step.name : `${step.name}(${step.projects.join(' ')})`,
  )
}

describe('selectSteps', () => {
  test('takes all ordinary steps, or the named ones in their own order', () => {
    const selection = selectSteps([])
    expect(selection).toEqual({ steps: STEPS, changedSince: null, isWhole: true })
    expect(selected('--only', 'tidy,types')).toEqual(['types', 'tidy(tidy)'])
    expect(selected('--only=tidy', '--only=lint')).toEqual(['lint', 'tidy(tidy)'])
  })

  test('takes single projects of a step', () => {
    expect(selected('--only', 'fuzz,unit')).toEqual(['parallel(unit fuzz)'])
    expect(selected('--only', 'parallel')).toEqual([
      'parallel(unit scenarios fuzz integration browser)',
    ])
  })

  test('runs what takes long, or an engine, alone, and only when it is asked for', () => {
    for (const { name } of ASKED_STEPS) {
      expect(STEPS.map((step) => step.name)).not.toContain(name)
      expect(selected(`--${name}`)).toEqual([`${name}(${name})`])
      expect(selected('--only', name)).toEqual([`${name}(${name})`])
    }
  })

  test('reads since when a change counts', () => {
    expect(selectSteps(['--changed'])).toMatchObject({ changedSince: 'HEAD', isWhole: false })
    expect(selectSteps(['--changed=main'])).toMatchObject({ changedSince: 'main', steps: STEPS })
  })

  test('refuses what it does not know', () => {
    expect(selected('--only', 'unit,units')).toBe('there is no step units')
    expect(selected('--only')).toBe('--only names no step')
    expect(selected('--watch')).toBe('unknown argument --watch')
  })
})
