import { registerHooks, stripTypeScriptTypes } from 'node:module'
import { instrument } from './instrument.ts'
import type { Recorder } from './recorder.ts'

/** From here on, modules below one of the `folders` (URLs) are instrumented as they are loaded. */
export function instrumentModules(folders: readonly string[], recorder: Recorder): void {
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context)
      if (!url.endsWith('.ts') || !folders.some((folder) => url.startsWith(folder))) return loaded
      const source = String(loaded.source)
      const { code, counters, literals } = instrument(
        stripTypeScriptTypes(source),
        recorder.branches,
      )
      recorder.extend(counters)
      for (const literal of literals) recorder.literals.add(literal)
      return { ...loaded, format: 'module', source: code }
    },
  })
}
