// What the server may ask of this page: a line on the screen, and a question.
//   in  -> texts
//   out -> lines that go away by themselves, a promise of yes or no

import { RpcError } from '@callbox/client'
import { find, make } from './dom.ts'

const shownMs = 4_500

const notices = find('notices', HTMLElement)
const dialog = find('ask', HTMLDialogElement)
const yes = find('ask-yes', HTMLButtonElement)
const no = find('ask-no', HTMLButtonElement)

/** Shows a line for a few seconds. */
export function notify(text: string, tone: 'good' | 'bad' = 'good'): void {
  const line = make('p', { class: `notice ${tone}`, text, testId: 'notice' })
  notices.append(line)
  setTimeout(() => line.remove(), shownMs)
}

/** Asks until there is an answer; no answer until `signal` fires is a no. */
export function ask(
  question: { question: string; yes: string; no: string },
  signal: AbortSignal,
): Promise<boolean> {
  find('ask-question', HTMLElement).textContent = question.question
  yes.textContent = question.yes
  no.textContent = question.no
  // Not modal: the result of the round stays in sight, and the chat stays usable.
  dialog.show()
  return new Promise((resolve) => {
    const over = new AbortController()
    const answer = (value: boolean): void => {
      over.abort()
      dialog.close()
      resolve(value)
    }
    yes.addEventListener('click', () => answer(true), { signal: over.signal })
    no.addEventListener('click', () => answer(false), { signal: over.signal })
    signal.addEventListener('abort', () => answer(false), { signal: over.signal })
    if (signal.aborted) answer(false)
  })
}

/** An error in words for people. */
export function explain(error: unknown): string {
  if (!(error instanceof RpcError)) return String(error)
  if (error.code === 'deadline_exceeded') return 'The server does not answer.'
  return error.message === '' ? `That did not work: ${error.code}` : error.message
}
