import { contract, unary } from '@callbox/core'
import { lintContract } from '@callbox/testing'
import * as T from 'typebox'
import { expect, test } from 'vitest'
import { implement, implementFor } from './index.ts'

const bad = contract('lobby', {
  create: unary({ input: T.Object({ name: T.String({ pattern: '^(a+)+$', maxLength: 40 }) }) }),
  find: unary({ input: T.Object({ toString: T.String() }) }),
})
const handlers = { create: () => undefined, find: () => undefined }

test('a contract that cannot be checked in bounded time is refused [threat C12] [threat C15]', () => {
  for (const refused of [
    () => implement(bad, handlers),
    () => implementFor<{ id: string }>()(bad, handlers),
  ]) {
    expect(refused).toThrow(TypeError)
    for (const { path } of lintContract(bad)) expect(refused).toThrow(path)
  }
  expect(lintContract(bad)).toHaveLength(2)
})

test('an opt-out of the schema lets it pass', () => {
  const name = T.String({ pattern: '^(a+)+$', unsafePattern: true })
  const trusted = contract('lobby', { create: unary({ input: T.Object({ name }) }) })
  const service = implement(trusted, { create: () => undefined })
  expect(service.name).toBe('lobby')
  expect(implementFor<string>()(trusted, { create: () => undefined }).name).toBe('lobby')
})

test('what core checks is still checked', () => {
  const good = contract('lobby', { create: unary({}) })
  // @ts-expect-error: a handler is missing.
  expect(() => implement(good, {})).toThrow("implement: 'lobby.create' has no handler")
})
