// Draws an arena on a canvas, smoothly between snapshots.
//   in  -> snapshots, as often as they come
//   out -> pixels, once an animation frame while the board is shown
// Invents nothing: what it shows is at most one step of a painter behind what the server said.

import { colourOf, traceShape } from './colours.ts'
import { height, splashTicks, stepTicks, ticksPerSecond, type Tiles, width } from '../src/rules.ts'

export interface Picture {
  readonly tiles: Tiles
  readonly painters: readonly {
    readonly seat: number
    readonly x: number
    readonly y: number
    readonly cooldown: number
  }[]
}

/** Where a painter is drawn: on the way from one tile to the next. */
interface Figure {
  readonly seat: number
  fromX: number
  fromY: number
  toX: number
  toY: number
  since: number
  cooldown: number
  splashedAt: number
}

const stepMs = (stepTicks / ticksPerSecond) * 1_000
const dryMs = 260
const ringMs = 450
const calm = matchMedia('(prefers-reduced-motion: reduce)')

export class Board {
  readonly #canvas: HTMLCanvasElement
  readonly #context: CanvasRenderingContext2D
  readonly #figures = new Map<number, Figure>()
  readonly #paintedAt = new Float64Array(width * height)
  #tiles: Tiles = new Uint8Array(width * height)
  #own: number | undefined
  #names: ReadonlyMap<number, string> = new Map()
  #frame = 0

  constructor(canvas: HTMLCanvasElement) {
    const context = canvas.getContext('2d')
    if (context === null) throw new Error('this browser has no 2D canvas')
    this.#canvas = canvas
    this.#context = context
  }

  /** Draws until `stop`. */
  start(): void {
    this.stop()
    const draw = (now: number): void => {
      this.#draw(now)
      this.#frame = requestAnimationFrame(draw)
    }
    this.#frame = requestAnimationFrame(draw)
  }

