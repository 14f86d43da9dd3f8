// The page: which of its three views is shown, and what the server may call.
//   in  -> the name in sessionStorage, the seat that the server remembers
//   out -> welcome, lobby or room
// Each view gets a signal that fires when it is left; everything it started ends with it.

import { lobby } from '../src/contract.ts'
import { client, showConnection } from './connection.ts'
import { find } from './dom.ts'
import { showLobby } from './lobby-view.ts'
import { ask, explain, notify } from './notices.ts'
import { showRoom } from './room-view.ts'
import { showWelcome } from './welcome-view.ts'

const views = ['welcome', 'lobby', 'room'] as const
type View = (typeof views)[number]

const me = find('me', HTMLButtonElement)
let leaving = new AbortController()
let playerId = ''

client.handle(lobby, {
  notice: ({ text }) => notify(text),
  confirm: async (question, { signal }) => ({ yes: await ask(question, signal) }),
})
showConnection(find('connection', HTMLElement))
me.addEventListener('click', () => toWelcome())
client.on('resumed', () => notify('Back again: nothing was lost'))
// A server that was restarted knows the token, but not the name.
client.on('sessionLost', () => void enterAgain())
// What is not caught anywhere is at least said.
window.addEventListener('unhandledrejection', (event) => notify(explain(event.reason), 'bad'))

const known = sessionStorage.getItem('name')
if (known === null) toWelcome()
else void enter(known)

/** Leaves the present view and shows another; the result ends with it. */
function turnTo(view: View): AbortSignal {
  leaving.abort()
  leaving = new AbortController()
  for (const one of views) find(one, HTMLElement).hidden = one !== view
  document.body.dataset['view'] = view
  me.hidden = view !== 'lobby'
  return leaving.signal
}

function toWelcome(): void {
  showWelcome(localStorage.getItem('name') ?? '', (name) => void enter(name), turnTo('welcome'))
}

async function enter(name: string): Promise<void> {
  try {
    const entered = await client.lobby.enter({ name })
    sessionStorage.setItem('name', entered.name)
    localStorage.setItem('name', entered.name)
    playerId = entered.playerId
    me.textContent = entered.name
    if (entered.roomId === undefined) toLobby(entered.name)
    else toRoom(entered.name)
  } catch (error) {
    notify(explain(error), 'bad')
    toWelcome()
  }
}

async function enterAgain(): Promise<void> {
  const name = sessionStorage.getItem('name')
  if (name === null) return
  const entered = await client.lobby.enter({ name })
  playerId = entered.playerId
}

function toLobby(name: string): void {
  showLobby(name, () => toRoom(name), turnTo('lobby'))
}

function toRoom(name: string): void {
  const signal = turnTo('room')
  const left = (reason?: string): void => {
    if (reason !== undefined) notify(reason)
    toLobby(name)
  }
  showRoom({ isMine: (player) => player.playerId === playerId, left, signal })
}
