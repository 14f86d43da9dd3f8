// Public names of @callbox/client.
export {
  isError,
  RpcError,
  safe,
  type CallOptions,
  type CallsOf,
  type Client,
  type ClientHandlers,
  type ClientInterceptor,
  type ClientSnapshot,
  type ClientState,
  type Code,
  type CommonCall,
  type Duplex,
  type Items,
  type Metadata,
  type Metrics,
  MetricsRegistry,
  type Next,
  type Outcome,
  type Processed,
  type StateChange,
  type Transport,
} from '@callbox/core'
export { createClient } from './create-client.ts'
export type { ClientOptions } from './options.ts'
