// What is inferred from a contract, to the letter, for callers and for handlers.

import * as T from 'typebox'
import {
  createClient,
  isError,
  safe,
  transport,
  type CallOf,
  type CallOptions,
  type Client,
  type ContextOf,
  type CursorOf,
  type DeclaredError,
  type Duplex,
  type Empty,
  type ErrorOf,
  type Handlers,
  type Hello,
  type InputOf,
  type Items,
  type Needs,
  type OutputOf,
  type ParamsOf,
  type Positioned,
  type Reply,
  type ResumableCallOptions,
  type RpcError,
  type Service,
  type UndeclaredError,
} from './callbox.ts'
import { exact, type Equal } from './exact.ts'
import { chat, lobby, type Api } from './lobby.ts'

type Lobby = typeof lobby
interface Room {
  id: string
  seats: number
  title?: string
}
type RoomShape = { [K in keyof Room]: Room[K] }

// --- parts of a method

exact<Equal<InputOf<Lobby['create']>, { name: string }>>()
exact<Equal<OutputOf<Lobby['create']>, { roomId: string }>>()
exact<Equal<InputOf<Lobby['list']>, void>>()
exact<Equal<OutputOf<Lobby['rename']>, void>>()
exact<Equal<OutputOf<Lobby['list']>, RoomShape[]>>()
exact<Equal<ParamsOf<Lobby['play']>, { seat: string }>>()
exact<Equal<InputOf<Lobby['play']>, { dir: 'left' | 'right' }>>()
exact<Equal<InputOf<Lobby['importReplay']>, Uint8Array<ArrayBuffer>>>()
exact<Equal<CursorOf<Lobby['watch']>, number>>()
exact<Equal<CursorOf<Lobby['tail']>, void>>()
exact<Equal<InputOf<Lobby['client']['confirm']>, { question: string }>>()
exact<
  Equal<
    ErrorOf<Lobby['create']>,
    | DeclaredError<'NameTaken', { suggestion: string }>
    | DeclaredError<'Full', object>
    | UndeclaredError
  >
>()
exact<Equal<ErrorOf<Lobby['list']>, RpcError>>()

// --- calls: plain functions

type Created = Reply<{ roomId: string }, Lobby['create']['errors']>
exact<Equal<CallOf<Lobby['create']>, (input: { name: string }, options?: CallOptions) => Created>>()
exact<
  Equal<CallOf<Lobby['list']>, (input?: undefined, options?: CallOptions) => Promise<RoomShape[]>>
>()
exact<Equal<CallOf<Lobby['ping']>, (input?: undefined, options?: CallOptions) => Promise<void>>>()
exact<
  Equal<
    CallOf<Lobby['search']>,
    (input?: { page?: number; text?: string }, options?: CallOptions) => Promise<RoomShape[]>
  >
>()
exact<Equal<CallOf<Lobby['nothing']>, (input?: Empty, options?: CallOptions) => Promise<null>>>()
exact<
  Equal<
    CallOf<Lobby['watch']>,
    (
      input?: undefined,
      options?: ResumableCallOptions<number>,
    ) => Items<{ seq: number; text: string }>
  >
>()
exact<
  Equal<CallOf<Lobby['tail']>, (input: { id: string }, options?: CallOptions) => Items<string>>
>()
exact<
  Equal<
    CallOf<Lobby['importReplay']>,
    (
      params: { game: string },
      items: AsyncIterable<Uint8Array<ArrayBuffer>>,
      options?: CallOptions,
    ) => Reply<{ bytes: number; at: Date }, Lobby['importReplay']['errors']>
  >
>()
exact<
  Equal<
    CallOf<Lobby['count']>,
    (items: AsyncIterable<string>, options?: CallOptions) => Promise<number>
  >
>()
exact<
  Equal<
    CallOf<Lobby['play']>,
    (
      params: { seat: string },
      options?: CallOptions,
    ) => Duplex<{ dir: 'left' | 'right' }, { tick: number }>
  >
>()
exact<
  Equal<CallOf<Lobby['echo']>, (input?: undefined, options?: CallOptions) => Duplex<string, string>>
>()
exact<
  Equal<
    CallOf<Lobby['typing']>,
    (input: { roomId: string }, options?: CallOptions) => Promise<void>
  >
>()
exact<Equal<CallOf<Lobby['wake']>, (input?: undefined, options?: CallOptions) => Promise<void>>>()

// --- a client: the same whether inferred or annotated with an interface

const client = createClient({ lobby, chat }, transport)
export const annotated: Client<Api> = client
exact<Equal<Client<Api>['lobby'], (typeof client)['lobby']>>()
exact<Equal<Client<Api>['lobby']['create'], CallOf<Lobby['create']>>>()
exact<Equal<keyof Client<Api>['chat'], 'say'>>()

// A group with the empty name is a method and still a group.
exact<Equal<ReturnType<(typeof client)['lobby']['rooms']>, Items<RoomShape>>>()
exact<
  Equal<
    (typeof client.lobby.rooms)['publish'],
    (input: RoomShape, options?: CallOptions) => Promise<number>
  >
>()
exact<
  Equal<
    typeof client.lobby.rooms.admin.kick,
    (input: { who: string }, options?: CallOptions) => Promise<void>
  >
>()

// Names that no method has are no functions, `then` least of all.
exact<Equal<'then' extends keyof Client<Api> ? true : false, false>>()
exact<Equal<'then' extends keyof Client<Api>['lobby'] ? true : false, false>>()
exact<Equal<'client' extends keyof Client<Api>['lobby'] ? true : false, false>>()
exact<Equal<Awaited<Items<string>>, Items<string>>>()

