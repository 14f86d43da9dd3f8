// Calls look like functions, streams like loops, on every transport.
import { createClient, type Transport } from '@callbox/client'
import { hello } from './contract.ts'

export async function callHello(transport: Transport): Promise<string[]> {
  const client = createClient({ hello }, transport)
  const answers = [await client.hello.greet({ name: 'you' })]
  for await (const n of client.hello.count({ to: 3 })) answers.push(`counted ${n}`)
  await client.close()
  return answers
}
