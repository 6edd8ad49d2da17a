// Keeps the figures of an open page current. Without it the page is complete, and says when it was taken.
//
// On news from the node (server-sent events) the page is fetched again and every element marked data-live is
// compared with the one shown. Where only text differs, the text is changed in place, so that nothing moves.
// Where rows come or go, the change waits while the reader points at, selects or works in that element.
"use strict";
(() => {
  const stream = document.body.dataset.stream;
  const asof = document.getElementById("asof");
  const taken = Number(document.body.dataset.now);
  let lead = Date.now() - taken;
  let newest = taken;

  const words = (seconds) =>
    seconds < 60 ? seconds + " s"
    : seconds < 3600 ? Math.floor(seconds / 60) + " min"
    : seconds < 172800 ? Math.floor(seconds / 3600) + " h"
    : Math.floor(seconds / 86400) + " days";

  const write = (node, text) => { if (node.textContent !== text) node.textContent = text; };

  function tick() {
    const now = Date.now() - lead;
    for (const node of document.querySelectorAll("time[data-age]")) {
      const seconds = Math.floor((now - Date.parse(node.dateTime)) / 1000);
      write(node, seconds < 1 ? "just now" : words(seconds) + " ago");
    }
    for (const node of document.querySelectorAll("time[data-until]")) {
      const seconds = Math.ceil((Date.parse(node.dateTime) - now) / 1000);
      write(node, seconds < 1 ? "now" : "in " + words(seconds));
    }
  }
  setInterval(tick, 1000);
  tick();
  if (!stream || !window.EventSource || !asof) return;

  const clock = (milliseconds) => new Date(milliseconds).toISOString().slice(11, 19) + " UTC";
  const say = (text, live) => { write(asof, text); asof.classList.toggle("live", live); };

  // Two elements alike in shape: then only text and attributes can differ.
  function alike(shown, fresh) {
    if (shown.nodeType !== fresh.nodeType || shown.nodeName !== fresh.nodeName) return false;
    if (shown.nodeType === Node.ELEMENT_NODE && shown.dataset.kid !== fresh.dataset.kid) return false;
    if (shown.childNodes.length !== fresh.childNodes.length) return false;
    for (let i = 0; i < shown.childNodes.length; i++) {
      if (!alike(shown.childNodes[i], fresh.childNodes[i])) return false;
    }
    return true;
  }

  function rewrite(shown, fresh) {
    if (shown.nodeType === Node.TEXT_NODE) {
      if (shown.data !== fresh.data) shown.data = fresh.data;
      return;
    }
    if (shown.nodeType !== Node.ELEMENT_NODE) return;
    for (const { name, value } of fresh.attributes) {
      if (name !== "open" && shown.getAttribute(name) !== value) shown.setAttribute(name, value);
    }
    for (const name of shown.getAttributeNames()) {
      if (name !== "open" && !fresh.hasAttribute(name)) shown.removeAttribute(name);
    }
    for (let i = 0; i < shown.childNodes.length; i++) rewrite(shown.childNodes[i], fresh.childNodes[i]);
  }

  // A finger or wheel has no :hover to ask for, so what it did last counts for a while.
  let touched = 0;
  for (const name of ["pointerdown", "touchmove", "wheel", "keydown"]) {
    document.addEventListener(name, () => { touched = Date.now(); }, { passive: true });
  }

  function busy(element) {
    if (Date.now() - touched < 1500) return true;
    const selection = document.getSelection();
    return element.matches(":hover")
      || element.contains(document.activeElement)
      || (selection && !selection.isCollapsed && selection.containsNode(element, true));
  }

  const waiting = new Map();

  function replace(shown, fresh) {
    const open = new Map();
    for (const node of shown.querySelectorAll("details[id]")) open.set(node.id, node.open);
    for (const node of fresh.querySelectorAll("details[id]")) {
      if (open.has(node.id)) node.open = open.get(node.id);
    }
    const above = shown.getBoundingClientRect().bottom < 0;
    const before = document.documentElement.scrollHeight;
    shown.replaceWith(fresh);
    if (above) window.scrollBy(0, document.documentElement.scrollHeight - before);
  }

  function settle() {
    for (const [id, fresh] of waiting) {
      const shown = document.getElementById(id);
      if (shown && busy(shown)) continue;
      waiting.delete(id);
      if (shown) replace(shown, fresh);
    }
    tick();
    if (asof.classList.contains("live")) live();
  }

  function live() {
    const held = waiting.size ? "; newer rows wait while you are at them" : "";
    say("Live, as of " + clock(newest) + held, true);
  }

  function compare(page) {
    for (const next of page.querySelectorAll("[data-live][id]")) {
      const shown = document.getElementById(next.id);
      if (!shown) continue;
      const fresh = document.importNode(next, true);
      waiting.delete(next.id);
      if (alike(shown, fresh)) rewrite(shown, fresh);
      else waiting.set(next.id, fresh);
    }
    settle();
  }

  let source = null;
  let fetching = false;
  let wanted = false;
  const pause = 2000;

  async function refresh() {
    if (fetching || document.hidden) { wanted = true; return; }
    fetching = true;
    wanted = false;
    try {
      const response = await fetch(location.href, { headers: { accept: "text/html" }, cache: "no-store" });
      if (!response.ok) lost();
      else {
        const page = new DOMParser().parseFromString(await response.text(), "text/html");
        const now = Number(page.body.dataset.now);
        if (now) { newest = now; lead = Date.now() - now; }
        compare(page);
        live();
      }
    } catch {
      lost();
    }
    setTimeout(() => { fetching = false; if (wanted) refresh(); }, pause);
  }

  function lost() {
    say("Not live: the node does not answer. Figures are as of " + clock(newest) + "; trying again.", false);
  }

  function listen() {
    if (source || document.hidden) return;
    source = new EventSource(stream);
    source.onopen = () => { live(); refresh(); };
    source.onerror = () => {
      lost();
      // The browser reconnects by itself unless the node refused the stream.
      if (source && source.readyState === EventSource.CLOSED) { source = null; setTimeout(listen, 5000); }
    };
    for (const name of ["block", "settlement", "refusal"]) source.addEventListener(name, refresh);
  }

  // A hidden page costs the node nothing; shown again it first catches up.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      if (source) source.close();
      source = null;
    } else {
      listen();
    }
  });
  document.addEventListener("pointerout", () => setTimeout(settle, 0));
  document.addEventListener("focusout", () => setTimeout(settle, 0));
  document.addEventListener("selectionchange", () => { if (waiting.size) setTimeout(settle, 0); });
  setInterval(() => { if (waiting.size) settle(); }, 1000);
  // Silence is news too: statuses age although no block comes.
  setInterval(() => { if (source) refresh(); }, 30000);
  listen();
})();
