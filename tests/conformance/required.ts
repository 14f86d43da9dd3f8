// The cases that must have a test: `tests/packages/conformance-ids.test.ts` fails for one that has
// none. A case that is built later is added here together with its test.

const from = (first: number, last: number): readonly number[] =>
  Array.from({ length: last - first + 1 }, (_, at) => first + at)

const numbers: readonly number[] = [
  // Encoding, handshake.
  ...from(1, 19),
  ...from(24, 25),
  // Calls, errors, metadata, deadlines, cancel.
  ...from(29, 64),
  ...from(66, 68),
  ...from(70, 73),
  // Flow control, fragments.
  ...from(74, 93),
  // Servers that cannot be reached, abuse.
  119,
  ...from(121, 128),
]

export const required: readonly string[] = numbers.map((number) => `C${number}`)
