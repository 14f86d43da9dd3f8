import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { sizes } from '../../../../tests/sizes.ts'
import { slowPattern } from './lint-pattern.ts'

const verdict = (source: string, length = 256, flags = 'u'): string | undefined =>
  slowPattern(new RegExp(source, flags), length)

describe('patterns that can be matched in bounded time', () => {
  test.each([
    '^[a-z]+$',
    '^[a-z0-9]+(?:-[a-z0-9]+)*$',
    '^\\w+(\\s\\w+)*$',
    '^(?:\\d{1,3}\\.){3}\\d{1,3}$',
    '^[^\\s@]+@[^\\s@]+\\.[^\\s@]+$',
    '^[a-zA-Z0-9._%+-]+@[a-zA-Z0-9.-]+\\.[a-zA-Z]{2,}$',
    '^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$',
    '^-?(?:0|[1-9][0-9]*)(?:\\.[0-9]+)?$',
    '^#(?:[0-9a-f]{3}){1,2}$',
    '^(?=.*\\d)(?=.*[a-z])(?=.*[A-Z]).{8,64}$',
    '^(?:red|green|grey)$',
    '^(?:a|b)*c$',
    '^(?:ab)*c$',
    '^(?:"[^"\\\\]*(?:\\\\.[^"\\\\]*)*")$',
    '^\\s+|\\s+$',
    'x.*y',
    '[a-z]',
    '',
    '^$',
    '^(?<year>\\d{4})-(?<month>\\d{2})$',
    '^[\\u{1F600}-\\u{1F64F}]+[a-z]+$',
    '^(?:[\\]^-]+[a\\\\b])*$',
    '^(?:\\p{Lu}x)*$',
    '^\\/(?:[^/]+\\/)*$',
  ])('%s', (source) => {
    expect(verdict(source)).toBe(undefined)
  })
})

describe('patterns that cannot [threat C12]', () => {
  test.each([
    ['^(a+)+$', '(a+)+'],
    ['^x(?:a*)*$', '(?:a*)*'],
    ['^(?:a|a)*$', '(?:a|a)*'],
    ['^(?:a|ab)*c$', '(?:a|ab)*'],
    ['^(?:\\w+\\s?)*$', '(?:\\w+\\s?)*'],
    ['^(?:[a-z0-9]+-?)+$', '(?:[a-z0-9]+-?)+'],
    ['^(?:a?b?)*$', '(?:a?b?)*'],
    ['^(?:.*,)*x$', '(?:.*,)*'],
    ['^(?:[a-c]|[c-e])+$', '(?:[a-c]|[c-e])+'],
    ['^(?:a|[^b])+$', '(?:a|[^b])+'],
    ['^(?:\\d|\\w)+$', '(?:\\d|\\w)+'],
    ['^(?:\\w|\\w)+$', '(?:\\w|\\w)+'],
    ['^(?:\\wb|(?=b)\\w)*$', '(?:\\wb|(?=b)\\w)*'],
    ['^(?:\\p{L}|a)+$', '(?:\\p{L}|a)+'],
    ['^(?:[^\\p{L}]|a)+$', '(?:[^\\p{L}]|a)+'],
    ['^(?:a|a){30}$', '(?:a|a){30}'],
    ['^(?:a{1,20}){1,20}$', '(?:a{1,20}){1,20}'],
    ['^(?:(?:a|b)+)+$', '(?:(?:a|b)+)+'],
    ['^(?:(?=(?:a|a)+b)a)+$', '(?:(?=(?:a|a)+b)a)+'],
    ['^(?:\\u0061|\\x61)*$', '(?:\\u0061|\\x61)*'],
    ['^(?:(?:a?){6}){6}$', '(?:a?)'],
    ['^(?:[\\]^-]+[a\\-b])*$', '(?:[\\]^-]+[a\\-b])*'],
  ])('%s: exponentially many ways by %s', (source, culprit) => {
    expect(verdict(source)).toBe(`matches the same text in exponentially many ways by ${culprit}`)
  })

  test.each([
    ['^.*.*.*x$', '.*'],
    [`^${'a?'.repeat(30)}${'a'.repeat(30)}$`, 'a?'],
    ['^(?=.*.*.*x)y', '.*'],
  ])('%s: too many ways', (source, culprit) => {
    expect(verdict(source)).toBe(`matches the same text in too many ways by ${culprit}`)
  })

  test('without ^ a pattern is tried from every character on', () => {
    expect(verdict('^.*,.*;$')).toBe(undefined)
    expect(verdict('.*,.*;$')).toBe(
      'matches the same text in too many ways by .*, from any character on: begin it with ^',
    )
    expect(verdict('(?:^a|b).*,.*;$')).toMatch(/begin it with \^$/)
  })

  test('shorter text has fewer ways', () => {
    expect(verdict('^.*.*.*x$', 256)).not.toBe(undefined)
    expect(verdict('^.*.*.*x$', 32)).toBe(undefined)
  })

  test('where no length is known, one way only', () => {
    for (const source of ['^.*$', '^-?(?:0|[1-9][0-9]*)(?:\\.[0-9]+)?$', '^[a-z]+(?:-[a-z]+)*$'])
      expect(verdict(source, Infinity)).toBe(undefined)
    expect(verdict('[a-z]', Infinity)).toBe('starts anywhere in the text: begin it with ^')
    expect(verdict('^.*x', Infinity)).toMatch(/too many ways by \.\*$/)
    expect(verdict('^(a+)+$', Infinity)).toMatch(/exponentially many ways by \(a\+\)\+$/)
  })

  test('back-references and syntax that is not read', () => {
    expect(verdict('^(.)\\1$')).toBe('has a back-reference, whose cost has no bound')
    expect(verdict('^(?<a>.)\\k<a>$')).toBe('has a back-reference, whose cost has no bound')
    expect(verdict('^[a--b]$', 256, 'v')).toBe('is not understood')
  })

  test('flags', () => {
    expect(verdict('^(?:a|A)*$', 256, 'u')).toBe(undefined)
    expect(verdict('^(?:a|A)*$', 256, 'iu')).not.toBe(undefined)
    expect(verdict('^(?:k|\\u212a)*$', 256, 'iu')).not.toBe(undefined)
    expect(verdict('^(?:.|\\n)*$', 256, 'u')).toBe(undefined)
    expect(verdict('^(?:.|\\n)*$', 256, 'su')).not.toBe(undefined)
    expect(verdict('^.*,.*;x', 256, 'mu')).not.toBe(undefined)
  })
})

test('what is said to be fast is fast, for any pattern [threat C12]', () => {
  const { tree } = fc.letrec<{ tree: string; atom: string }>((tie) => ({
    atom: fc.constantFrom('a', 'b', '[ab]', '.', '[^a]', '\\w', 'ab'),
    tree: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      tie('atom'),
      fc.tuple(tie('tree'), tie('tree')).map(([a, b]) => `${a}${b}`),
      fc.tuple(tie('tree'), tie('tree')).map(([a, b]) => `(?:${a}|${b})`),
      fc
        .tuple(tie('tree'), fc.constantFrom('*', '+', '?', '{2}', '{1,3}', '*?'))
        .map(([a, repeat]) => `(?:${a})${repeat}`),
      tie('tree').map((a) => `(?=${a})`),
    ),
  }))
  const texts = ['a', 'b', 'ab', 'aab', 'ba'].map((part) => `${part.repeat(64).slice(0, 63)}!`)
  let fast = 0
  let slow = 0
  fc.assert(
    fc.property(tree, fc.boolean(), (body, anchored) => {
      const pattern = new RegExp(`${anchored ? '^' : ''}${body}$`, 'u')
      if (slowPattern(pattern, 64) !== undefined) {
        slow += 1
        return
      }
      fast += 1
      const start = performance.now()
      for (const text of texts) pattern.test(text)
      // 65,536 ways over 64 characters, five times, on a machine that does something else as well.
      expect(performance.now() - start, `${pattern.source}`).toBeLessThan(1_000)
    }),
    { seed: 12, numRuns: sizes.propertyRuns * 4 },
  )
  expect(fast).toBeGreaterThan(sizes.propertyRuns / 2)
  expect(slow).toBeGreaterThan(sizes.propertyRuns / 10)
}, 60_000)
