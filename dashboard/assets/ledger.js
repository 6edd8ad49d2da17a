// The ledger's own code in this page, and what our scripts share. It is fetched when it is first asked, and then needs no
// network; what it is given and what it says never leaves the browser by itself.
"use strict";
(() => {
  const { module, network } = document.currentScript.dataset;
  const text = new TextDecoder("utf-8", { fatal: true });
  let loading;

  async function fetched() {
    const response = await fetch(module);
    if (!response.ok) throw new Error("The ledger's code could not be fetched: " + response.statusText);
    const { instance } = await WebAssembly.instantiateStreaming(response, {});
    return instance.exports;
  }

  // What failed once is tried again: the network may be back.
  const load = () => (loading ??= fetched().catch((error) => { loading = undefined; throw error; }));

  async function ask(request) {
    const ledger = await load();
    const bytes = new TextEncoder().encode(JSON.stringify(request));
    if (bytes.length > ledger.input_bytes_max()) throw new Error("That is longer than any document of ours.");
    new Uint8Array(ledger.memory.buffer, ledger.input(), bytes.length).set(bytes);
    const length = ledger.ask(bytes.length);
    // Looked up after the call, because the memory may have grown in it.
    const answer = JSON.parse(text.decode(new Uint8Array(ledger.memory.buffer, ledger.output(), length)));
    if (answer.sentence) throw new Error(answer.sentence);
    return answer;
  }

  const hex = (buffer) => Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");
  const bytes = (digits) => Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));

  // What the node answers; a refusal is an error with its sentence.
  async function fetchJson(path, options) {
    const response = await fetch(path, options);
    const answer = await response.json().catch(() => ({}));
    if (response.ok) return answer;
    throw Object.assign(new Error(answer.detail ?? response.statusText), { status: response.status });
  }

  // Text goes in as text: nothing that a device or a person named is ever read as markup.
  function element(name, attributes, ...children) {
    const made = document.createElement(name);
    for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
    made.append(...children);
    return made;
  }

  const sentence = (error) => {
    const said = error.message || String(error);
    return said[0].toUpperCase() + said.slice(1) + (/[.!?]$/.test(said) ? "" : ".");
  };

  // Does what a button or form asks, once at a time, and says in `alarm` what went wrong.
  const does = (asked, event, alarm, act) => asked.addEventListener(event, async (happened) => {
    happened.preventDefault();
    const pressed = asked.matches("button") ? asked : asked.querySelector("button:not([type=button])");
    alarm.hidden = true;
    if (pressed) pressed.disabled = true;
    try {
      await act(happened);
    } catch (error) {
      alarm.textContent = sentence(error);
      alarm.hidden = false;
    }
    if (pressed) pressed.disabled = false;
  });

  window.lamppost = Object.freeze({ network, load, ask, hex, bytes, fetchJson, element, sentence, does });
})();
