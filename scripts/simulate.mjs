// Runs the whole stack on a simulated network, seed by seed, and looks for what must not be.
//
//   npm run simulate -- --seeds 1000 --from 1 --jobs 2   so many seeds, in two processes
//   npm run simulate -- --seed 42 --chart                one seed, every frame of it
//
//   --seeds N    how many (default 300)
//   --from S     the first one (default: by the clock, printed)
//   --jobs J     processes (default: one for each processor, at most 4)
//   --seed S     this one only
//   --chart      with --seed: prints the sequence chart
//   --mask M     with --seed: leaves out what the JSON names, as a failure prints it
//   --honest     without peers that break rules
//   --small      few clients, few calls, small messages: more seeds in the same time
//   --no-shrink  does not look for a smaller case of what fails
//
// Ends with 1 if a seed fails; each is printed with what it broke, and the first ones made small.

import './help.mjs'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { bundleSimulation, removeBundles, runJob } from './simulation.mjs'

const { values } = parseArgs({
  options: {
    'seeds': { type: 'string', default: '300' },
    'from': { type: 'string' },
    'jobs': { type: 'string' },
    'seed': { type: 'string' },
    'chart': { type: 'boolean', default: false },
    'mask': { type: 'string' },
    'honest': { type: 'boolean', default: false },
    'small': { type: 'boolean', default: false },
    'no-shrink': { type: 'boolean', default: false },
  },
})

try {
  process.exitCode = values.seed === undefined ? await many() : await one(Number(values.seed))
} finally {
  removeBundles()
}

function number(text, name) {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 0) throw new Error(`--${name} is no number: ${text}`)
  return value
}

async function one(seed) {
  const file = await bundleSimulation('run')
  const mask = values.mask === undefined ? undefined : JSON.parse(values.mask)
  let failed = false
  const job = {
    from: seed,
    seeds: 1,
    step: 1,
    chart: true,
    honest: values.honest,
    small: values.small,
    mask,
  }
  const { code, errors } = await runJob(file, job, (told) => {
    if (told.kind === 'failed') {
      failed = true
      printFailure(told)
    }
    if (told.kind !== 'chart') return
    const { chart, hash, scenario } = told
    if (values.chart) console.log(chart)
    const { operations, faults, ...rest } = scenario
    console.log(JSON.stringify({ ...rest, operations: operations.length, faults: faults.length }))
    console.log(`seed ${seed}: event hash ${hash}${failed ? '' : ', nothing is wrong'}`)
  })
  if (code !== 0) console.error(errors)
  return failed || code !== 0 ? 1 : 0
}

async function many() {
  const seeds = number(values.seeds, 'seeds')
  const from = values.from === undefined ? Date.now() % 2 ** 31 : number(values.from, 'from')
  const jobs =
    values.jobs === undefined ? Math.min(4, availableParallelism()) : number(values.jobs, 'jobs')
  console.log(`seeds ${from} to ${from + seeds - 1}, ${jobs} processes`)
  const file = await bundleSimulation('run')
  const started = performance.now()
  const sums = new Map()
  let failures = 0
  const progress = setInterval(() => console.log(line(sums, started)), 10_000)
  const ends = await Promise.all(
    Array.from({ length: jobs }, (_, at) => {
      const job = {
        from: from + at,
        seeds: Math.max(0, seeds - at),
        step: jobs,
        honest: values.honest,
        small: values.small,
        shrink: !values['no-shrink'],
      }
      return runJob(file, job, (told) => {
        if (told.kind === 'progress' || told.kind === 'done') sums.set(at, told)
        if (told.kind === 'failed') {
          failures += 1
          printFailure(told)
        }
        if (told.kind === 'small') printSmall(told)
      })
    }),
  )
  clearInterval(progress)
  console.log(line(sums, started))
  const broken = ends.filter(({ code }) => code !== 0)
  for (const { errors, code } of broken) console.error(`a process ended with ${code}\n${errors}`)
  return failures > 0 || broken.length > 0 ? 1 : 0
}

function line(sums, started) {
  const sum = (name) => [...sums.values()].reduce((total, one) => total + one[name], 0)
  const seconds = (performance.now() - started) / 1_000
  const hours = (sum('virtualMs') / 3_600_000).toFixed(1)
  return (
    `${sum('done')} seeds in ${seconds.toFixed(0)} s (${(sum('done') / seconds).toFixed(0)} a second), ` +
    `${sum('events').toLocaleString('en')} events, ${hours} virtual hours, ` +
    `${sum('calls').toLocaleString('en')} calls, ${sum('resumes').toLocaleString('en')} resumes, ` +
    `${sum('failed')} failed`
  )
}

function printFailure({ seed, violations, hostile }) {
  console.log(`FAILED seed ${seed}${hostile === undefined ? '' : ` (${JSON.stringify(hostile)})`}`)
  for (const { invariant, atMs, text } of violations)
    console.log(`       ${invariant} at ${atMs} ms: ${text}`)
}

function printSmall({ seed, invariant, mask, chart }) {
  console.log(
    `seed ${seed} made small for ${invariant}: --seed ${seed} --chart --mask '${JSON.stringify(mask)}'`,
  )
  console.log(chart.split('\n').slice(0, 200).join('\n'))
}
