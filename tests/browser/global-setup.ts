// Starts the server of the browser tests: a process of its own, for Vitest resolves what is imported
// here as a browser would.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  interface ProvidedContext {
    readonly probeUrl: string
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const run = ['--conditions=@callbox/source', '--import', 'tsx', 'tests/browser/server.ts']
  const child = spawn(process.execPath, run, { stdio: ['pipe', 'pipe', 'inherit'] })
  const exit = once(child, 'exit')
  const lines = createInterface({ input: child.stdout })
  const address = await Promise.race([
    once(lines, 'line').then(([line]) => String(line)),
    exit.then(() => undefined),
  ])
  if (address === undefined) throw new Error('the server of the browser tests did not start')
  project.provide('probeUrl', address)
  return async () => {
    child.stdin.end()
    await exit
  }
}
