import { describe, expect, test } from 'vitest'
import { ws as browser } from './index.browser.ts'
import { ws as bun } from './index.bun.ts'
import { ws as deno } from './index.deno.ts'
import { ws as node } from './index.ts'

describe.each([
  ['Node', node],
  ['browsers', browser],
  ['Bun', bun],
  ['Deno', deno],
])('on %s', (_, ws) => {
  test.each(['token', 'auth', 'jwt', 'access_token'])(
    'a URL with the parameter %s is refused [threat T1]',
    (name) => {
      const url = `wss://game.example/rpc?room=1&${name}=s3cret`
      expect(() => ws(url)).toThrow(TypeError)
      expect(() => ws(url)).toThrow(`the parameter '${name}'`)
      // What is secret is not said again.
      expect(() => ws(url)).not.toThrow('s3cret')
      expect(ws(url, { allowUrlCredential: true }).target).toBe('wss://game.example/rpc')
    },
  )

  test('user and password are refused, whatever is allowed [threat T1]', () => {
    expect(() => ws('wss://me:s3cret@game.example/', { allowUrlCredential: true })).toThrow(
      'no credentials in the URL',
    )
  })

  test('other parameters are not looked at', () => {
    expect(ws('wss://game.example/rpc?tokens=1&author=me').target).toBe('wss://game.example/rpc')
  })
})
