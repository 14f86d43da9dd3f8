import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('../../', import.meta.url))
const readme = readFileSync(`${root}README.md`, 'utf8')

test('the example of the README runs and prints what it should', async () => {
  const [, code = ''] = /```ts\n([\s\S]*?)```/.exec(readme) ?? []
  // Inside the repository, where its imports are found.
  const folder = `${root}.cache/readme-${process.pid}`
  await mkdir(folder, { recursive: true })
  try {
    await writeFile(`${folder}/example.ts`, code)
    const run = ['--conditions=@callbox/source', '--import', 'tsx', `${folder}/example.ts`]
    const { stdout, stderr } = await promisify(execFile)(process.execPath, run, { cwd: root })
    expect(stdout.trim().split('\n')).toEqual(['Hello you!', '1', '2', '3'])
    expect(stderr).toBe('')
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('the example has 25 lines of contract, server and client', () => {
  const [, code = ''] = /```ts\n([\s\S]*?)```/.exec(readme) ?? []
  const lines = code.split('\n').filter((line) => line !== '' && !line.startsWith('import '))
  expect(lines.length).toBeLessThanOrEqual(25)
})

test('every file that the documents name exists', () => {
  const pages = [
    'README.md',
    'CONTRIBUTING.md',
    ...readdirSync(`${root}docs`, { recursive: true })
      .map((name) => `docs/${String(name)}`)
      .filter((name) => name.endsWith('.md') && !name.includes('node_modules')),
  ]
  const missing = pages.flatMap((page) =>
    [
      ...readFileSync(root + page, 'utf8').matchAll(
        /`((?:packages|examples|scripts|tests|bench)\/[^`*\s]+)`/g,
      ),
    ]
      .map(([, path = '']) => path)
      .filter((path) => !existsSync(root + path))
      .map((path) => `${page}: ${path}`),
  )
  expect(pages.length).toBeGreaterThan(10)
  expect(missing).toEqual([])
})

test('[threat P6] SECURITY.md says how to report and what happens then', () => {
  const text = readFileSync(`${root}SECURITY.md`, 'utf8')
  for (const part of [/report/i, /24 h|24 hours|a day/i, /90 days/i]) expect(text).toMatch(part)
})
