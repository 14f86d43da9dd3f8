// Every WebSocket case of both roles, over sockets, and with the bytes one by one.

import { beforeAll, describe, expect, test } from 'vitest'
import { casesOf } from './cases.ts'
import { runClient, runServer, type Result } from './run.ts'

const runs = { server: runServer, client: runClient } as const
const roles = ['server', 'client'] as const

describe.each(roles)('%s', (role) => {
  const cases = casesOf(role)
  const families = [...new Set(cases.map(({ family }) => family))]

  test('there are at least 400 cases, each of its own, with the section that it stands on', () => {
    expect(cases.length).toBeGreaterThanOrEqual(400)
    const titles = cases.map(({ family, profile, title }) => `${family} ${profile}: ${title}`)
    expect(titles.filter((title, at) => titles.indexOf(title) < at)).toEqual([])
    expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length)
    for (const { section } of cases)
      expect(section).toMatch(/^(RFC \d+ \d+(\.\d+)*|threats [A-Z]\d+)$/)
  })

  describe.each([
    { how: 'over sockets', split: false },
    { how: 'byte by byte', split: true },
  ])('$how', ({ split }) => {
    let results: readonly Result[] = []
    beforeAll(async () => {
      results = await runs[role](cases, { split })
    }, 120_000)

    test.each(families)('%s', (family) => {
      const ours = results.filter(({ one }) => one.family === family)
      expect(ours.length).toBe(cases.filter((one) => one.family === family).length)
      const failed = ours.filter(({ fault }) => fault !== undefined)
      expect(failed.map(({ one, fault }) => `${one.name} ${one.title}: ${fault}`)).toEqual([])
    })
  })
})

test('a case that is not met fails: the runner can tell', async () => {
  const [right] = casesOf('server').filter(({ name }) => name === 'length.3')
  const [ping] = casesOf('server').filter(({ name }) => name === 'ping.3')
  const wrong = [
    {
      ...right!,
      exchange: ping!.exchange!.map(({ expect: due }) => ({
        ...right!.exchange![0]!,
        expect: due,
      })),
    },
    { ...right!, end: { kind: 'refused', status: [400] } as const },
    { ...right!, told: { code: 1001, wasClean: true } },
  ]
  const results = await runServer([right!, ...wrong])
  expect(results.map(({ fault }) => fault?.replace(/ of .*/, ''))).toEqual([
    undefined,
    'an unexpected text',
    'answered 101, not 400',
    'the application is told {"code":1000,"reason":"","wasClean":true}, not {"code":1001,"wasClean":true}',
  ])
})
