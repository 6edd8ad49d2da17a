// The key that lies in this browser: an Ed25519 private key that signs, and that no script can read out, in IndexedDB.
// What it signs is made by the ledger's own code.
"use strict";
(() => {
  const { network, ask, hex, bytes, fetchJson } = window.lamppost;
  const cannot = !window.isSecureContext ? "Browsers keep keys for pages by https, or on localhost, alone."
    : !window.indexedDB || !crypto.subtle ? "This browser keeps no keys." : "";

  const settled = (request) => new Promise((done, failed) => {
    request.addEventListener("success", () => done(request.result));
    request.addEventListener("error", () => failed(request.error));
  });

  async function keys(mode, act) {
    if (cannot) throw new Error(cannot);
    const opening = indexedDB.open("lamppost", 1);
    opening.addEventListener("upgradeneeded", () => opening.result.createObjectStore("keys", { keyPath: "network" }));
    const database = await settled(opening);
    try {
      const transaction = database.transaction("keys", mode, { durability: "strict" });
      const answer = await settled(act(transaction.objectStore("keys")));
      if (mode === "readonly") return answer;
      return await new Promise((done, failed) => {
        transaction.addEventListener("complete", () => done(answer));
        transaction.addEventListener("abort", () => failed(transaction.error));
      });
    } finally {
      database.close();
    }
  }

  // One key a network: an account of one network is nobody on another.
  const load = () => keys("readonly", (all) => all.get(network));
  const save = (key) => keys("readwrite", (all) => all.put({ ...key, network }));
  const remove = () => keys("readwrite", (all) => all.delete(network));

  const base64 = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)));
  const unpacked = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

  // PKCS#8 as `lamppost key new` writes and reads it.
  const pem = (der) => `-----BEGIN PRIVATE KEY-----\n${base64(der)}\n-----END PRIVATE KEY-----\n`;

  function der(text) {
    const found = /-----BEGIN PRIVATE KEY-----([A-Za-z0-9+/=\s]+)-----END PRIVATE KEY-----/.exec(text);
    if (!found) throw new Error("This is no key file: it has no line BEGIN PRIVATE KEY. `lamppost key new` makes one.");
    return unpacked(found[1].replace(/\s/g, ""));
  }

  // A key to be kept, of what a file holds. It is readable for the moment that its public half takes.
  async function held(file) {
    const taken = (readable) => crypto.subtle.importKey("pkcs8", file, "Ed25519", readable, ["sign"]).catch(() => {
      throw new Error("This is no Ed25519 key, or the browser knows none: Chrome 137, Firefox 129 and Safari 17 do.");
    });
    const { x } = await crypto.subtle.exportKey("jwk", await taken(true));
    const publicKey = hex(unpacked(x.replaceAll("-", "+").replaceAll("_", "/")));
    const { account, kid } = await ask({ ask: "account", public_key: publicKey });
    return { account, kid, publicKey, privateKey: await taken(false) };
  }

  // A new key: what is kept of it, and the file that brings it back.
  async function made() {
    const pair = await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"]);
    const file = await crypto.subtle.exportKey("pkcs8", pair.privateKey);
    return { key: await held(file), pem: pem(file) };
  }

  const imported = async (text) => held(der(text));

  async function needed() {
    const key = await load();
    if (!key) throw new Error("No key lies in this browser: make or import one on the page Key.");
    return key;
  }

  // Signs what the ledger's code makes of a request, and gives what it makes of both.
  async function sealed(key, request) {
    const { message } = await ask({ ...request, public_key: key.publicKey, network });
    const signature = hex(await crypto.subtle.sign("Ed25519", key.privateKey, bytes(message)));
    return ask({ ...request, public_key: key.publicKey, network, signature });
  }

  const cose = (envelope) => ({
    method: "POST",
    headers: { "content-type": "application/cose" },
    body: bytes(envelope),
  });

  // For this very site, whatever the node says of itself: another site could pass its own challenge on.
  async function signIn() {
    const key = await needed();
    const { challenge } = await fetchJson("/api/v1/sign-in/challenges", { method: "POST" });
    const { envelope } = await sealed(key, { ask: "sign_in", challenge, origin: location.origin });
    return fetchJson("/api/v1/sign-in/sessions", cose(envelope));
  }

  // The account's next number: the time, or one above the last where this clock is behind.
  async function next(account) {
    const now = Date.now();
    try {
      const known = await fetchJson("/api/v1/accounts/" + account);
      return { counter: String(Math.max(now, known.counter + 1)), carries_key: !known.public_key };
    } catch (error) {
      if (error.status !== 404) throw error;
      return { counter: String(now), carries_key: true };
    }
  }

  // Whether the ledger's code makes an instruction of this: what it would refuse is said before anything is signed.
  async function check(instruction) {
    const key = await needed();
    await ask({
      ask: "instruction", counter: "1", carries_key: true, instruction, public_key: key.publicKey, network,
    });
  }

  // Signs an instruction, sends it, and waits until it is durable.
  async function submit(instruction) {
    const key = await needed();
    const request = { ask: "instruction", ...await next(key.account), instruction };
    const { envelope } = await sealed(key, request);
    return fetchJson("/api/v1/transactions", cose(envelope));
  }

  window.lamppostKey = Object.freeze({ cannot, load, save, remove, made, imported, signIn, check, submit });
})();
