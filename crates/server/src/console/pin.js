// The PIN that a rider tells his driver, as the driver types it in.

import { duration, el, toast } from './dom.js';

const isMissing = (error) => error.errors?.pin !== undefined;

/** Whether a start was refused because of its PIN. */
export const isAboutPin = (error) => isMissing(error) || error.code === 'wrong_pin' || error.status === 429;

function inWords(error) {
  if (isMissing(error)) return 'Ask the rider for the four digits that he is shown.';
  if (error.code === 'wrong_pin') return `This is not the PIN that the rider was shown. ${triesLeft(error.attemptsLeft)}`;
  return `Too many wrong PINs. Another one may be tried in ${duration(error.retryAfter)}.`;
}

function triesLeft(count) {
  if (count === 0) return 'No try is left for now.';
  return count === 1 ? 'One try is left.' : `${count} tries are left.`;
}

/** Four digits, and what was wrong with the last ones. */
export class PinForm {
  constructor(start) {
    this.note = el('p', { role: 'alert' });
    this.input = el('input', {
      name: 'pin', required: true, pattern: '[0-9]{4}', maxLength: 4, title: 'four digits', inputMode: 'numeric', autocomplete: 'off',
    });
    this.submit = el('button', { class: 'primary', type: 'submit' }, 'Start the trip');
    this.element = el('form', { class: 'pin-form' },
      this.note,
      el('label', {}, 'The rider’s PIN', this.input),
      this.submit);
    this.element.addEventListener('submit', async (event) => {
      event.preventDefault();
      // Each one that goes out may be an attempt that counts.
      this.submit.disabled = true;
      await start(this.input.value).catch((error) => toast(error.message));
      this.submit.disabled = false;
    });
  }

  /** Says what came of the last attempt, and waits for the next one. */
  say(error) {
    this.note.className = isMissing(error) ? 'facts' : 'error';
    this.note.textContent = inWords(error);
    this.input.focus();
    this.input.select();
  }
}
