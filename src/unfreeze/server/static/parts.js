// What the pages have in common: they ask their own server alone, and show what they hear as text, never as HTML.

const TRIES = 30;
export const WAIT_MS = 1000;
const KEY = "unfreeze-token";

export const byId = id => document.getElementById(id);

// Names come from strangers: what could reorder or hide what a person reads is shown as its number.
export function printable(text) {
  const number = character => `\\u${character.codePointAt(0).toString(16).padStart(4, "0")}`;
  return text.replace(/(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, number);
}

export function element(kind, className, text) {
  const made = document.createElement(kind);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = printable(text);
  return made;
}

export function alarm(text) {
  byId("alarm").textContent = text;
  byId("alarm").hidden = !text;
}

// ---- the token ----

let token = "";

// From the address, which is sent to nobody and then loses it; what else stands there is returned.
export function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1));
  const found = given.get("token") ?? "";
  if (found) {
    token = found;
    given.delete("token");
    history.replaceState(null, "", location.pathname);
  }
  return given;
}

// Kept by the browser for this address alone, so that a page that was closed opens again.
export function keepToken() {
  try {
    if (token) localStorage.setItem(KEY, token);
    else token = localStorage.getItem(KEY) ?? "";
  } catch {
    // a browser that keeps nothing: the page wants the address with the token each time
  }
}

export function useToken(given) {
  token = given;
}

function wantToken() {
  const form = byId("token-form");
  if (form) form.hidden = false;
}

// ---- asking ----

export class Refused extends Error {}

// The server's answer, whatever it is; what is too much for it now is asked again.
export async function reply(path, options = {}) {
  const headers = { ...options.headers, ...(token ? { Authorization: `Bearer ${token}` } : {}) };
  for (let tries = 1; ; tries += 1) {
    let found;
    try {
      found = await fetch(path, { ...options, headers, cache: "no-store", referrerPolicy: "no-referrer" });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Refused("The service does not answer; see whether it still runs.");
    }
    if ((found.status === 429 || found.status === 503) && tries < TRIES) {
      await new Promise(resolve => setTimeout(resolve, WAIT_MS));
      continue;
    }
    if (found.status === 401) wantToken();
    if (found.ok) return found;
    const problem = await found.json().catch(() => ({}));
    throw new Refused(problem.detail ?? "The service gave no answer that can be read.");
  }
}

export async function ask(path, options = {}) {
  const found = await reply(path, options);
  return found.json().catch(() => {
    throw new Refused("The service gave no answer that can be read.");
  });
}

export const askWith = (path, body) =>
  ask(path, { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });
