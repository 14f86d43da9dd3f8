import { AsyncLocalStorage } from 'node:async_hooks'
import { describe, expect, test } from 'vitest'
import { CodecError, type RefusedReason } from './codec.ts'
import { checkMsgpack, type GuardLimits } from './guard.ts'

const limits: GuardLimits = { maxDepth: 64, maxNodes: 262_144, maxKeys: 32_768 }

function hex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'))
}

function scan(bytes: Uint8Array | string, changed: Partial<GuardLimits> = {}) {
  const all = typeof bytes === 'string' ? hex(bytes) : bytes
  return { ...checkMsgpack(all, 0, all.length, { ...limits, ...changed }) }
}

/** The reason of the refusal, or 'accepted'. */
function verdict(
  bytes: Uint8Array | string,
  changed: Partial<GuardLimits> = {},
): RefusedReason | 'accepted' {
  try {
    scan(bytes, changed)
    return 'accepted'
  } catch (error) {
    if (!(error instanceof CodecError)) throw error
    return error.reason
  }
}

/** Runs often enough that a clock sees it, and gives milliseconds for one run. */
function msOf(run: () => void): number {
  run()
  let best = Infinity
  for (let round = 0; round < 5; round += 1) {
    const start = performance.now()
    for (let index = 0; index < 20; index += 1) run()
    best = Math.min(best, (performance.now() - start) / 20)
  }
  return best
}

const repeated = (text: string, times: number, tail = ''): Uint8Array =>
  hex(text.repeat(times) + tail)

describe('accepted', () => {
  test.each([
    ['nil, booleans', '93 c0 c2 c3', 4],
    ['small integers', '94 00 7f e0 ff', 5],
    [
      'integers of 8 to 64 bits',
      '98 ccff cdffff ceffffffff cfffffffffffffffff d080 d18000 d280000000 d38000000000000000',
      9,
    ],
    ['floats', '92 ca3f800000 cb3ff0000000000000', 3],
    ['text of every form', '94 a0 a161 d90161 da000161', 5],
    ['text of 32 bits', 'db00000001 61', 1],
    ['binary of every form', '93 c40101 c5000101 c60000000101', 4],
    ['arrays of every form', '93 90 dc0000 dd00000000', 4],
    ['maps of every form', '93 80 de0000 df00000000', 4],
    ['a map', '82 a161 01 a162 91 02', 6],
    ['the empty key', '81 a0 01', 3],
    ['undefined, as msgpackr writes it', 'd4 00 00', 1],
    [
      'timestamps of 32, 64 and 96 bits',
      '93 d6ff00000000 d7ff0000000000000000 c70cff000000000000000000000000',
      4,
    ],
    [
      'the first and the last moment of a Date',
      '92 c70cff00000000fffff82457de8000 c70cff00000000000007dba8218000',
      3,
    ],
  ])('%s', (_, bytes, nodes) => {
    expect(scan(bytes).nodes).toBe(nodes)
  })

  test('a range within a buffer, and nothing outside of it is read', () => {
    const bytes = hex('c1 c1 81 a1 61 01 c1 c1')
    expect(checkMsgpack(bytes, 2, 6, limits)).toMatchObject({ nodes: 3, keys: 1 })
    for (const [start, end] of [
      [1, 6],
      [2, 5],
      [2, 7],
      [3, 6],
    ] as const)
      expect(() => checkMsgpack(bytes, start, end, limits)).toThrow(CodecError)
  })

  test('counts keys, and tells binary, wide maps and byte order marks', () => {
    expect(scan('82 a161 81 a162 01 a163 02')).toMatchObject({
      keys: 3,
      binary: false,
      wideMaps: false,
    })
    expect(scan('91 c4 00')).toMatchObject({ binary: true })
    const wide = (keys: number): string =>
      `de${keys.toString(16).padStart(4, '0')}` +
      Array.from({ length: keys }, (_, key) => `a2${(0x4100 + key).toString(16)}00`).join('')
    expect(scan(wide(16))).toMatchObject({ keys: 16, wideMaps: false })
    expect(scan(wide(17))).toMatchObject({ keys: 17, wideMaps: true })
    expect(scan(`91 d941 efbbbf ${'2d'.repeat(62)}`)).toMatchObject({ marks: [3] })
    expect(scan(`91 d940 efbbbf ${'2d'.repeat(61)}`)).toMatchObject({ marks: [] })
  })

  test('cut at every byte it is refused, and so it is with a byte behind it', () => {
    const bytes = hex(
      '8a a161 01 a162 cd0102 a163 cb3ff0000000000000 a164 d90161 a165 c40101 a166 92c0c3 a167 81a17801' +
        'a168 d6ff00000001 a169 d40000 a16a cf0020000000000001',
    )
    expect(verdict(bytes)).toBe('accepted')
    for (let end = 0; end < bytes.length; end += 1)
      expect(['end', 'length'], `cut at ${end}`).toContain(verdict(bytes.subarray(0, end)))
    for (let byte = 0; byte < 256; byte += 1)
      expect(verdict(Uint8Array.from([...bytes, byte]))).toBe('end')
  })
})

