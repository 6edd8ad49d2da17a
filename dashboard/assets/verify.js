// Verifies receipts and proofs with the ledger's own code in this page. Once the page is loaded no network is needed: the
// genesis document and the code are fetched at once. Only the key of a reading's device is asked for later, if it can be.
"use strict";
(() => {
  const { load, ask, fetchJson, element, sentence, does } = window.lamppost;
  const part = (id) => document.getElementById(id);
  const [alarm, place, drop] = ["verify-alert", "verified", "drop"].map(part);
  const NAMES = {
    form: "Form", checkpoint: "Checkpoint", signature: "Signatures", quorum: "Quorum", inclusion: "Inclusion",
    leaf: "State", growth: "Growth", author: "Author",
  };
  const WORDS = { holds: "holds", fails: "fails", open: "not checked" };

  async function text(path) {
    const response = await fetch(path);
    if (!response.ok) throw new Error((await response.json().catch(() => ({}))).detail ?? response.statusText);
    return response.text();
  }

  let genesis = text("/genesis");
  // Who joined the validators and who left since: each change is verified from the genesis document on.
  const validators = text("/validators").catch(() => null);
  genesis.then(load).then(() => { part("verify-ready").hidden = false; }, (error) => {
    alarm.textContent = sentence(error);
    alarm.hidden = false;
  });

  // Devices' keys are not in their receipts. What the node gives is believed only where it has the kid's fingerprint.
  async function steps(proof) {
    const request = { ask: "steps", genesis: await genesis, validators: await validators, proof };
    const answer = await ask(request);
    const author = answer.steps.find((step) => step.step === "author" && step.verdict === "open");
    const kid = author && /key of device ([0-9a-f]{16})/.exec(author.sentence);
    if (!kid) return answer;
    try {
      const { public_key } = await fetchJson("/api/v1/devices/" + kid[1]);
      return await ask({ ...request, device_key: public_key });
    } catch {
      return answer;
    }
  }

  const fact = (name, ...children) => element("div", { class: children[0].textContent?.length > 40 ? "whole" : "" },
    element("dt", {}, name), element("dd", {}, ...children));

  function facts(proven) {
    const said = Object.entries(proven).filter(([, value]) => value !== null && typeof value !== "object");
    const list = said.map(([name, value]) => fact(name.replaceAll("_", " "), element("bdi", { class: "hex" }, String(value))));
    const records = (proven.senml ?? []).map((record) => fact(element("bdi", {}, record.n), String(record.v ?? record.vb) + " " + (record.u ?? "")));
    const leaf = proven.leaf ? [fact("leaf", element("bdi", { class: "hex" }, JSON.stringify(proven.leaf)))] : [];
    return element("dl", { class: "facts" }, ...list, ...leaf, ...records);
  }

  function report(name, { holds, steps, proven }) {
    const failed = steps.filter((step) => step.verdict === "fails").map((step) => NAMES[step.step]);
    const verdict = holds ? "It holds: the log that the validators signed has this." : "It does not hold. Fails: " + failed.join(", ") + ".";
    const rows = steps.map((step) => element("li", { class: step.verdict, "data-step": step.step },
      element("strong", {}, NAMES[step.step] ?? step.step), " ", element("span", { class: "verdict" }, WORDS[step.verdict]),
      element("small", {}, sentence({ message: step.sentence }))));
    return element("article", { class: "verdicts", tabindex: "-1" },
      element("h3", {}, element("bdi", {}, name.slice(0, 80))),
      element("p", { class: holds ? "holds" : "alert" }, verdict),
      element("ul", { class: "checks" }, ...rows),
      ...(proven ? [facts(JSON.parse(proven))] : []));
  }

  async function show(documents) {
    const reports = [];
    for (const [name, proof] of documents) reports.push(report(name, await steps(proof)));
    place.replaceChildren(...reports);
    place.firstElementChild?.focus();
  }

  async function read(files) {
    const chosen = [...files].slice(0, 20);
    if (chosen.some((file) => file.size > 1048576)) throw new Error("That is longer than any document of ours.");
    await show(await Promise.all(chosen.map(async (file) => [file.name, await file.text()])));
  }

  does(part("verify-file"), "change", alarm, () => read(part("verify-file").files));
  does(part("verify-genesis"), "change", alarm, async () => {
    const [file] = part("verify-genesis").files;
    if (file) genesis = Promise.resolve(await file.text());
  });
  does(part("verify-id-form"), "submit", alarm, async () => {
    const id = part("verify-id").value.trim().toLowerCase();
    await show([[id, await text(`/api/v1/transactions/${encodeURIComponent(id)}/receipt`)]]);
  });
  for (const name of ["dragenter", "dragover"]) {
    drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
  }
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  does(drop, "drop", alarm, (event) => {
    drop.classList.remove("over");
    return read(event.dataTransfer.files);
  });
  part("verify-script").hidden = true;
  part("verify-here").hidden = false;
  if (part("verify-id").value) part("verify-id-form").requestSubmit();
})();