export async function calls(): Promise<void> {
  const { roomId } = await client.lobby.create({ name: 'arena' })
  exact<Equal<typeof roomId, string>>()
  for await (const item of client.lobby.watch())
    exact<Equal<typeof item, { seq: number; text: string }>>()
  const match = client.lobby.play({ seat: 'a' })
  for await (const snapshot of match) exact<Equal<typeof snapshot, { tick: number }>>()
  exact<Equal<ReturnType<typeof match.send>, Promise<void>>>()

  // An argument that may be left out.
  await client.lobby.list()
  await client.lobby.list(undefined, { timeoutMs: 5, signal: undefined })
  await client.lobby.search()
  await client.lobby.search({})
  await client.lobby.search(undefined, { metadata: { trace: 'a' } })
  await client.lobby.nothing({})
  await client.lobby.importReplay({ game: 'a' }, chunks())
  await client.lobby.typing({ roomId })
}

// Node's Buffers fit where binary is asked for.
async function* chunks(): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  yield Buffer.from('a')
  yield new Uint8Array(2)
}

// Binary goes where the platform wants it, as it is.
declare const received: InputOf<Lobby['importReplay']>
export const blob: Blob = new Blob([received])
export const response: Response = new Response(received)

// --- safe and isError

export async function failures(): Promise<void> {
  const [error, room] = await safe(client.lobby.create({ name: 'a' }))
  if (error?.tag === 'NameTaken') {
    exact<Equal<typeof error.data, { suggestion: string }>>()
  }
  if (error === undefined) exact<Equal<typeof room, { roomId: string }>>()
  else exact<Equal<typeof room, undefined>>()

  const [plain, rooms] = await safe(client.lobby.list())
  exact<Equal<typeof plain, RpcError | undefined>>()
  exact<Equal<typeof rooms, RoomShape[] | undefined>>()

  // Through a function of the user's own the declared errors are lost: any RpcError.
  const own = async (): Promise<{ roomId: string }> => client.lobby.create({ name: 'a' })
  const [lost] = await safe(own())
  exact<Equal<typeof lost, RpcError | undefined>>()
  const [several] = await safe(Promise.all([client.lobby.create({ name: 'a' }), own()]))
  exact<Equal<typeof several, RpcError | undefined>>()

  try {
    await own()
  } catch (caught) {
    if (isError(caught, lobby.create, 'NameTaken')) {
      exact<Equal<typeof caught, DeclaredError<'NameTaken', { suggestion: string }>>>()
      exact<Equal<typeof caught.data.suggestion, string>>()
    }
  }
}

// --- handlers

interface Context {
  user: string
}
type LobbyHandlers = Handlers<Lobby, Context>
type CallIn<K extends keyof LobbyHandlers> = LobbyHandlers[K] extends (
  input: infer _Input,
  call: infer Call,
) => unknown
  ? Call
  : never

exact<Equal<Parameters<LobbyHandlers['create']>[0], { name: string }>>()
exact<
  Equal<ReturnType<LobbyHandlers['create']>, { roomId: string } | Promise<{ roomId: string }>>
>()
exact<Equal<Parameters<LobbyHandlers['list']>[0], void>>()
exact<Equal<ReturnType<LobbyHandlers['rename']>, void | Promise<void>>>()
exact<Equal<ReturnType<LobbyHandlers['typing']>, void | Promise<void>>>()
exact<Equal<ReturnType<LobbyHandlers['tail']>, AsyncIterable<string>>>()
exact<
  Equal<
    ReturnType<LobbyHandlers['watch']>,
    AsyncIterable<Positioned<number, { seq: number; text: string }>>
  >
>()
exact<Equal<CallIn<'watch'>['cursor'], number | undefined>>()
exact<
  Equal<CallIn<'play'>['input'], AsyncIterableIterator<{ dir: 'left' | 'right' }, void, void>>
>()
exact<Equal<CallIn<'create'>['context'], Context>>()
exact<Equal<CallIn<'create'>['signal'], AbortSignal>>()
exact<Equal<CallIn<'create'>['deadline'], number | undefined>>()
exact<Equal<keyof CallIn<'create'>['errors'], 'NameTaken' | 'Full'>>()
exact<
  Equal<
    CallIn<'create'>['client']['confirm'],
    (input: { question: string }, options?: CallOptions) => Promise<boolean>
  >
>()

// What a method does not have is not in its type.
exact<Equal<'errors' extends keyof CallIn<'list'> ? true : false, false>>()
exact<Equal<'input' extends keyof CallIn<'list'> ? true : false, false>>()
exact<Equal<'cursor' extends keyof CallIn<'tail'> ? true : false, false>>()

declare const handled: CallIn<'list'>
const said = handled.connection.client(chat).said
exact<Equal<typeof said, (input: { text: string }, options?: CallOptions) => Promise<void>>>()

// --- contexts

const authenticate = async ({ credential }: Hello) => ({ user: String(credential), tenant: 5 })
exact<Equal<ContextOf<typeof authenticate>, { user: string; tenant: number }>>()
exact<
  Equal<
    Needs<readonly [Service<{ a: 1 }>, Service<unknown>, Service<{ b: 2 }>]>,
    { a: 1 } & { b: 2 }
  >
>()
exact<Equal<Needs<readonly []>, unknown>>()

// --- exported names of a contract

exact<Equal<Lobby['~contract']['name'], string>>()
exact<Equal<keyof typeof chat, 'say' | 'client' | '~contract'>>()
export const Named = T.Object({ roomId: T.String() })
