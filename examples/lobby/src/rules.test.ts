import { describe, expect, test } from 'vitest'
import { chooseMove } from './brain.ts'
import {
  addPainter,
  type Arena,
  height,
  type Intent,
  openArena,
  scores,
  seatCount,
} from './rules.ts'
import {
  around,
  neighbour,
  splashTicks,
  step,
  stepTicks,
  ticksPerSecond,
  width,
  winners,
} from './rules.ts'

const still: Intent = { dir: 'stay', splash: false }

function run(arena: Arena, ticks: number, intents: (arena: Arena) => Map<number, Intent>): Arena {
  let now = arena
  for (let i = 0; i < ticks; i++) now = step(now, intents(now))
  return now
}

const going =
  (dir: Intent['dir'], seat = 0) =>
  () =>
    new Map([[seat, { dir, splash: false }]])
const placeOf = (arena: Arena, seat = 0): [number, number] => {
  const painter = arena.painters.find((one) => one.seat === seat)
  if (painter === undefined) throw new Error(`no painter ${seat}`)
  return [painter.x, painter.y]
}

describe('a round', () => {
  test('begins with each painter on a painted corner of its own', () => {
    const arena = openArena([0, 1, 2, 3], 45)
    expect(arena.left).toBe(45 * ticksPerSecond)
    expect(scores(arena.tiles)).toEqual([1, 1, 1, 1])
    expect(new Set(arena.painters.map(({ x, y }) => `${x},${y}`)).size).toBe(seatCount)
  })

  test('ends after its seconds and then stands still', () => {
    const over = run(openArena([0], 10), 10 * ticksPerSecond, going('right'))
    expect(over.left).toBe(0)
    expect(step(over, new Map([[0, { dir: 'left', splash: true }]]))).toBe(over)
  })

  test('does not change the arena that it came from', () => {
    const arena = openArena([0, 1], 10)
    const before = structuredClone(arena)
    run(arena, 50, going('right'))
    expect(arena).toEqual(before)
  })

  test('has no painter for a seat that does not exist', () => {
    expect(() => openArena([seatCount], 10)).toThrow(RangeError)
  })
})

describe('a painter', () => {
  test(`enters a tile every ${stepTicks} ticks, the first at once, and paints it`, () => {
    const arena = openArena([0], 10)
    const [x, y] = placeOf(arena)
    const places = [1, 3, 4, 6, 7].map((ticks) => placeOf(run(arena, ticks, going('right'))))
    expect(places).toEqual([
      [x + 1, y],
      [x + 1, y],
      [x + 2, y],
      [x + 2, y],
      [x + 3, y],
    ])
    expect(scores(run(arena, 7, going('right')).tiles)[0]).toBe(4)
  })

  test.each([
    ['left', 0, 2],
    ['right', width - 1, 2],
    ['up', 2, 0],
    ['down', 2, height - 1],
  ] as const)('that runs %s stops at the wall', (dir, x, y) => {
    expect(placeOf(run(openArena([0], 60), 300, going(dir)))).toEqual([x, y])
  })

  test('does not enter a tile on which somebody stands', () => {
    let arena = openArena([0, 2], 60)
    arena = run(arena, 300, () => new Map([[0, { dir: 'right', splash: false }]]))
    const [x, y] = placeOf(arena, 2)
    expect(placeOf(arena, 0)).toEqual([x - 1, y])
  })

  test('takes tiles of others', () => {
    let arena = openArena([0, 2], 60)
    arena = run(arena, 30, going('left', 2))
    arena = run(arena, 6, going('down', 2))
    const before = scores(arena.tiles)[2] ?? 0
    arena = run(arena, 120, going('right', 0))
    expect(scores(arena.tiles)[2]).toBeLessThan(before)
  })

  test('that comes later starts on its corner, or beside who stands there', () => {
    const alone = openArena([0], 60)
    const [x, y] = placeOf(openArena([3], 60), 3)
    expect(placeOf(addPainter(alone, 3), 3)).toEqual([x, y])
    // Down and a little back: painter 0 stands on the corner of seat 3.
    const low = run(alone, 300, going('down'))
    const there = run(low, stepTicks * (placeOf(low)[1] - y), going('up'))
    expect(placeOf(there)).toEqual([x, y])
    expect(placeOf(addPainter(there, 3), 3)).toEqual([x + 1, y])
    expect(addPainter(there, 0)).toBe(there)
  })
})

describe('a splash', () => {
  const splash = new Map<number, Intent>([[0, { dir: 'stay', splash: true }]])

  test('paints nine tiles and works again after its cool-down', () => {
    let arena = step(openArena([0], 60), splash)
    expect(scores(arena.tiles)[0]).toBe(9)
    arena = run(arena, 3 * stepTicks, going('right'))
    const before = scores(arena.tiles)[0]
    expect(scores(step(arena, splash).tiles)[0]).toBe(before)
    arena = run(arena, splashTicks - 3 * stepTicks, () => new Map())
    expect(arena.painters[0]?.cooldown).toBe(0)
    expect(scores(step(arena, splash).tiles)[0]).toBeGreaterThan(before ?? 0)
  })

  test('never takes the tile on which another painter stands', () => {
    let arena = run(openArena([0, 2], 60), 300, going('right'))
    arena = step(arena, splash)
    const [x, y] = placeOf(arena, 2)
    expect(arena.tiles[y * width + x]).toBe(3)
  })
})

test('the most tiles win; equal tiles are a draw', () => {
  const even = openArena([1, 0], 10)
  expect(winners(even)).toEqual([0, 1])
  expect(winners(run(even, 20, going('left', 1)))).toEqual([1])
  expect(winners(openArena([], 10))).toEqual([])
})

test('tiles around and beside a place stay inside the walls', () => {
  expect(around(5, 5)).toHaveLength(9)
  expect(around(0, 0)).toEqual([
    [0, 0],
    [1, 0],
    [0, 1],
    [1, 1],
  ])
  expect(neighbour(0, 0, 'left')).toBeUndefined()
  expect(neighbour(0, 0, 'right')).toEqual([1, 0])
})

describe('bots', () => {
  const bots = (arena: Arena): Map<number, Intent> =>
    new Map([0, 1, 2, 3].map((seat) => [seat, chooseMove(arena, seat)]))

  test('play the same round twice, to the last tile', () => {
    const first = run(openArena([0, 1, 2, 3], 30), 600, bots)
    const second = run(openArena([0, 1, 2, 3], 30), 600, bots)
    expect(second).toEqual(first)
  })

  test('fill the floor, and no two painters ever stand on one tile', () => {
    let arena = openArena([0, 1, 2, 3], 45)
    for (let tick = 0; tick < 45 * ticksPerSecond; tick++) {
      arena = step(arena, bots(arena))
      expect(new Set(arena.painters.map(({ x, y }) => y * width + x)).size).toBe(4)
      for (const { x, y, seat } of arena.painters) expect(arena.tiles[y * width + x]).toBe(seat + 1)
    }
    const painted = scores(arena.tiles).reduce((sum, count) => sum + count, 0)
    expect(painted).toBeGreaterThan(width * height * 0.9)
  })

  test('stay where they are when there is nothing to win, or no painter of theirs', () => {
    const arena = openArena([0], 10)
    expect(chooseMove({ ...arena, tiles: arena.tiles.map(() => 1) }, 0)).toEqual(still)
    expect(chooseMove(arena, 2)).toEqual(still)
  })
})
