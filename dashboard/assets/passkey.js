// Passkeys, which browsers offer to scripts alone: signing in with one, and making one. Whatever fails is said in words.
"use strict";
(() => {
  const button = document.getElementById("passkey-sign-in");
  const form = document.getElementById("passkey-add");
  const alarm = document.getElementById("passkey-alert");
  const without = document.getElementById("passkey-script");
  if (!alarm || !(button || form)) return;
  if (!window.PublicKeyCredential || !navigator.credentials) {
    without.textContent = "This browser knows no passkeys on this page.";
    return;
  }
  without.hidden = true;
  (button || form).hidden = false;

  const say = (sentence) => {
    alarm.textContent = sentence;
    alarm.hidden = !sentence;
  };
  const bytes = (text) =>
    Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0));
  const text = (buffer) =>
    btoa(Array.from(new Uint8Array(buffer), (one) => String.fromCharCode(one)).join(""))
      .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

  async function ask(path, body, token) {
    const headers = { "content-type": "application/json" };
    if (token) headers["lamppost-form-token"] = token;
    const response = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.detail);
    return answer;
  }

  // What the browser says where somebody changed their mind is no sentence for them.
  const sentence = (error) =>
    error.name === "NotAllowedError" ? "Nothing happened: it was cancelled, or took too long."
    : error.name === "InvalidStateError" ? "This device holds a passkey of this account already."
    : error.message;

  async function signIn() {
    const { ceremony, options } = await ask("/api/v1/sign-in/passkeys", {});
    const publicKey = options.publicKey;
    publicKey.challenge = bytes(publicKey.challenge);
    const found = await navigator.credentials.get({ publicKey });
    const { authenticatorData, clientDataJSON, signature, userHandle } = found.response;
    const credential = {
      id: found.id,
      rawId: text(found.rawId),
      type: found.type,
      response: {
        authenticatorData: text(authenticatorData),
        clientDataJSON: text(clientDataJSON),
        signature: text(signature),
        userHandle: userHandle && text(userHandle),
      },
    };
    const session = await ask("/api/v1/sign-in/passkeys/sessions", { ceremony, credential });
    location.assign(session.home);
  }

  async function make() {
    const token = form.dataset.token;
    const { options } = await ask("/api/v1/passkeys/challenges", {}, token);
    const publicKey = options.publicKey;
    publicKey.challenge = bytes(publicKey.challenge);
    publicKey.user.id = bytes(publicKey.user.id);
    for (const one of publicKey.excludeCredentials || []) one.id = bytes(one.id);
    const made = await navigator.credentials.create({ publicKey });
    const credential = {
      id: made.id,
      rawId: text(made.rawId),
      type: made.type,
      response: {
        attestationObject: text(made.response.attestationObject),
        clientDataJSON: text(made.response.clientDataJSON),
      },
    };
    const name = document.getElementById("passkey-name").value;
    await ask("/api/v1/passkeys", { name, credential }, token);
    location.reload();
  }

  const at = (element, event, act) => element && element.addEventListener(event, async (happened) => {
    happened.preventDefault();
    const pressed = element.querySelector("button") || element;
    say("");
    pressed.disabled = true;
    try {
      await act();
    } catch (error) {
      say(sentence(error));
    }
    pressed.disabled = false;
  });
  at(button, "click", signIn);
  at(form, "submit", make);
})();
