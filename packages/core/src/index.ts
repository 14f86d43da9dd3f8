// Public names of @callbox/core.
export { RpcError } from './base/errors.ts'
