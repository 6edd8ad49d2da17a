// The page about the key in this browser: makes one, with a backup first; imports one; signs in with it; takes it away.
"use strict";
(() => {
  const { does, element } = window.lamppost;
  const keys = window.lamppostKey;
  const part = (id) => document.getElementById(id);
  const alarm = part("key-alert");
  let fresh;

  function show(key) {
    part("key-held").hidden = !key;
    part("key-none").hidden = Boolean(key);
    part("key-backup").hidden = true;
    if (!key) return;
    part("key-account").replaceChildren(
      element("a", { class: "id", href: "/accounts/" + key.account }, key.account));
    const made = part("key-made");
    made.textContent = new Date(key.made).toLocaleString();
    made.dateTime = new Date(key.made).toISOString();
  }

  async function keep(key) {
    await keys.save({ ...key, made: Date.now() });
    // Browsers may clear what pages keep when the disk is full, unless they were asked not to.
    await navigator.storage?.persist?.();
    show(await keys.load());
  }

  does(part("key-make"), "click", alarm, async () => {
    fresh = await keys.made();
    const file = new Blob([fresh.pem], { type: "application/x-pem-file" });
    const link = part("key-download");
    link.href = URL.createObjectURL(file);
    link.download = "lamppost-" + fresh.key.kid + ".pem";
    part("key-saved").checked = false;
    part("key-backup").hidden = false;
    link.focus();
  });

  does(part("key-keep"), "submit", alarm, async () => {
    URL.revokeObjectURL(part("key-download").href);
    await keep(fresh.key);
    fresh = undefined;
  });

  does(part("key-import"), "submit", alarm, async () => {
    const [file] = part("key-file").files;
    if (!file || file.size > 10000) throw new Error("Choose a key file, as `lamppost key new` makes it.");
    await keep(await keys.imported(await file.text()));
    part("key-import").reset();
  });

  does(part("key-sign-in"), "click", alarm, async () => {
    const session = await keys.signIn();
    location.assign(session.home);
  });

  does(part("key-remove"), "submit", alarm, async () => {
    await keys.remove();
    part("key-remove").reset();
    show(undefined);
  });

  (async () => {
    part("key-script").hidden = true;
    try {
      show(await keys.load());
    } catch (error) {
      alarm.textContent = error.message;
      alarm.hidden = false;
    }
  })();
})();
