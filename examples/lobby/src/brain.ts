// How a bot plays: it walks to the nearest tile that is not its own, rather bare than taken.
//   in  -> what a snapshot shows
//   out -> a move
// Pure, like the rules: the same picture gives the same move.

import { type Direction, type Intent, type Painter, type Tiles, around } from './rules.ts'
import { neighbour, width } from './rules.ts'

/** What a player sees of the arena. */
export interface View {
  readonly tick: number
  readonly tiles: Tiles
  readonly painters: readonly Omit<Painter, 'wait'>[]
}

const directions: readonly Direction[] = ['up', 'right', 'down', 'left']
/** A splash is worth its cool-down from this many tiles on. */
const worthwhile = 7
/** Steps that a bot goes further for a bare tile than for one of somebody else. */
const detour = 4

/** What the bot on `seat` does now; it stays where it is if it has no painter. */
export function chooseMove(view: View, seat: number): Intent {
  const me = view.painters.find((painter) => painter.seat === seat)
  if (me === undefined) return { dir: 'stay', splash: false }
  const gain = around(me.x, me.y).filter(([x, y]) => ownerAt(view.tiles, x, y) !== seat + 1)
  return {
    dir: towardsNearest(view, me),
    splash: me.cooldown === 0 && gain.length >= worthwhile,
  }
}

/** Breadth first from where it stands; straight on first, so that it paints lines. */
function towardsNearest(view: View, me: Omit<Painter, 'wait'>): Direction {
  const reached = reachable(view, me)
  let best: { first: Direction; cost: number } = { first: 'stay', cost: Infinity }
  for (const { x, y, first, steps } of reached) {
    if (steps >= best.cost) break
    const owner = ownerAt(view.tiles, x, y)
    const cost = steps + (owner === 0 ? 0 : detour)
    if (owner !== me.seat + 1 && cost < best.cost) best = { first, cost }
  }
  return best.first
}

interface Reached {
  readonly x: number
  readonly y: number
  /** The first step on the way there. */
  readonly first: Direction
  readonly steps: number
}

/** Tiles in the order of their distance, without those on which somebody stands. */
function* reachable(view: View, me: Omit<Painter, 'wait'>): Generator<Reached, void, void> {
  const seen = new Set(view.painters.map((painter) => painter.y * width + painter.x))
  const queue: Reached[] = []
  const visit = (from: { x: number; y: number }, dir: Direction, steps: number): Reached[] => {
    const next = neighbour(from.x, from.y, dir)
    if (next === undefined) return []
    const at = next[1] * width + next[0]
    if (seen.has(at)) return []
    seen.add(at)
    return [{ x: next[0], y: next[1], first: dir, steps }]
  }
  for (const dir of turnsFrom(me)) queue.push(...visit(me, dir, 1))
  for (const tile of queue) {
    yield tile
    for (const dir of directions)
      for (const next of visit(tile, dir, tile.steps + 1))
        queue.push({ ...next, first: tile.first })
  }
}

/** The direction it has, then the others, beginning at one that differs from seat to seat. */
function turnsFrom(me: Omit<Painter, 'wait'>): Direction[] {
  const turned = [...directions.slice(me.seat), ...directions.slice(0, me.seat)]
  return me.dir === 'stay' ? turned : [me.dir, ...turned.filter((dir) => dir !== me.dir)]
}

function ownerAt(tiles: Tiles, x: number, y: number): number {
  return tiles[y * width + x] ?? 0
}
