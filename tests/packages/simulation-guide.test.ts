// The example of the guide to simulations runs, and prints what it should.

import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('../../', import.meta.url))
const page = readFileSync(`${root}docs/guide/simulation.md`, 'utf8')

test('the example of the page sells tea and cake once each', { timeout: 120_000 }, async () => {
  const [, code = ''] = /```ts\n([\s\S]*?)```/.exec(page) ?? []
  // Inside the repository, where its imports are found.
  const folder = `${root}.cache/simulation-guide-${process.pid}`
  await mkdir(folder, { recursive: true })
  try {
    await writeFile(`${folder}/example.ts`, code)
    const run = ['--conditions=@callbox/source', '--import', 'tsx', `${folder}/example.ts`]
    const { stdout } = await promisify(execFile)(process.execPath, run, { cwd: root })
    expect(stdout.trim().split('\n')).toEqual([
      'sold 1',
      'sold 2 tea, cake',
      'violations 0 after true',
    ])
  } finally {
    await rm(folder, { recursive: true })
  }
})
