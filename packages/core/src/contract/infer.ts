// Types of values, out of the schemas that methods hold. Nothing here exists at run time.
//   in  -> schemas, methods
//   out -> `Static` and the names that users write: `InputOf<typeof lobby.create>`
// A value is inferred where a method is used, never for the whole contract at once.

import type { Static as StaticOfTypeBox } from 'typebox'
import type { RpcError } from '../base/errors.ts'
import type { Kind } from './kinds.ts'

/**
 * The type of a schema's values. Identical to TypeBox's `Static`, at a third of its cost:
 * the frequent schemas are read directly, all others by TypeBox.
 */
export type Static<S> = S extends { '~kind': 'Object'; 'properties': infer P }
  ? ObjectOf<P>
  : S extends { '~kind': 'String' }
    ? string
    : S extends { '~kind': 'Integer' | 'Number' }
      ? number
      : S extends { '~kind': 'Boolean' }
        ? boolean
        : S extends { '~kind': 'Literal'; 'const': infer V }
          ? V
          : S extends { '~kind': 'Array'; 'items': infer I }
            ? S extends { '~immutable': true }
              ? readonly Static<I>[]
              : Static<I>[]
            : S extends { '~kind': 'Union'; 'anyOf': infer U extends unknown[] }
              ? Static<U[number]>
              : StaticOfTypeBox<S extends object ? S : never>

type Optional = { '~optional': true }

/**
 * The values of an object schema, by the schemas of its properties. The mapped types have no name:
 * an editor would show `Named<{ id: TString }>` in place of `{ id: string }`.
 */
type ObjectOf<P> = keyof P extends never
  ? object
  : [Extract<P[keyof P], Optional | { '~readonly': true }>] extends [never]
    ? { [K in keyof P]: Static<P[K]> }
    : [Extract<P[keyof P], { '~readonly': true }>] extends [never]
      ? WithOptional<P, OptionalKeys<P>> extends infer M
        ? { [K in keyof M]: Static<M[K]> }
        : never
      : StaticOfTypeBox<{ '~kind': 'Object'; 'type': 'object'; 'properties': P; 'required': never }>

type OptionalKeys<P> = { [K in keyof P]: P[K] extends Optional ? K : never }[keyof P]
type WithOptional<P, O extends keyof P> = Omit<P, O> & { [K in O]?: P[K] }

/** The values of a schema, or `void` where a method declares none. */
export type Value<S> = S extends undefined ? void : Static<S>

/** What a caller passes for a schema without properties: `{}`, and nothing that has any. */
export interface Empty {
  readonly [name: string]: never
}

/** What a caller passes for a schema; `undefined` where the method declares none. */
export type Argument<S> = S extends undefined
  ? undefined
  : S extends { '~kind': 'Object'; 'properties': infer P }
    ? keyof P extends never
      ? Empty
      : Static<S>
    : Static<S>

/** The input of a method, or each item of it where the caller streams. */
export type InputOf<M> = M extends { readonly kind: Kind; readonly input: infer I }
  ? Value<I>
  : never

/** The output of a method, or each item of it where the callee streams. */
export type OutputOf<M> = M extends { readonly kind: Kind; readonly output: infer O }
  ? Value<O>
  : never

/** What opens a call whose input is a stream. */
export type ParamsOf<M> = M extends { readonly kind: Kind; readonly params: infer P }
  ? Value<P>
  : never

/** The positions of a resumable stream. */
export type CursorOf<M> = M extends { readonly kind: Kind; readonly cursor: infer C }
  ? Value<C>
  : never

/** How a call of a method fails: the errors that it declares, each by its tag, or the framework's. */
export type ErrorOf<M> = M extends { readonly kind: Kind; readonly errors: infer E }
  ? E extends undefined
    ? RpcError
    : DeclaredIn<E>
  : never

/** An error that a contract declares, with its checked data. */
export interface DeclaredError<Tag extends string, Data> extends RpcError<Tag, Data> {
  readonly tag: Tag
  readonly data: Data
}

/** Any other failure of a method that declares errors. */
export interface UndeclaredError extends RpcError<never, never> {
  readonly tag?: never
  readonly data?: never
}

/** The errors of a map of error schemas; narrowed by `tag`. */
export type DeclaredIn<E> =
  | { [Tag in keyof E & string]: DeclaredError<Tag, Static<E[Tag]>> }[keyof E & string]
  | UndeclaredError
