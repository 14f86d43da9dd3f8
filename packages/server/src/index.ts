// Public names of @callbox/server.
export {
  RpcError,
  type ClientHandlers,
  type Code,
  type Connection,
  type ContextOf,
  type HandlerCall,
  type Handlers,
  type Hello,
  type Implement,
  type IncomingCall,
  type Interceptor,
  type Metrics,
  MetricsRegistry,
  type Next,
  type Peer,
  type Report,
  type ReportLevel,
  type ServerSnapshot,
  type Service,
  type Transport,
} from '@callbox/core'
export { implement, implementFor } from './implement.ts'
export { silent } from './logger.ts'
export type { CloseOptions, ListeningOn, Server, ServerOptions } from './options.ts'
export { createServer } from './server.ts'
