// Every case against a client and a server in processes of their own, told what to do by lines of
// JSON. The raw peer and this driver share no code with them.

import type { ClientSnapshot, ServerSnapshot } from '@callbox/core'
import {
  callCases,
  leftOfClient,
  leftOfServer,
  titleOf,
  wireCases,
  type CallCase,
  type WireCase,
} from '@callbox/testing/conformance'
import {
  playClientCase,
  playServerCase,
  Program,
  RawPeer,
  RawServer,
  type ClientSubject,
  type Settlement,
} from '@callbox/testing/node'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const program = (file: string): Program =>
  new Program(process.execPath, [
    '--conditions=@callbox/source',
    '--import',
    'tsx',
    `tests/processes/${file}`,
  ])
const names = ['tcp', 'ws'] as const
type Name = (typeof names)[number]

let server: Program
let client: Program
beforeAll(() => {
  server = program('server-under-test.ts')
  client = program('client-under-test.ts')
})
afterAll(async () => {
  expect([await client.end(), await server.end()]).toEqual([0, 0])
})

const titled = <C extends { readonly id: string; readonly title: string }>(cases: readonly C[]) =>
  cases.map((one) => ({ title: titleOf(one), one }))
const wire = (tests: WireCase['tests'], name: Name) =>
  titled(
    wireCases.filter(
      (one) =>
        one.tests === tests && (one.where === 'L' || (one.where === 'W') === (name === 'ws')),
    ),
  )
const problemsOf = async (side: Program): Promise<readonly string[]> =>
  (await side.ask('problems')) as readonly string[]

async function start(limits: WireCase['limits']): Promise<Readonly<Record<Name, number>>> {
  return (await server.ask('start', { limits })) as Readonly<Record<Name, number>>
}

/** A case of calls, with one of both programs as caller; nothing is left of it at either. */
async function play(one: CallCase, name: Name, caller: () => Program): Promise<void> {
  const limits = { maxMessage: 16 * 1024 * 1024, maxCalls: 1_024 }
  const port = (await start(limits))[name]
  await client.ask('start', { transport: name, port, limits, serves: true })
  try {
    await caller().ask('run', { title: titleOf(one) })
  } finally {
    await client.ask('close')
  }
  expect(leftOfClient((await client.ask('inspect')) as ClientSnapshot)).toEqual([])
  await expect
    .poll(async () => leftOfServer((await server.ask('inspect')) as ServerSnapshot))
    .toEqual([])
  expect([await problemsOf(client), await problemsOf(server)]).toEqual([[], []])
}

describe.each(names)('over %s', (name) => {
  test.each(titled(callCases))('the client calls: $title', ({ one }) =>
    expect(play(one, name, () => client)).resolves.toBeUndefined(),
  )

  test.each(titled(callCases))('the server calls [case C40]: $title', ({ one }) =>
    expect(play(one, name, () => server)).resolves.toBeUndefined(),
  )

  test.each(wire('server', name))('a raw client: $title', async ({ one }) => {
    const port = (await start(one.limits))[name]
    const played = playServerCase(one, {
      connect: () => RawPeer.connect({ port, ws: name === 'ws' }),
      inspect: async () => (await server.ask('inspect')) as ServerSnapshot,
      problems: () => problemsOf(server),
    })
    if (one.expected === 'fail') await expect(played).rejects.toThrow()
    else await expect(played).resolves.toBeUndefined()
  })

  test.each(wire('client', name))('a raw server: $title', async ({ one }) => {
    const raw = await RawServer.listen({ ws: name === 'ws' })
    try {
      await client.ask('start', { transport: name, port: raw.port, limits: one.limits })
      await expect(playClientCase(one, subject(), () => raw.accept())).resolves.toBeUndefined()
    } finally {
      await client.ask('close')
      await raw.close()
    }
  })
})

function subject(): ClientSubject {
  return {
    call: async (call) => void (await client.ask('call', call)),
    settlement: async (name) => (await client.ask('settlement', { name })) as Settlement,
    inspect: async () => (await client.ask('inspect')) as ClientSnapshot,
    close: async () => void (await client.ask('close')),
    problems: () => problemsOf(client),
  }
}
