// `docs/guide/limits.md` has every limit, with the default that it has, and says truly what is counted.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { resolveLimits } from '@callbox/core/internal'
import { expect, test } from 'vitest'

interface Row {
  readonly name: string
  readonly value: number
  readonly over: string
  readonly counted: boolean
}

const units: Readonly<Record<string, number>> = {
  '': 1,
  'KiB': 1_024,
  'MiB': 1_048_576,
  'ms': 1,
  's': 1_000,
  'min': 60_000,
}

/** `4 MiB`, `30 s`, `1,024`, `off`. */
function valueOf(text: string): number {
  if (text === 'off') return 0
  const [, digits, unit] = /^([\d,]+)(?: (\w+))?$/.exec(text) ?? []
  return Number(digits?.replaceAll(',', '')) * (units[unit ?? ''] ?? Number.NaN)
}

const rows: readonly Row[] = [
  ...readFileSync('docs/guide/limits.md', 'utf8').matchAll(
    /^\| `(\w+)` \| ([^|]+) \| ([^|]+) \|([^|]*)\|$/gm,
  ),
].map(([, name, value, over, counted]) => ({
  name: name!,
  value: valueOf(value!.trim()),
  over: over!.trim(),
  counted: counted!.includes('✓'),
}))

/** Everything that a package does, as one text. */
function sources(folder: string): string {
  return readdirSync(folder, { withFileTypes: true })
    .map((entry) => {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) return /node_modules|dist/.test(entry.name) ? '' : sources(path)
      const isSource = entry.name.endsWith('.ts') && !/test|limits\.ts$/.test(entry.name)
      return isSource ? readFileSync(path, 'utf8') : ''
    })
    .join('\n')
}

test('each limit has one row, with its default and what happens', () => {
  const limits: Readonly<Record<string, number>> = { ...resolveLimits() }
  expect(rows.map(({ name }) => name).toSorted()).toEqual(Object.keys(limits).toSorted())
  expect(Object.fromEntries(rows.map(({ name, value }) => [name, value]))).toEqual(limits)
  expect(rows.filter(({ over }) => over.length < 10)).toEqual([])
})

test('what is said to be counted is, by that name', () => {
  const text = ['core', 'server', 'client', 'transport-tcp', 'transport-ws']
    .map((name) => sources(join('packages', name, 'src')))
    .join('\n')
  const counted = rows.filter((row) => row.counted)
  expect(counted.length).toBeGreaterThan(20)
  expect(counted.filter(({ name }) => !text.includes(`'${name}'`))).toEqual([])
})
