// The game: painters cross a floor of tiles and paint what they cross; most tiles win.
//   in  -> an arena, and what each painter wants
//   out -> the arena one tick later
// Pure and deterministic: integers, no clock, no chance. The server steps it, the page's welcome
// screen steps its own. Knows nothing of rooms, players or wires.

export const width = 24
export const height = 15
export const seatCount = 4
export const ticksPerSecond = 20

/** Ticks from one tile to the next. */
export const stepTicks = 3
/** Ticks from one splash to the next. */
export const splashTicks = 100

export type Direction = 'up' | 'down' | 'left' | 'right' | 'stay'

/** Owner of each tile, row by row: 0 is bare, otherwise the seat + 1. */
export type Tiles = Uint8Array<ArrayBuffer>

export interface Painter {
  readonly seat: number
  readonly x: number
  readonly y: number
  readonly dir: Direction
  /** Ticks until it may enter the next tile. */
  readonly wait: number
  /** Ticks until it may splash. */
  readonly cooldown: number
}

export interface Arena {
  readonly tick: number
  /** Ticks until the round is over. */
  readonly left: number
  readonly tiles: Tiles
  readonly painters: readonly Painter[]
}

/** What a painter wants this tick. */
export interface Intent {
  readonly dir: Direction
  /** Paint the nine tiles around; ignored during the cool-down. */
  readonly splash: boolean
}

const starts = [
  [2, 2],
  [width - 3, height - 3],
  [width - 3, 2],
  [2, height - 3],
] as const

const deltas: Readonly<Record<Direction, readonly [dx: number, dy: number]>> = {
  up: [0, -1],
  down: [0, 1],
  left: [-1, 0],
  right: [1, 0],
  stay: [0, 0],
}

/** A bare floor with a painter for each of `seats`, each on its own painted corner. */
export function openArena(seats: readonly number[], roundSeconds: number): Arena {
  const bare: Arena = {
    tick: 0,
    left: roundSeconds * ticksPerSecond,
    tiles: new Uint8Array(width * height),
    painters: [],
  }
  return seats.reduce(addPainter, bare)
}

/** The same arena with a painter at the corner of `seat`, if it has none yet. */
export function addPainter(arena: Arena, seat: number): Arena {
  const start = starts[seat]
  if (start === undefined) throw new RangeError(`seats are 0 to ${seatCount - 1}`)
  if (arena.painters.some((painter) => painter.seat === seat)) return arena
  const [x, y] = freeTile(arena, start[0], start[1])
  const tiles = arena.tiles.slice()
  tiles[y * width + x] = seat + 1
  const painter: Painter = { seat, x, y, dir: 'stay', wait: 0, cooldown: 0 }
  return { ...arena, tiles, painters: [...arena.painters, painter] }
}

/** One tick. A finished round does not change any more. */
export function step(arena: Arena, intents: ReadonlyMap<number, Intent>): Arena {
  if (arena.left === 0) return arena
  const tiles = arena.tiles.slice()
  const painters = [...arena.painters]
  // Who goes first changes each tick: nobody always wins the race to a tile.
  for (let i = 0; i < painters.length; i++) {
    const at = (i + arena.tick) % painters.length
    const painter = painters[at]
    if (painter === undefined) continue
    const intent = intents.get(painter.seat) ?? { dir: 'stay', splash: false }
    painters[at] = stepPainter(painter, intent, painters, tiles)
  }
  return { tick: arena.tick + 1, left: arena.left - 1, tiles, painters }
}

function stepPainter(
  painter: Painter,
  intent: Intent,
  all: readonly Painter[],
  tiles: Tiles,
): Painter {
  const moved = move(painter, intent.dir, all)
  tiles[moved.y * width + moved.x] = moved.seat + 1
  if (!intent.splash || painter.cooldown > 0)
    return { ...moved, cooldown: Math.max(0, painter.cooldown - 1) }
  for (const [x, y] of around(moved.x, moved.y)) {
    // Nobody loses the tile on which he stands.
    if (!all.some((other) => other.x === x && other.y === y && other.seat !== moved.seat))
      tiles[y * width + x] = moved.seat + 1
  }
  return { ...moved, cooldown: splashTicks }
}

function move(painter: Painter, dir: Direction, all: readonly Painter[]): Painter {
  if (painter.wait > 0) return { ...painter, dir, wait: painter.wait - 1 }
  const [dx, dy] = deltas[dir]
  const x = painter.x + dx
  const y = painter.y + dy
  const free =
    dir !== 'stay' && isInside(x, y) && !all.some((other) => other.x === x && other.y === y)
  return free ? { ...painter, dir, x, y, wait: stepTicks - 1 } : { ...painter, dir }
}

/** Tiles of each seat, by seat number. */
export function scores(tiles: Tiles): number[] {
  const counts = new Array<number>(seatCount).fill(0)
  for (const owner of tiles) {
    if (owner > 0) counts[owner - 1] = (counts[owner - 1] ?? 0) + 1
  }
  return counts
}

/** Who has the most tiles: several seats in a draw, none without painters. */
export function winners(arena: Arena): number[] {
  const counts = scores(arena.tiles)
  const best = Math.max(0, ...arena.painters.map((painter) => counts[painter.seat] ?? 0))
  return arena.painters
    .map((painter) => painter.seat)
    .filter((seat) => counts[seat] === best)
    .sort((a, b) => a - b)
}

/** The tile beside x, y in a direction, or undefined at the wall. */
export function neighbour(
  x: number,
  y: number,
  dir: Direction,
): readonly [x: number, y: number] | undefined {
  const [dx, dy] = deltas[dir]
  return isInside(x + dx, y + dy) ? [x + dx, y + dy] : undefined
}

/** The nine tiles at and around x, y, fewer at a wall. */
export function around(x: number, y: number): (readonly [x: number, y: number])[] {
  const tiles: (readonly [number, number])[] = []
  for (let dy = -1; dy <= 1; dy++) {
    for (let dx = -1; dx <= 1; dx++) {
      if (isInside(x + dx, y + dy)) tiles.push([x + dx, y + dy])
    }
  }
  return tiles
}

function isInside(x: number, y: number): boolean {
  return x >= 0 && x < width && y >= 0 && y < height
}

/** Where a latecomer can stand: his corner, or the first free tile to the right of it. */
function freeTile(arena: Arena, x: number, y: number): readonly [x: number, y: number] {
  let at = x
  while (arena.painters.some((painter) => painter.x === at && painter.y === y))
    at = (at + 1) % width
  return [at, y]
}
