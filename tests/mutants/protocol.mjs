// Shows that the simulator is strong enough: breaks the protocol in one line, and expects a seed to
// notice.
//
//   node tests/mutants/protocol.mjs [--only TEXT] [--rotate N] [--honest] [--seeds N] [--jobs J]
//
//   --only TEXT   mutants whose name or file contains it
//   --rotate N    every N-th mutant, another share each day
//   --honest      also with honest peers only: says which would have slipped through
//   --seeds N     at most so many seeds for each, whatever the table says
//   --jobs J      mutants at a time (default 2)
//
// Prints a line for each; ends with 1 if one survives, or its text does not stand where it should.
// The tree is only read: a mutant lives in a bundle of its own.

import '../../scripts/help.mjs'
import { parseArgs } from 'node:util'
import { bundleSimulation, removeBundles, runJob } from '../../scripts/simulation.mjs'
import { mutants } from './protocol.table.mjs'

/** Seeds in which a mutant must be noticed unless its row says more. */
const usualSeeds = 600
/** A mutant that hangs is noticed as well: one seed may not take so long. */
const hangMs = 60_000

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    rotate: { type: 'string' },
    honest: { type: 'boolean', default: false },
    seeds: { type: 'string' },
    jobs: { type: 'string', default: '2' },
  },
})

const chosen = choose()
const results = []
const started = performance.now()
try {
  const waiting = [...chosen.entries()]
  await Promise.all(Array.from({ length: Number(values.jobs) }, () => work(waiting)))
} finally {
  removeBundles()
}
process.exitCode = conclude()

function choose() {
  const { only, rotate } = values
  const wanted = mutants.filter(({ name, file }) => name.includes(only) || file.includes(only))
  if (rotate === undefined) return wanted
  const share = Number(rotate)
  const today = Math.floor(Date.now() / 86_400_000) % share
  console.log(`share ${today + 1} of ${share}, by the day`)
  return wanted.filter((_, at) => at % share === today)
}

async function work(waiting) {
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const [at, mutant] = next
    const seeds = values.seeds === undefined ? (mutant.seeds ?? usualSeeds) : Number(values.seeds)
    const result = await tryMutant(`mutant-${at}`, mutant, seeds)
    results.push(result)
    console.log(lineOf(result))
  }
}

async function tryMutant(name, mutant, seeds) {
  let bundle
  try {
    bundle = await bundleSimulation(name, mutant)
  } catch (error) {
    return { mutant, seeds, broken: error.message }
  }
  const all = await firstSeed(bundle, seeds, false)
  const honest = values.honest ? await firstSeed(bundle, seeds, true) : undefined
  return { mutant, seeds, all, honest }
}

/** The first seed that fails, and how; undefined if none does. */
async function firstSeed(bundle, seeds, honest) {
  let found
  let done = 0
  let toldAt = performance.now()
  const job = { from: 1, seeds, step: 1, honest, firstOnly: true }
  const watch = { hung: false }
  const mostMs = hangMs + seeds * 1_000
  const { code, signal, errors } = await runJob(
    bundle,
    job,
    (told) => {
      toldAt = performance.now()
      done = told.done ?? done
      if (told.kind !== 'failed') return false
      found = { seed: told.seed, how: `${told.violations[0].invariant} ${told.violations[0].text}` }
      return true
    },
    mostMs,
  )
  if (found !== undefined) return found
  watch.hung = performance.now() - toldAt > hangMs
  if (signal !== null) return { seed: done + 1, how: 'hangs' }
  if (code !== 0)
    return { seed: done + 1, how: `the process ends: ${errors.trim().split('\n').at(-1)}` }
  return undefined
}

function lineOf({ mutant, seeds, all, honest, broken }) {
  const { name } = mutant
  if (broken !== undefined) return `BROKEN   ${name}: ${broken}`
  const slipped = values.honest
    ? `, honest peers: ${honest === undefined ? 'not' : `seed ${honest.seed}`}`
    : ''
  if (all === undefined) return `SURVIVED ${name}: not in ${seeds} seeds${slipped}`
  return `caught   ${name}: seed ${all.seed} of ${seeds}${slipped} (${all.how.slice(0, 110)})`
}

function conclude() {
  const caught = results.filter(({ all }) => all !== undefined)
  const seconds = ((performance.now() - started) / 1_000).toFixed(0)
  console.log(`${caught.length} of ${results.length} mutants caught, ${seconds} s`)
  if (values.honest) {
    const slipped = caught.filter(({ honest }) => honest === undefined)
    console.log(
      `with honest peers only these slip through: ${slipped.map(({ mutant }) => mutant.name).join('; ') || 'none'}`,
    )
  }
  return caught.length === chosen.length && chosen.length > 0 ? 0 : 1
}
