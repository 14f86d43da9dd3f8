import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, test } from 'vitest'

let output = ''

beforeAll(async () => {
  const run = ['--conditions=@callbox/source', '--import', 'tsx', 'src/run.ts']
  const cwd = fileURLToPath(new URL('..', import.meta.url))
  const { stdout, stderr } = await promisify(execFile)(process.execPath, run, { cwd })
  expect(stderr).toBe('')
  output = stdout
})

/** What is printed between a headline and the next empty line. */
function part(headline: string): string {
  const found = output.split('\n\n').find((one) => one.startsWith(headline))
  if (found === undefined) throw new Error(`no '${headline}' in\n${output}`)
  return found
}

/** The time left that a service printed, in milliseconds. */
function left(text: string, service: string): number {
  const found = new RegExp(`${service}: .*, (\\d+) ms left`).exec(text)
  return Number(found?.[1])
}

describe('two services over TCP', () => {
  test('the nested call has less time than the one around it, without a word in the code', () => {
    const text = part('an order within 2 s')
    expect(left(text, 'orders')).toBeGreaterThan(1_000)
    expect(left(text, 'orders')).toBeLessThanOrEqual(2_000)
    // The 50 ms that orders spent first; timers may be a little early.
    expect(left(text, 'stock')).toBeLessThanOrEqual(left(text, 'orders') - 45)
    expect(left(text, 'stock')).toBeGreaterThan(0)
    expect(text).toContain('=> order-1, 2 brushes left')
  })

  test('a typed error of the inner service becomes a typed error of the outer one', () => {
    expect(part('more than there is')).toContain('=> NotAvailable: 2 of brush left')
  })

  test('a deadline cancels both services', () => {
    const text = part('an anvil within 300 ms')
    expect(left(text, 'stock')).toBeLessThan(300)
    expect(text).toContain('=> deadline_exceeded')
  })

  test('a cancel goes through to the inner service', () => {
    const text = part('an anvil that the customer')
    expect(text).toContain('stock: 1 x anvil')
    expect(text).toContain('=> cancelled')
    expect(output.match(/stock: cancelled, the anvil stays/g)).toHaveLength(2)
  })
})
