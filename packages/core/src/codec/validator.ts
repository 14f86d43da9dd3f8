// How values are checked against schemas, as an interface: who wants checks passes `validate` of
// `@callbox/core/validate` in, and no one else carries a validator.
//   in  -> a schema, a value
//   out -> what is wrong with it, in words that never hold the value

/** Checks the values of one schema. */
export interface SchemaValidator {
  /** Undefined for a valid value, else `/path: rule`. The value is never part of the text. */
  check(value: unknown): string | undefined
}

/** Gives the validator of a schema; the same one each time. */
export type Validate = (schema: object) => SchemaValidator
