// Comparison of types, to the letter: `any` equals only `any`, and modifiers count.

/** True only if both types are identical to the compiler. */
export type Equal<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

/** Compiles only with `true`: `exact<Equal<InputOf<typeof lobby.create>, { name: string }>>()`. */
export function exact<_Holds extends true>(): void {}