  stop(): void {
    cancelAnimationFrame(this.#frame)
  }

  /** A bare floor. */
  clear(): void {
    this.#figures.clear()
    this.#tiles = new Uint8Array(width * height)
  }

  /** Names above the painters; one's own is marked. */
  label(names: ReadonlyMap<number, string>, own: number | undefined): void {
    this.#names = names
    this.#own = own
  }

  show(picture: Picture): void {
    const now = performance.now()
    for (let at = 0; at < picture.tiles.length; at++) {
      if (picture.tiles[at] !== this.#tiles[at]) this.#paintedAt[at] = now
    }
    this.#tiles = picture.tiles
    for (const painter of picture.painters) this.#move(painter, now)
    for (const seat of this.#figures.keys()) {
      if (!picture.painters.some((painter) => painter.seat === seat)) this.#figures.delete(seat)
    }
  }

  #move({ seat, x, y, cooldown }: Picture['painters'][number], now: number): void {
    const figure = this.#figures.get(seat)
    if (figure === undefined) {
      const still = { fromX: x, fromY: y, toX: x, toY: y, since: now }
      this.#figures.set(seat, { seat, ...still, cooldown, splashedAt: -Infinity })
      return
    }
    if (figure.toX !== x || figure.toY !== y) {
      const [fromX, fromY] = place(figure, now)
      // Further than a step: a new round, not a walk.
      const far = Math.abs(x - fromX) + Math.abs(y - fromY) > 2.5
      Object.assign(figure, { fromX: far ? x : fromX, fromY: far ? y : fromY, toX: x, toY: y })
      figure.since = now
    }
    if (cooldown > figure.cooldown) figure.splashedAt = now
    figure.cooldown = cooldown
  }

  #draw(now: number): void {
    const ratio = Math.min(window.devicePixelRatio, 2)
    const wide = Math.round(this.#canvas.clientWidth * ratio)
    if (wide === 0) return
    const tile = wide / width
    const high = Math.round(tile * height)
    if (this.#canvas.width !== wide || this.#canvas.height !== high)
      Object.assign(this.#canvas, { width: wide, height: high })
    this.#context.clearRect(0, 0, wide, high)
    this.#drawTiles(tile, now)
    for (const figure of this.#figures.values()) this.#drawFigure(figure, tile, now)
    for (const figure of this.#figures.values()) this.#drawName(figure, tile, now)
  }

  #drawTiles(tile: number, now: number): void {
    const context = this.#context
    const gap = Math.max(1, tile * 0.05)
    for (let at = 0; at < this.#tiles.length; at++) {
      const x = (at % width) * tile
      const y = Math.floor(at / width) * tile
      const owner = this.#tiles[at] ?? 0
      context.fillStyle = (Math.floor(at / width) + at) % 2 === 0 ? '#171c2b' : '#141827'
      box(context, x + gap, y + gap, tile - 2 * gap, tile * 0.2)
      if (owner === 0) continue
      const age = calm.matches ? 1 : Math.min(1, (now - (this.#paintedAt[at] ?? 0)) / dryMs)
      const size = (tile - 2 * gap) * (0.45 + 0.55 * easeOut(age))
      context.fillStyle = colourOf(owner - 1)
      context.globalAlpha = 0.72 + 0.28 * (1 - age)
      box(context, x + (tile - size) / 2, y + (tile - size) / 2, size, tile * 0.2)
      context.globalAlpha = 0.16
      context.fillStyle = '#ffffff'
      box(context, x + (tile - size) / 2, y + (tile - size) / 2, size, tile * 0.2, size * 0.42)
      context.globalAlpha = 1
    }
  }

  #drawFigure(figure: Figure, tile: number, now: number): void {
    const context = this.#context
    const [x, y] = place(figure, now)
    const colour = colourOf(figure.seat)
    context.save()
    context.translate((x + 0.5) * tile, (y + 0.5) * tile)
    const ring = (now - figure.splashedAt) / ringMs
    if (ring < 1 && !calm.matches) {
      context.strokeStyle = colour
      context.globalAlpha = 1 - ring
      context.lineWidth = tile * 0.18 * (1 - ring)
      context.beginPath()
      context.arc(0, 0, tile * (0.6 + 1.6 * easeOut(ring)), 0, Math.PI * 2)
      context.stroke()
      context.globalAlpha = 1
    }
    context.shadowColor = colour
    context.shadowBlur = tile * 0.8
    traceShape(context, figure.seat, tile * 0.4)
    context.fillStyle = colour
    context.fill()
    context.shadowBlur = 0
    context.lineWidth = tile * 0.1
    context.strokeStyle = figure.seat === this.#own ? '#ffffff' : '#0a0c14'
    context.stroke()
    if (figure.seat === this.#own) this.#drawCooldown(figure, tile)
    context.restore()
  }

  /** An arc around one's own figure that closes as the next splash comes near. */
  #drawCooldown(figure: Figure, tile: number): void {
    const full = 1 - figure.cooldown / splashTicks
    const context = this.#context
    context.beginPath()
    context.arc(0, 0, tile * 0.66, -Math.PI / 2, -Math.PI / 2 + full * Math.PI * 2)
    context.strokeStyle = full >= 1 ? '#ffffff' : 'rgba(255, 255, 255, 0.45)'
    context.lineWidth = tile * 0.08
    context.stroke()
  }

  #drawName(figure: Figure, tile: number, now: number): void {
    const name = this.#names.get(figure.seat)
    if (name === undefined) return
    const context = this.#context
    const [x, y] = place(figure, now)
    context.font = `600 ${Math.max(10, tile * 0.44)}px system-ui, sans-serif`
    context.textAlign = 'center'
    context.lineWidth = Math.max(2, tile * 0.14)
    context.lineJoin = 'round'
    context.strokeStyle = 'rgba(10, 12, 20, 0.85)'
    context.fillStyle = '#ffffff'
    // Inside the walls: beside them a name moves in, under the upper one it goes below the figure.
    const half = context.measureText(name).width / 2 + tile * 0.2
    const at = Math.min(Math.max((x + 0.5) * tile, half), width * tile - half)
    const line = (y + (y < 1 ? 1.75 : -0.3)) * tile
    context.strokeText(name, at, line)
    context.fillText(name, at, line)
  }
}

function place(figure: Figure, now: number): readonly [x: number, y: number] {
  const part = calm.matches ? 1 : Math.min(1, (now - figure.since) / stepMs)
  return [
    figure.fromX + (figure.toX - figure.fromX) * part,
    figure.fromY + (figure.toY - figure.fromY) * part,
  ]
}

function easeOut(part: number): number {
  return 1 - (1 - part) ** 3
}

function box(
  context: CanvasRenderingContext2D,
  x: number,
  y: number,
  size: number,
  radius: number,
  high = size,
): void {
  context.beginPath()
  context.roundRect(x, y, size, high, radius)
  context.fill()
}
