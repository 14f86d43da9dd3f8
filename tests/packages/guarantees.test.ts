// `docs/guarantees.md` names a test for each promise: each of them must be there.

import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('../../', import.meta.url))
const page = readFileSync(`${root}docs/guarantees.md`, 'utf8')

/** A file in backticks, and the id in the title of a test in it. */
const proofs = [...page.matchAll(/`([^`\s]+\.test\.ts)`\s+\[((?:case|threat) [A-Z]\d+)\]/g)].map(
  ([, file = '', id = '']) => ({ file, id }),
)

test('each promise names a test that exists', () => {
  expect(proofs.length).toBeGreaterThan(50)
  const missing = proofs.filter(
    ({ file, id }) =>
      !existsSync(root + file) || !readFileSync(root + file, 'utf8').includes(`[${id}]`),
  )
  expect(missing).toEqual([])
})

test('no file is named without the id of a test in it', () => {
  const files = page.match(/`[^`\s]+\.test\.ts`/g) ?? []
  expect(files).toHaveLength(proofs.length)
})

test('each row of the tables of promises has a proof', () => {
  const rows = page
    .slice(page.indexOf('## Always'), page.indexOf('## Not promised'))
    .split('\n')
    .filter((line) => line.startsWith('| ') && !line.startsWith('| promise'))
  expect(rows.length).toBeGreaterThan(20)
  expect(rows.filter((row) => !/\[(case|threat) [A-Z]\d+\]/.test(row))).toEqual([])
})
