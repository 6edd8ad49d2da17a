// Reckons a statement again with the ledger's own code: from the counts that the node's API gives, by the tariff of its
// version, step by step, and holds what comes out against what this page says.
"use strict";
(() => {
  const { ask, fetchJson, element, does } = window.lamppost;
  const box = document.getElementById("recompute");
  const { kid, epoch } = box.dataset;
  const button = element("button", { type: "button", class: "button" }, "Recompute in this browser");
  const alarm = element("p", { class: "alert", role: "alert", hidden: "" });
  const place = element("div", { "aria-live": "polite" });

  const tick = (holds) => element("span", { class: holds ? "holds" : "fails" }, holds ? "agrees" : "differs");
  const cell = (label, ...children) => element("td", { role: "cell", "data-label": label }, ...children);

  function table(steps) {
    const heads = ["Step", "Reckoned from", "Comes to", "Statement says", ""];
    const head = element("thead", { role: "rowgroup" }, element("tr", { role: "row" },
      ...heads.map((name) => element("th", { role: "columnheader", scope: "col" }, name || "Verdict"))));
    const rows = steps.map((step) => element("tr", { role: "row" },
      element("th", { role: "rowheader", scope: "row" }, element("bdi", {}, step.what)),
      cell("Reckoned from", step.formula), cell("Comes to", step.found), cell("Statement says", step.said),
      cell("Verdict", tick(step.holds))));
    return element("table", { class: "list", role: "table" }, head,
      element("tbody", { role: "rowgroup" }, ...rows));
  }

  async function reckoned(statement, paid) {
    const { tariff } = await fetchJson("/api/v1/tariffs/" + statement.tariff_version);
    const answer = await ask({
      ask: "recompute", statement: statement.encoded, tariff: JSON.stringify(tariff),
    });
    const isThis = answer.kid === kid && answer.epoch === epoch && paid.includes(answer.paid_microtokens);
    const holds = answer.holds && isThis;
    const words = holds
      ? "Every step agrees, and it comes to what this page says: "
      : isThis ? "Not every step agrees; this statement says more or less than follows from its counts: "
        : "This is not the statement that the page shows: ";
    return [
      element("p", { class: holds ? "" : "alert" }, tick(holds), " " + words
        + answer.paid_microtokens + " micro-tokens for " + answer.payee.slice(0, 10) + "…"),
      table(answer.steps),
    ];
  }

  box.replaceChildren(element("p", {}, button), alarm, place);
  does(button, "click", alarm, async () => {
    const statements = await fetchJson(`/api/v1/devices/${kid}/statements/${epoch}`);
    const paid = [...document.querySelectorAll("[data-paid]")].map((sheet) => sheet.dataset.paid);
    const parts = [];
    for (const statement of statements) parts.push(...await reckoned(statement, paid));
    if (statements.length !== paid.length) {
      parts.push(element("p", { class: "alert" }, "The node gives another number of statements than this page shows."));
    }
    place.replaceChildren(...parts);
  });
})();
