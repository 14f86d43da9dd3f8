import { expect, test } from 'vitest'
import { Roster, type RosterMember } from './roster.ts'

test('members come and go in any order', () => {
  const roster = new Roster<RosterMember & { readonly name: string }>()
  const [a, b, c] = ['a', 'b', 'c'].map((name) => ({ name, rosterAt: -1 }))
  for (const member of [a!, b!, c!]) roster.add(member)
  expect(roster.size).toBe(3)
  expect(roster.delete(a!)).toBe(true)
  expect(roster.delete(a!)).toBe(false)
  expect(roster.all().map(({ name }) => name)).toEqual(['c', 'b'])
  expect(roster.delete(b!)).toBe(true)
  roster.add(a!)
  expect(roster.delete(c!)).toBe(true)
  expect(roster.all()).toEqual([a])
  expect([a!.rosterAt, b!.rosterAt, c!.rosterAt]).toEqual([0, -1, -1])
})
