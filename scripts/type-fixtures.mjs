// Generates the programs whose type checking is measured: contracts, a server, a client.
//   in  -> how many methods, in how many contracts, which kinds, how many calls
//   out -> text of modules that import everything from './callbox.ts'
// Every method has schemas of its own: the compiler may not reuse what it found out for another.

/** @typedef {{ contracts: number, methods: number, mixed?: boolean, calls?: number, server?: boolean, client?: boolean, typed?: boolean }} Size */

const allKinds = ['unary', 'serverStream', 'clientStream', 'bidi', 'event']

/**
 * Modules by file name: `contracts.ts` and `api.ts`, and `server.ts`, `client.ts` as asked for.
 * @param {Size} size
 */
export function fixture(size) {
  const services = range(size.contracts).map((s) => ({
    name: `s${s}`,
    methods: range(size.methods / size.contracts).map((m) => method(s, m, size.mixed ?? false)),
  }))
  const files = { 'contracts.ts': contractsModule(services), 'api.ts': apiModule(services) }
  if (size.server) files['server.ts'] = serverModule(services)
  if (size.client) files['client.ts'] = clientModule(services, size.calls ?? size.methods)
  if (size.typed) files['typed.ts'] = typedModule
  return files
}

function method(s, m, mixed) {
  const kind = mixed ? allKinds[m % allKinds.length] : 'unary'
  return { s, m, name: `m${m}`, kind, errors: mixed && kind !== 'event' && m % 2 === 0 }
}

function range(count) {
  return Array.from({ length: count }, (_, index) => index)
}

// --- contracts

function contractsModule(services) {
  const lines = [
    "import * as T from 'typebox'",
    "import { bidi, clientStream, contract, event, serverStream, unary } from './callbox.ts'",
  ]
  for (const { name, methods } of services) {
    lines.push('', `export const ${name} = contract('${name}', {`)
    for (const one of methods) lines.push(`  ${one.name}: ${definition(one)},`)
    lines.push('})')
  }
  return lines.join('\n')
}

/** The name of all contracts, and a client that is annotated with it. */
function apiModule(services) {
  const names = services.map(({ name }) => name)
  return [
    `import type { ${names.join(', ')} } from './contracts.ts'`,
    `export interface Api {`,
    ...names.map((name) => `  ${name}: typeof ${name}`),
    '}',
  ].join('\n')
}

function definition({ s, m, kind, errors }) {
  const id = `${s}_${m}`
  const input = `T.Object({ id: T.String(), name${id}: T.String({ maxLength: 40 }), count${id}: T.Integer(), note: T.Optional(T.String()) })`
  const output = `T.Object({ id: T.String(), total${id}: T.Number(), ok: T.Boolean(), tags${id}: T.Array(T.String()), state${id}: T.Union([T.Literal('open'), T.Literal('full')]) })`
  const item = `T.Object({ value${id}: T.Number() })`
  const declared = errors ? `, errors: { Failed${id}: T.Object({ reason: T.String() }) }` : ''
  switch (kind) {
    case 'unary':
      return `unary({ input: ${input}, output: ${output}${declared} })`
    case 'serverStream':
      return `serverStream({ input: ${input}, output: ${output}, resumable: T.Integer()${declared} })`
    case 'clientStream':
      return `clientStream({ params: ${input}, input: ${item}, output: ${output}${declared} })`
    case 'bidi':
      return `bidi({ params: ${input}, input: ${item}, output: ${output}${declared} })`
    default:
      return `event({ input: ${input} })`
  }
}

// --- server

function serverModule(services) {
  const names = services.map(({ name }) => name)
  const lines = [
    "import { createServer, implementFor, type ContextOf, type Hello } from './callbox.ts'",
    `import { ${names.join(', ')} } from './contracts.ts'`,
    '',
    'export const authenticate = async ({ credential }: Hello) => ({ user: String(credential) })',
    'const implement = implementFor<ContextOf<typeof authenticate>>()',
  ]
  for (const { name, methods } of services) {
    lines.push('', `const ${name}Service = implement(${name}, {`)
    for (const one of methods) lines.push(`  ${one.name}: ${handler(one)},`)
    lines.push('})')
  }
  const list = names.map((name) => `${name}Service`).join(', ')
  lines.push('', `export const server = createServer({ services: [${list}], authenticate })`)
  return lines.join('\n')
}

function handler({ s, m, kind, errors }) {
  const id = `${s}_${m}`
  const answer = `{ id: call.context.user, total${id}: input.count${id}, ok: true, tags${id}: [input.name${id}], state${id}: 'open' }`
  const fail = errors
    ? `if (input.id === '') throw call.errors.Failed${id}({ reason: 'none' }); `
    : ''
  switch (kind) {
    case 'unary':
      return `async (input, call) => { ${fail}return ${answer} }`
    case 'serverStream':
      return `async function* (input, call) { ${fail}yield call.at(call.cursor ?? 0, ${answer}) }`
    case 'clientStream':
      return `async (input, call) => { ${fail}for await (const item of call.input) item.value${id}.toFixed(); return ${answer} }`
    case 'bidi':
      return `async function* (input, call) { ${fail}for await (const item of call.input) { item.value${id}.toFixed(); yield ${answer} } }`
    default:
      return `(input, call) => { call.context.user.concat(input.name${id}) }`
  }
}

// --- client

function clientModule(services, calls) {
  const names = services.map(({ name }) => name)
  const all = services.flatMap(({ methods }) => methods)
  // Spread over all contracts.
  const step = all.length / calls
  const used = range(calls).map((index) => all[Math.floor(index * step)])
  const lines = [
    "import { createClient, safe, transport } from './callbox.ts'",
    `import { ${names.join(', ')} } from './contracts.ts'`,
    '',
    `export const client = createClient({ ${names.join(', ')} }, transport)`,
    '',
    'export async function run() {',
    ...used.map((one) => `  ${callOf(one)}`),
    '}',
  ]
  return lines.join('\n')
}

function callOf({ s, m, name, kind, errors }) {
  const id = `${s}_${m}`
  const input = `{ id: 'a', name${id}: 'b', count${id}: 1 }`
  const call = `client.s${s}.${name}`
  const answered = (reply) =>
    errors
      ? `{ const [error, value] = await safe(${reply}); if (error?.tag === 'Failed${id}') error.data.reason.concat(); value?.total${id}.toFixed() }`
      : `{ const value = await ${reply}; value.total${id}.toFixed() }`
  switch (kind) {
    case 'unary':
      return answered(`${call}(${input})`)
    case 'serverStream':
      return `for await (const item of ${call}(${input}, { cursor: 1 })) item.total${id}.toFixed()`
    case 'clientStream':
      return answered(`${call}(${input}, (async function* () { yield { value${id}: 1 } })())`)
    case 'bidi':
      return `{ const both = ${call}(${input}); await both.send({ value${id}: 1 }); both.end(); for await (const item of both) item.total${id}.toFixed() }`
    default:
      return `await ${call}(${input})`
  }
}

/** What a module should export instead of an inferred client. */
const typedModule = [
  "import type { Client } from './callbox.ts'",
  "import type { Api } from './api.ts'",
  "import { client } from './client.ts'",
  'export const typed: Client<Api> = client',
].join('\n')
