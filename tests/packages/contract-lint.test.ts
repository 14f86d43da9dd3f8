// The contract linter: the contracts that readers copy need no opt-out, and browsers get none of it.

import { fileURLToPath } from 'node:url'
import type { AnyContract } from '@callbox/core/internal'
import { lintContract } from '@callbox/testing'
import { build } from 'esbuild'
import { expect, test } from 'vitest'
import { hello } from '../../examples/hello/src/contract.ts'
import { lobby } from '../../examples/lobby/src/contract.ts'
import { orders, stock } from '../../examples/services/src/contracts.ts'
import { probe } from '../browser/contract.ts'
import { conf } from '@callbox/testing/conformance'
import { chat, lobby as typed } from '../types/lobby.ts'

test.each<[string, AnyContract]>([
  ['hello', hello],
  ['lobby', lobby],
  ['orders', orders],
  ['stock', stock],
  ['probe', probe],
  ['conf', conf],
  ['chat', chat],
  ['lobby of the type tests', typed],
])('%s has no problems', (_, contract) => {
  expect(lintContract(contract)).toEqual([])
})

test('no byte of the linter is in the bundle of a browser', async () => {
  const { metafile } = await build({
    entryPoints: [fileURLToPath(new URL('../bundle/client.ts', import.meta.url))],
    bundle: true,
    write: false,
    metafile: true,
    format: 'esm',
    platform: 'browser',
    conditions: ['@callbox/source', 'browser', 'module'],
    external: ['typebox', 'typebox/*', '#msgpackr'],
    tsconfigRaw: {},
    logLevel: 'error',
  })
  const [output] = Object.values(metafile.outputs)
  const files = Object.entries(output!.inputs)
    .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
    .map(([path]) => path)
  expect(files.some((path) => path.endsWith('core/src/contract/contract.ts'))).toBe(true)
  expect(files.filter((path) => /contract\/(lint|graph)/.test(path))).toEqual([])
})
