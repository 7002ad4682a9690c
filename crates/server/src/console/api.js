// The HTTP API, with the session cookie and Django's CSRF rule.

/** A refusal: `status`, `code`, what is wrong with which field, when to come again, and a message for people. */
export class ApiError extends Error {
  constructor(status, body, retryAfter) {
    super(describe(status, body));
    const { code, errors = {}, attempts_left: attemptsLeft } = body ?? {};
    Object.assign(this, { status, code, errors, attemptsLeft, retryAfter });
  }
}

function describe(status, body) {
  const fields = Object.entries(body?.errors ?? {}).map(([field, problems]) => `${field}: ${problems.join(' ')}`);
  return [body?.detail ?? `The server answered ${status}.`, ...fields].join(' ');
}

let onLoggedOut = () => {};

/** Who is told that the session has ended. */
export function whenLoggedOut(listener) {
  onLoggedOut = listener;
}

export const get = (path) => call('GET', path);
export const post = (path, body = {}) => call('POST', path, body);
export const put = (path, body) => call('PUT', path, body);
export const remove = (path) => call('DELETE', path);

async function call(method, path, body) {
  const headers = { Accept: 'application/json' };
  if (method !== 'GET') {
    headers['X-CSRFToken'] = cookie('csrftoken') ?? '';
    if (method === 'POST') headers['Idempotency-Key'] = randomId();
  }
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  let response;
  try {
    response = await fetch(path, { method, headers, body: body && JSON.stringify(body), credentials: 'same-origin' });
  } catch {
    throw new ApiError(0, { detail: 'The server cannot be reached. Is it running?' });
  }
  const answer = response.status === 204 ? null : await response.json().catch(() => null);
  if (response.ok) return answer;
  if (response.status === 401 && path !== '/api/session/') onLoggedOut();
  throw new ApiError(response.status, answer, Number(response.headers.get('Retry-After')));
}

function cookie(name) {
  const found = document.cookie.split('; ').find((pair) => pair.startsWith(`${name}=`));
  return found && decodeURIComponent(found.slice(name.length + 1));
}

/** 128 random bits; `crypto.randomUUID` is missing on pages without HTTPS. */
export function randomId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
