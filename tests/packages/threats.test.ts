// Every row of `tests/threats.txt` has a test that says so in its title.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const rows = readFileSync('tests/threats.txt', 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => /^([A-Z]\d+) (later: )?(.+)$/.exec(line))

function testFiles(): readonly string[] {
  const inside = (folder: string): readonly string[] =>
    readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) return /node_modules|dist/.test(entry.name) ? [] : inside(path)
      return entry.name.endsWith('.test.ts') ? [path] : []
    })
  return [...inside('packages'), ...inside('tests')]
}

/** Rows that titles name, and nothing else does: a comment is no test. */
function named(): ReadonlySet<string> {
  const found = new Set<string>()
  for (const path of testFiles()) {
    const lines = readFileSync(path, 'utf8').split('\n')
    for (const line of lines.filter((text) => !text.trimStart().startsWith('//')))
      for (const [, row] of line.matchAll(/\[threat ([A-Z]\d+)\]/g)) found.add(row!)
  }
  return found
}

test('the list can be read, and no row stands twice', () => {
  expect(rows.every((row) => row !== null)).toBe(true)
  const ids = rows.map((row) => row![1])
  expect(new Set(ids).size).toBe(ids.length)
  expect(ids.length).toBeGreaterThan(70)
})

test('each row has a test, and what is for later has none', () => {
  const found = named()
  const missing = rows.flatMap((row) =>
    row![2] === undefined && !found.has(row![1]!) ? [row![1]] : [],
  )
  expect(missing).toEqual([])
  const early = rows.flatMap((row) =>
    row![2] !== undefined && found.has(row![1]!) ? [row![1]] : [],
  )
  expect(early).toEqual([])
})
