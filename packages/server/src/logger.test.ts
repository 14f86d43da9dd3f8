import { expect, test } from 'vitest'
import { lineLogger } from './logger.ts'

function logged(...event: Parameters<ReturnType<typeof lineLogger>>): string {
  let text = ''
  lineLogger((line) => {
    text += line
  })(...event)
  return text
}

test('one event is one line, with its fields as JSON', () => {
  const line = logged('warn', 'connection refused', {
    reason: 'a\nb "c"',
    port: 7,
    absent: undefined,
  })
  expect(line).toMatch(
    /^\d{4}-\d\d-\d\dT[\d:.]+Z warn callbox: connection refused reason="a\\nb \\"c\\"" port=7\n$/,
  )
})

test('an error is shown with its stack and cause, still on one line', () => {
  const line = logged('error', 'handler failed', {
    err: new Error('outer', { cause: new Error('inner') }),
  })
  expect(line.match(/\n/g)).toHaveLength(1)
  expect(line).toContain('outer')
  expect(line).toContain('inner')
  expect(line).toContain('logger.test.ts')
})

test('a value that throws when it is shown is no reason to throw', () => {
  const hostile = {
    get [Symbol.toStringTag](): string {
      throw new Error('no')
    },
  }
  expect(logged('warn', 'odd', { hostile })).toMatch(/callbox: odd hostile=/)
})

test('debug events are left out', () => {
  expect(logged('debug', 'event dropped', {})).toBe('')
})
