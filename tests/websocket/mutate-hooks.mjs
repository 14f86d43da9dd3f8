// The loader of mutate.mjs, in the thread that Node gives to loaders.
//   in  -> the mutant; modules as they are read from disk, before they are compiled
//   out -> the same modules, one of them changed

import { writeSync } from 'node:fs'

let mutant

export function initialize(data) {
  mutant = JSON.parse(data)
}

export async function load(url, context, nextLoad) {
  const loaded = await nextLoad(url, context)
  if (!url.split('?', 1)[0].endsWith(`/${mutant.file}`)) return loaded
  const source = loaded.source.toString()
  if (source.split(mutant.from).length !== 2) return loaded
  writeSync(2, 'mutant applied\n')
  return { ...loaded, source: source.replace(mutant.from, () => mutant.to) }
}
