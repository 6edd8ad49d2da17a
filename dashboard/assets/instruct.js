// A form whose instruction is signed by the key in this browser: looked over first, then signed and sent. Without this
// script the same form answers with the command that does the same.
"use strict";
(() => {
  const { does, element, fetchJson } = window.lamppost;
  const keys = window.lamppostKey;
  const form = document.querySelector("form[data-instruction]");
  if (!form || keys.cannot) return;
  const part = (id) => document.getElementById(id);
  const [alarm, confirmation, said] = ["instruct-alert", "confirm", "confirm-said"].map(part);
  const field = (name) => form.elements.namedItem(name)?.value.trim() ?? "";
  const link = (path, name) => element("a", { class: "id", href: path }, name);

  // A claim code may come with the page's address, where no server sees it; also when the page is open already, and the
  // next device's link changes nothing but that.
  const code = form.elements.namedItem("code");
  const brought = () => {
    const [, found] = /^#([0-9a-f]{16}\.[0-9a-f]+)$/.exec(location.hash) ?? [];
    if (!code || !found) return;
    code.value = found;
    confirmation.hidden = true;
  };
  brought();
  addEventListener("hashchange", brought);

  const kid = form.dataset.kid;
  const asked = {
    claim: async () => {
      const [device] = field("code").split(".");
      const known = await fetchJson("/api/v1/devices/" + encodeURIComponent(device)).catch((error) => {
        throw error.status === 404 ? new Error("No device " + device + " is enrolled: is the code whole?") : error;
      });
      if (known.owner) throw new Error("Device " + device + " has an owner already.");
      return {
        instruction: {
          name: "claim", code: field("code"), latitude: field("lat"), longitude: field("lon"),
          device_key: known.public_key,
        },
        words: ["Claim device ", link("/devices/" + device, device), " at " + field("lat") + ", " + field("lon")
          + ". What it has earned so far is paid out to you. The place stays on the ledger for good."],
        then: "/devices/" + device,
      };
    },
    transfer_device: async () => ({
      instruction: { name: "transfer_device", kid, to: field("to") || undefined },
      words: field("to")
        ? ["Offer device ", link("/devices/" + kid, kid), " to " + field("to") + ". It stays yours until they accept."]
        : ["Withdraw the offer of device ", link("/devices/" + kid, kid), "."],
      then: "/devices/" + kid,
    }),
    accept_device: async () => ({
      instruction: { name: "accept_device", kid },
      words: ["Accept device ", link("/devices/" + kid, kid), ". What it reads from then on is paid to you."],
      then: "/devices/" + kid,
    }),
  }[form.dataset.instruction];

  let ready;
  does(form, "submit", alarm, async () => {
    const key = await keys.load();
    if (!key) {
      form.removeAttribute("data-instruction");
      form.submit();
      return;
    }
    ready = await asked();
    await keys.check(ready.instruction);
    said.replaceChildren(...ready.words);
    part("confirm-account").textContent = key.account;
    part("confirm-done").replaceChildren();
    part("confirm-send").hidden = false;
    confirmation.hidden = false;
    part("confirm-send").focus();
  });

  does(part("confirm-send"), "click", alarm, async () => {
    const { id, height } = await keys.submit(ready.instruction);
    part("confirm-send").hidden = true;
    part("confirm-done").replaceChildren(
      "Done: it stands in block " + height + ", ", link("/transactions/" + id, "transaction " + id.slice(0, 16) + "…"),
      ". ", element("a", { href: ready.then }, "Look at the device"), ".");
  });

  // What was looked over is what is signed: a change asks again.
  form.addEventListener("input", () => { confirmation.hidden = true; });
})();
