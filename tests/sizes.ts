// How much the tests that can run for ever do: fuzzing, properties, soaks.
//   in  -> CALLBOX_SIZES: ci or nightly; anything else stops the run. Absent: ci where CI is set
//   out -> `sizes`, and `sizesLine()` for whoever prints what a run has used
// Seeds are fixed: the same size does the same thing everywhere.

export type SizesName = 'local' | 'ci' | 'nightly'

export interface Sizes {
  /** Mutated msgpack bodies. */
  readonly fuzzBodies: number
  /** Mutated frames. */
  readonly fuzzFrames: number
  /** Mutated byte streams against a whole server. */
  readonly fuzzStreams: number
  /** Runs of one property of fast-check. */
  readonly propertyRuns: number
}

const table: Readonly<Record<SizesName, Sizes>> = {
  local: { fuzzBodies: 100_000, fuzzFrames: 100_000, fuzzStreams: 10_000, propertyRuns: 500 },
  ci: { fuzzBodies: 1_000_000, fuzzFrames: 100_000, fuzzStreams: 100_000, propertyRuns: 2_000 },
  nightly: {
    fuzzBodies: 10_000_000,
    fuzzFrames: 1_000_000,
    fuzzStreams: 1_000_000,
    propertyRuns: 50_000,
  },
}

function chosen(environment: Readonly<Record<string, string | undefined>>): SizesName {
  const name = environment['CALLBOX_SIZES']
  if (name === undefined || name === '') return (environment['CI'] ?? '') === '' ? 'local' : 'ci'
  if (!Object.hasOwn(table, name))
    throw new Error(`CALLBOX_SIZES is '${name}', not one of ${Object.keys(table).join(', ')}`)
  return name as SizesName
}

/** Browsers have no environment. */
export const sizesName: SizesName = chosen(typeof process === 'undefined' ? {} : process.env)

export const sizes: Sizes = table[sizesName]

/** One line that says which sizes are used. */
export function sizesLine(): string {
  const counts = Object.entries(sizes).map(
    ([name, count]) => `${name} ${count.toLocaleString('en')}`,
  )
  return `test sizes '${sizesName}' (CALLBOX_SIZES): ${counts.join(', ')}`
}
