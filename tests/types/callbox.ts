// What the type tests import, in one place.
//   in  -> the types of core
//   out -> the names that users have; the functions of the other packages are declared only
// scripts/types.mjs puts the real packages here as soon as they export these functions.

import type {
  AnyContract,
  AuthenticateIfNeeded,
  Client,
  ClientInterceptor,
  Implement,
  Needs,
  ReservedContracts,
  Service,
  ServiceOptions,
} from './core.ts'

export type * from './core.ts'
export {
  bidi,
  Bytes,
  clientStream,
  contract,
  event,
  isError,
  RpcError,
  safe,
  serverStream,
  Timestamp,
  unary,
} from './core.ts'

interface Transport {
  readonly name: string
}

export declare const transport: Transport

export declare function implementFor<Context>(): Implement<Context>

export declare const implement: Implement<unknown>

export declare function createClient<const Cs extends { readonly [K in keyof Cs]: AnyContract }>(
  contracts: Cs & ReservedContracts,
  transport: Transport,
  options?: {
    readonly credential?: unknown
    readonly interceptors?: readonly ClientInterceptor[] | undefined
  },
): Client<Cs>

export declare function createServer<
  const S extends readonly Service<never>[],
  Context extends Needs<S>,
>(options: ServiceOptions<S, Context> & AuthenticateIfNeeded<S>): { close(): Promise<void> }