describe('refused', () => {
  test('depth: 64 containers, not 65, and a million at once [threat C1]', () => {
    // A stack that overflows under AsyncLocalStorage cannot be caught (CVE-2025-59466).
    new AsyncLocalStorage<number>().run(1, () => {
      expect(verdict(repeated('91', 64, 'c0'))).toBe('accepted')
      expect(verdict(repeated('91', 65, 'c0'))).toBe('depth')
      expect(verdict(repeated('81a161', 64, 'c0'))).toBe('accepted')
      expect(verdict(repeated('81a161', 65, 'c0'))).toBe('depth')
      const million = repeated('91', 1_000_000)
      expect(verdict(million)).toBe('depth')
      expect(msOf(() => verdict(million))).toBeLessThan(1)
      expect(verdict(repeated('91', 4, 'c0'), { maxDepth: 3 })).toBe('depth')
      expect(verdict(repeated('91', 255, 'c0'), { maxDepth: 10_000 })).toBe('accepted')
      expect(verdict(repeated('91', 256, 'c0'), { maxDepth: 10_000 })).toBe('depth')
    })
  })

  test('ext: pointers and cycles [threat C2]', () => {
    const id = (level: number): string => level.toString(16).padStart(8, '0')
    let bomb = `d669 ${id(0)} 91 01`
    for (let level = 1; level < 24; level += 1)
      bomb = `d669 ${id(level)} 92 ${bomb} d670 ${id(level - 1)}`
    expect(verdict(bomb)).toBe('ext')
    expect(verdict('d669 00000000 91 d670 00000000')).toBe('ext')
    expect(verdict('91 d670 00000000')).toBe('ext')
  })

  test('ext: record definitions, which msgpackr compiles [threat C3]', () => {
    expect(verdict('d4 72 40 91 a1 78 05')).toBe('ext')
    expect(verdict('d5 72 40 00 91 a1 78 05')).toBe('ext')
  })

  test('ext: what else msgpackr makes of extensions [threat C4]', () => {
    expect(verdict('d4 78 00 92 a6 28612b292b24 a0'), 'RegExp').toBe('ext')
    expect(verdict('d4 65 00 c0'), 'Error').toBe('ext')
    expect(verdict('d4 73 00 90'), 'Set').toBe('ext')
    expect(verdict(`c7 11 74 ${'00'.repeat(17)}`), 'typed array').toBe('ext')
    expect(verdict(hex(`c9 00100000 42 ${'00'.repeat(0x100000)}`)), 'bigint of 1 MiB').toBe('ext')
    expect(verdict('d6 62 00000001'), 'bundled texts').toBe('ext')
    expect(verdict('d4 ff ff'), 'invalid date').toBe('ext')
    expect(verdict('d4 00 01'), 'undefined in another form').toBe('ext')
    expect(verdict('c7 01 00 00'), 'undefined in another form').toBe('ext')
    expect(verdict('c7 04 ff 00000000'), 'timestamp in another form').toBe('ext')
    expect(verdict(`c8 000c ff ${'00'.repeat(12)}`), 'timestamp in another form').toBe('ext')
    expect(verdict('d7 ff ee6b2800 00000000'), 'a billion nanoseconds').toBe('ext')
    expect(verdict('c7 0c ff 3b9aca00 0000000000000000'), 'a billion nanoseconds').toBe('ext')
    expect(verdict('c7 0c ff 00000000 000007dba8218001'), 'later than a Date').toBe('ext')
    expect(verdict('c7 0c ff 00000001 000007dba8218000'), 'later than a Date').toBe('ext')
    expect(verdict('c7 0c ff 00000000 fffff82457de7fff'), 'earlier than a Date').toBe('ext')
    expect(verdict('c7 0c ff 00000000 8000000000000000'), 'earlier than a Date').toBe('ext')
  })

  test('ext: every type but the two that are allowed, in every form [threat C4]', () => {
    const forms = ['d4', 'd5', 'd6', 'd7', 'd8', 'c708', 'c80008', 'c900000008']
    const sizes = [1, 2, 4, 8, 16, 8, 8, 8]
    for (let type = 0; type < 256; type += 1)
      for (const [index, form] of forms.entries()) {
        const name = type.toString(16).padStart(2, '0')
        const allowed =
          (type === 0 && form === 'd4') || (type === 0xff && (form === 'd6' || form === 'd7'))
        const bytes = `${form}${name}${'00'.repeat(sizes[index]!)}`
        expect(verdict(bytes), `${bytes}`).toBe(allowed ? 'accepted' : 'ext')
      }
  })

  test('ext: the byte 0xc1 [threat C5]', () => {
    expect(verdict('c1')).toBe('ext')
    expect(verdict('91 c1')).toBe('ext')
    expect(verdict('81 a161 c1')).toBe('ext')
  })

  test('length: headers that claim more than there is, at once [threat C6]', () => {
    for (const bytes of [
      'dd ffffffff',
      'df ffffffff',
      'c6 ffffffff',
      'db ffffffff',
      'c9 ffffffff 42',
      'dc ffff',
      'de ffff',
      'c5 ffff',
      'da ffff',
      'c8 ffff ff',
      'c4 01',
      'd9 01',
      'a1',
      '91',
      '81',
      '81 a1',
      '92 c0',
      // Each pair takes two bytes at least.
      '82 a161 01',
      'df 40000000 00',
      'df 80000001 00',
      'dd 80000000 00',
    ]) {
      expect(verdict(bytes), `${bytes}`).toBe('length')
      const all = hex(bytes)
      expect(
        msOf(() => verdict(all)),
        `${bytes}`,
      ).toBeLessThan(0.1)
    }
  })

  test('length: a thousand containers that each claim what is left [threat C6]', () => {
    const nested = Uint8Array.from({ length: 5_000 }, (_, index) => [0xdd, 0, 0, 0, 1][index % 5]!)
    expect(verdict(nested)).toBe('depth')
    expect(verdict(nested, { maxDepth: 1_000_000 })).toBe('depth')
  })

  test('proto: the key __proto__, at every level [threat C7]', () => {
    const proto = Buffer.from('__proto__').toString('hex')
    expect(verdict(`81 a9 ${proto} 81 a1 78 01`)).toBe('proto')
    expect(verdict(`81 d909 ${proto} 01`)).toBe('proto')
    expect(verdict(`81 da0009 ${proto} 01`)).toBe('proto')
    expect(verdict(`92 01 82 a161 01 a9 ${proto} 01`)).toBe('proto')
    expect(verdict(`81 a9 ${Buffer.from('__prefix1').toString('hex')} 01`)).toBe('accepted')
    expect(verdict(`91 a9 ${proto}`), 'as a value').toBe('accepted')
  })

  test('nodes: containers, keys and values count [threat C8]', () => {
    const array = (count: number): Uint8Array => {
      const bytes = new Uint8Array(5 + count).fill(0x80)
      bytes.set([0xdd, 0, count >> 16, (count >> 8) & 255, count & 255])
      return bytes
    }
    expect(scan(array(262_143)).nodes).toBe(262_144)
    expect(verdict(array(262_144))).toBe('nodes')
    expect(verdict('81 a161 01', { maxNodes: 3 })).toBe('accepted')
    expect(verdict('81 a161 01', { maxNodes: 2 })).toBe('nodes')
    expect(verdict('82 a161 01 a162 02', { maxKeys: 2 })).toBe('accepted')
    expect(verdict('82 a161 01 a162 02', { maxKeys: 1 })).toBe('key')
  })

  test('end: bytes behind the value, none at all, a value cut short [threat C9]', () => {
    for (const bytes of [
      'c0 c0',
      '',
      'cc',
      'cd 01',
      'cf 00',
      'ca 000000',
      'd9',
      'dd 0000',
      'd6 ff',
      'c7',
      'd4',
    ]) {
      expect(verdict(bytes), `${bytes}`).toBe('end')
      const all = hex(bytes)
      expect(
        msOf(() => verdict(all)),
        `${bytes}`,
      ).toBeLessThan(0.1)
    }
  })

  test('dup, key, utf8: what decoders disagree about [threat C10]', () => {
    expect(verdict('82 a161 01 a161 02')).toBe('dup')
    expect(verdict('82 a161 01 d90161 02'), 'the same key in another form').toBe('dup')
    expect(verdict('82 a0 01 a0 02'), 'the empty key').toBe('dup')
    expect(verdict('83 a161 81 a161 01 a162 82 a161 01 a162 01 a161 03'), 'around other maps').toBe(
      'dup',
    )
    expect(verdict('92 81 a161 01 81 a161 02'), 'in two maps').toBe('accepted')
    expect(verdict('81 a161 81 a161 01'), 'in a map within').toBe('accepted')
    expect(verdict('81 01 02')).toBe('key')
    for (const key of [
      'c0',
      'c3',
      'c40161',
      '90',
      '80',
      'd6ff00000000',
      'd40000',
      'cb0000000000000000',
      'ff',
    ])
      expect(verdict(`81 ${key} 02`), `${key}`).toBe('key')
    expect(verdict('a1 ff')).toBe('utf8')
    expect(verdict('a3 eda080')).toBe('utf8')
  })

  test('every two equal keys among 16 are found [threat C10]', () => {
    for (let first = 0; first < 16; first += 1)
      for (let second = first + 1; second < 16; second += 1) {
        const keys = Array.from({ length: 16 }, (_, key) => `a2 6b ${(0x41 + key).toString(16)}`)
        keys[second] = keys[first]!
        expect(verdict(`de0010 ${keys.map((key) => `${key} 00`).join('')}`)).toBe('dup')
      }
  })

  test('no message quotes the payload', () => {
    const secret = Buffer.from('Secret!!!').toString('hex')
    for (const bytes of [
      `82 a9${secret} 01 a9${secret} 02`,
      `92 a9${secret}`,
      `91 a9${secret} c0`,
      `a9${secret}ff`,
    ])
      try {
        scan(bytes)
        expect.unreachable()
      } catch (error) {
        expect(String(error)).not.toContain('Secret')
        expect(error).toMatchObject({ path: '' })
      }
  })
})
