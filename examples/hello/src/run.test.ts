import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

test('says hello and counts over TCP, a unix socket and WebSocket, then exits by itself', async () => {
  const run = ['--conditions=@callbox/source', '--import', 'tsx', 'src/run.ts']
  const cwd = fileURLToPath(new URL('..', import.meta.url))
  const { stdout, stderr } = await promisify(execFile)(process.execPath, run, { cwd })
  const line = (transport: string): string =>
    `${transport}: Hello you, over ${transport}!, counted 1, counted 2, counted 3`
  expect(stdout.trim().split('\n')).toEqual(['tcp', 'unix', 'ws'].map(line))
  expect(stderr).toBe('')
})

test('is 60 lines in all', async () => {
  const files = ['contract.ts', 'server.ts', 'client.ts', 'run.ts']
  const texts = await Promise.all(
    files.map((file) => readFile(new URL(file, import.meta.url), 'utf8')),
  )
  expect(texts.join('').trim().split('\n').length).toBeLessThanOrEqual(60)
})
