// The names of core that the type tests use.

export { RpcError } from '../../packages/core/src/base/errors.ts'
export { isError, safe } from '../../packages/core/src/calls/outcome.ts'
export type {
  CallOf,
  CallOptions,
  CallsOf,
  ClientInterceptor,
  Duplex,
  Items,
  Outcome,
  Reply,
  ResumableCallOptions,
  Signal,
} from '../../packages/core/src/calls/types.ts'
export { contract, type AnyContract } from '../../packages/core/src/contract/contract.ts'
export type {
  CursorOf,
  DeclaredError,
  Empty,
  ErrorOf,
  InputOf,
  OutputOf,
  ParamsOf,
  Static,
  UndeclaredError,
} from '../../packages/core/src/contract/infer.ts'
export {
  bidi,
  clientStream,
  event,
  serverStream,
  unary,
} from '../../packages/core/src/contract/kinds.ts'
export { Bytes, Timestamp } from '../../packages/core/src/contract/schemas.ts'
export type {
  Client,
  ClientState,
  ReservedContracts,
} from '../../packages/core/src/handlers/client-types.ts'
export type {
  AuthenticateIfNeeded,
  Connection,
  ContextOf,
  Handlers,
  Hello,
  Implement,
  IncomingCall,
  Interceptor,
  Needs,
  Positioned,
  Service,
  ServiceOptions,
} from '../../packages/core/src/handlers/types.ts'
