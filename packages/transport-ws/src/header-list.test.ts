import { describe, expect, test } from 'vitest'
import { extensionsOf, isToken, tokensOf, wordsOf } from './header-list.ts'

describe('subprotocols', () => {
  test.each<[string, readonly string[] | undefined]>([
    ['a', ['a']],
    ['a,b', ['a', 'b']],
    [' a \t, b ', ['a', 'b']],
    ["!#$%&'*+-.^_`|~9Az", ["!#$%&'*+-.^_`|~9Az"]],
    // A list may have empty entries (RFC 9110, section 5.6.1.2), not only such.
    [',a,,b,', ['a', 'b']],
    ['__proto__, constructor', ['__proto__', 'constructor']],
    ['', undefined],
    [',', undefined],
    ['a b', undefined],
    [`a${' '.repeat(15_000)}x`, undefined],
    ['a;b', undefined],
    ['"a"', undefined],
    ['a/b', undefined],
    ['ä', undefined],
    ['a\0', undefined],
    ['a, a', undefined],
  ])('%j', (header, tokens) => {
    expect(tokensOf(header)).toEqual(tokens)
  })
})

describe('extensions (RFC 6455, 9.1)', () => {
  const bare = (name: string) => ({ name, parameters: [] })
  test.each<[string, unknown]>([
    ['a', [bare('a')]],
    ['a,b', [bare('a'), bare('b')]],
    ['a; b', [{ name: 'a', parameters: [{ name: 'b', value: undefined }] }]],
    ['a;b=1', [{ name: 'a', parameters: [{ name: 'b', value: '1' }] }]],
    ['a ; b = 1', [{ name: 'a', parameters: [{ name: 'b', value: '1' }] }]],
    ['a;b="1"', [{ name: 'a', parameters: [{ name: 'b', value: '1' }] }]],
    ['a;b="\\1"', [{ name: 'a', parameters: [{ name: 'b', value: '1' }] }]],
    [
      'a;b;b=2, __proto__',
      [
        {
          name: 'a',
          parameters: [
            { name: 'b', value: undefined },
            { name: 'b', value: '2' },
          ],
        },
        bare('__proto__'),
      ],
    ],
    ['', undefined],
    [',', undefined],
    [',;constructor', undefined],
    ['a;', undefined],
    ['a;=1', undefined],
    ['a;b=', undefined],
    ['a;b=""', undefined],
    ['a;b="1', undefined],
    ['a;b="1 2"', undefined],
    ['a;b="1\\', undefined],
    ['a b', undefined],
    ['a=1', undefined],
    ['ä', undefined],
  ])('%j', (header, extensions) => {
    expect(extensionsOf(header)).toEqual(extensions)
  })
})

test('words', () => {
  expect(wordsOf('keep-alive, Upgrade')).toEqual(['keep-alive', 'upgrade'])
  expect(wordsOf(undefined)).toEqual([''])
})

test('tokens', () => {
  expect(['a', 'X-A_1', '~'].map(isToken)).toEqual([true, true, true])
  expect(['', 'a b', 'a:', 'a\n', '(', 'ä', '\x7f'].map(isToken)).toEqual(Array(7).fill(false))
})
