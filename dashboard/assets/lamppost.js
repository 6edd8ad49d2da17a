// Keeps an open page current. Without it the page is complete, and says when it was taken.
//
// Ages count on by themselves. On news from the node htmx fetches the page again and changes every element marked
// data-live into the fresh one, in place. Where rows would come or go, the element waits while the reader points at,
// selects or works in it: nothing moves under a finger.
"use strict";
(() => {
  const asof = document.getElementById("asof");
  const main = document.getElementById("main");
  let newest = Number(document.body.dataset.now);
  let lead = Date.now() - newest;

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
  if (!window.htmx || !main.hasAttribute("hx-get")) return;

  const clock = () => new Date(newest).toISOString().slice(11, 19) + " UTC";
  const say = (text, live) => { write(asof, text); asof.classList.toggle("live", live); };
  const live = () =>
    say("Live, as of " + clock() + (waiting.size ? "; newer rows wait while you are at them" : ""), true);
  const lost = () =>
    say("Not live: the node does not answer. Figures are as of " + clock() + "; trying again.", false);

  // A finger or wheel has no :hover to ask for, so what it did last counts for a while.
  let touch = 0;
  for (const name of ["pointerdown", "touchmove", "wheel", "keydown"]) {
    document.addEventListener(name, () => {
      clearTimeout(touch);
      touch = setTimeout(() => { touch = 0; settle(); }, 1500);
    }, { passive: true });
  }

  function busy(element) {
    const selection = document.getSelection();
    return touch
      || element.matches(":hover")
      || element.contains(document.activeElement)
      || (selection && !selection.isCollapsed && selection.containsNode(element, true));
  }

  // Two elements alike in this differ in text and attributes alone, and those change without moving anything.
  const shape = (element) => [...element.querySelectorAll("*:not([data-own] *)")]
    .map((node) => node.tagName + (node.dataset.kid ?? "")).join();

  const waiting = new Set();
  const mayChange = ({ target, fragment }) =>
    target.id === main.dataset.wanted || !busy(target) || shape(target) === shape(fragment.firstElementChild);

  main.addEventListener("htmx:before:swap", ({ target, detail: { ctx, tasks } }) => {
    if (target !== main) return;
    const taken = ctx.response.status < 400 && /data-now="(\d+)"/.exec(ctx.text);
    if (!taken) {
      tasks.length = 0;
      return;
    }
    newest = Number(taken[1]);
    lead = Date.now() - newest;
    waiting.clear();
    const parts = tasks.filter((task) => task.type === "oob");
    for (const part of parts) if (!mayChange(part)) waiting.add(part.target);
    tasks.splice(0, tasks.length, ...parts.filter((part) => !waiting.has(part.target)));
    delete main.dataset.wanted;
    live();
  });
  main.addEventListener("htmx:after:swap", tick);

  function settle() {
    if (!waiting.size || [...waiting].some(busy)) return;
    waiting.clear();
    htmx.trigger(main, "settle");
  }
  document.addEventListener("pointerout", () => setTimeout(settle, 0));
  document.addEventListener("focusout", () => setTimeout(settle, 0));
  document.addEventListener("selectionchange", settle);

  // A hidden page costs the node nothing: htmx closes its stream, and comes back with it to what was missed.
  main.addEventListener("htmx:before:request", (event) => {
    if (event.target === main && document.hidden) event.preventDefault();
  });
  for (const name of ["htmx:error", "htmx:response:error", "htmx:sse:error"]) document.addEventListener(name, lost);
  // htmx reconnects by itself once it was connected; until then somebody else has to try.
  asof.addEventListener("htmx:finally:request", () => {
    if (!asof._htmx?.sse) setTimeout(() => htmx.trigger(asof, "again"), 5000);
  });
})();
