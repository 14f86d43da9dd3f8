// The colour and the shape of each seat. Shapes tell seats apart without colours.

/** By seat number. */
export const colours: readonly string[] = ['#ff5470', '#2fd4f0', '#b6ec3f', '#ffb534']

export function colourOf(seat: number): string {
  return colours[seat] ?? '#ffffff'
}

/** Adds the outline of a seat's figure around 0, 0 with radius `r` to the path. */
export function traceShape(context: CanvasRenderingContext2D, seat: number, r: number): void {
  context.beginPath()
  if (seat === 0) context.arc(0, 0, r * 0.92, 0, Math.PI * 2)
  else if (seat === 1) polygon(context, 4, r * 1.12, 0)
  else if (seat === 2) polygon(context, 3, r * 1.2, -Math.PI / 2)
  else polygon(context, 4, r * 1.15, Math.PI / 4)
  context.closePath()
}

function polygon(
  context: CanvasRenderingContext2D,
  corners: number,
  r: number,
  turned: number,
): void {
  for (let corner = 0; corner < corners; corner++) {
    const angle = turned + (corner / corners) * Math.PI * 2
    context.lineTo(Math.cos(angle) * r, Math.sin(angle) * r)
  }
}
