// The PIN that a rider tells his driver, as the driver types it in.

import { duration, el, toast } from './dom.js';

/** What a refused start says about the PIN, in words; nothing where it is about something else. */
export function pinProblem(error) {
  if (error.status === 429) return `Too many wrong PINs. Another one may be tried in ${duration(error.retryAfter)}.`;
  if (error.code === 'wrong_pin') return `This is not the PIN that the rider was shown. ${triesLeft(error.attemptsLeft)}`;
  return error.errors?.pin && 'Ask the rider for the four digits that he is shown.';
}

function triesLeft(count) {
  if (count === 0) return 'No try is left for now.';
  return count === 1 ? 'One try is left.' : `${count} tries are left.`;
}

/** Four digits, and what was wrong with the last ones. */
export class PinForm {
  constructor(start) {
    this.problem = el('p', { class: 'error', role: 'alert' });
    this.input = el('input', {
      name: 'pin', required: true, pattern: '[0-9]{4}', maxLength: 4, title: 'four digits', inputMode: 'numeric', autocomplete: 'off',
    });
    this.element = el('form', { class: 'pin-form' },
      this.problem,
      el('label', {}, 'The rider’s PIN', this.input),
      el('button', { class: 'primary', type: 'submit' }, 'Start the trip'));
    this.element.addEventListener('submit', (event) => {
      event.preventDefault();
      start(this.input.value).catch((error) => toast(error.message));
    });
  }

  say(problem) {
    this.problem.textContent = problem;
    this.input.focus();
    this.input.select();
  }
}
