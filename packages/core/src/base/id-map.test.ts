import fc from 'fast-check'
import { expect, test } from 'vitest'
import { sizes } from '../../../../tests/sizes.ts'
import { IdMap } from './id-map.ts'

test('behaves like a Map, whatever ids live how long', () => {
  const steps = fc.array(fc.tuple(fc.integer({ min: 1, max: 200 }), fc.boolean()), {
    maxLength: 400,
  })
  fc.assert(
    fc.property(steps, (all) => {
      const tested = new IdMap<string>()
      const model = new Map<number, string>()
      for (const [id, add] of all) {
        if (add && !model.has(id)) {
          tested.add(id, `call ${id}`)
          model.set(id, `call ${id}`)
        } else if (!add) expect(tested.delete(id)).toBe(model.delete(id))
        expect(tested.get(id)).toBe(model.get(id))
        expect(tested.size).toBe(model.size)
      }
      const byId = [...model].toSorted(([one], [other]) => one - other)
      expect(tested.values()).toEqual(byId.map(([, value]) => value))
    }),
    { numRuns: sizes.propertyRuns, seed: 1 },
  )
})

test('one that lives for ever does not make it grow while others pass by', () => {
  const map = new IdMap<number>()
  map.add(1, 1)
  let wrong = 0
  for (let id = 3; id < 200_001; id += 2) {
    map.add(id, id)
    if (map.get(id) !== id || !map.delete(id)) wrong += 1
  }
  expect([wrong, map.get(1)]).toEqual([0, 1])
  expect(map.size).toBe(1)
  expect(Reflect.get(map, 'ids')).toHaveLength(16)
})

test('takes many at once, and is empty after clear', () => {
  const map = new IdMap<number>()
  for (let id = 1; id < 20_000; id += 2) map.add(id, id)
  let wrong = 0
  for (let id = 1; id < 20_000; id += 2) if (map.get(id) !== id) wrong += 1
  expect(wrong).toBe(0)
  map.clear()
  expect([map.size, map.get(1), map.values().length]).toEqual([0, undefined, 0])
})
