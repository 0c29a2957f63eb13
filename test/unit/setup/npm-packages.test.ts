import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { refuseLink } from '../../../src/setup/npm-packages.mjs'

test('never installs through a link, which would empty another checkout', () => {
  const folder = mkdtempSync(join(tmpdir(), 'lb-link-'))
  try {
    mkdirSync(join(folder, 'real'))
    symlinkSync(join(folder, 'real'), join(folder, 'link'))
    expect(() => refuseLink(join(folder, 'link'))).toThrow(/is a link/)
    refuseLink(join(folder, 'real'))
    refuseLink(join(folder, 'missing'))
  } finally {
    rmSync(folder, { recursive: true })
  }
})
