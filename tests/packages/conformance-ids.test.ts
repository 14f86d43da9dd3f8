// Every case of the list has a test: an entry of `@callbox/testing/conformance`, which is played
// from tests/conformance, or a test of its own with `[case C7]` in its title.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { callCases, titleOf, wireCases } from '@callbox/testing/conformance'
import { expect, test } from 'vitest'
import { required } from '../conformance/required.ts'

const root = join(fileURLToPath(import.meta.url), '..', '..', '..')

function testFiles(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`
    if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : testFiles(path)
    return entry.name.endsWith('.test.ts') ? [path] : []
  })
}

/** Ids in titles; what is said in comments alone is no test. */
function idsInTitles(): ReadonlySet<string> {
  const ids = new Set<string>()
  for (const file of ['packages', 'tests', 'examples'].flatMap(testFiles)) {
    const code = readFileSync(join(root, file), 'utf8').replaceAll(/^\s*(\/\/|\*|\/\*).*$/gm, '')
    for (const [, id] of code.matchAll(/\[case (C\d+)\]/g)) ids.add(id!)
  }
  return ids
}

const entries = [...callCases, ...wireCases]

test('every case of the list has a test', () => {
  const played = new Set(entries.map(({ id }) => id))
  const titled = idsInTitles()
  expect(required.filter((id) => !played.has(id) && !titled.has(id))).toEqual([])
})

test('the list is a list: ids rise, none stands twice', () => {
  const numbers = required.map((id) => Number(id.slice(1)))
  expect(numbers).toEqual([...new Set(numbers)].toSorted((a, b) => a - b))
  expect(required.every((id) => /^C\d{1,3}$/.test(id))).toBe(true)
})

test('ids of entries are ids, and titles are told apart', () => {
  expect(entries.filter(({ id }) => !/^C\d{1,3}$/.test(id))).toEqual([])
  for (const kind of [
    callCases,
    wireCases.filter(({ tests }) => tests === 'server'),
    wireCases.filter(({ tests }) => tests === 'client'),
  ]) {
    const titles = kind.map(titleOf)
    expect(titles.filter((title, at) => titles.indexOf(title) !== at)).toEqual([])
  }
})
