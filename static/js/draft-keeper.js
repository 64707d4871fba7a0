// Keeps what is typed into <form data-keep="key"> until it was sent: over reloads, lost connections and sign-ins.
// A draft belongs to one person, ends after a day, and is forgotten on sign-out.
(() => {
  const DAY = 24 * 3600 * 1000;
  const person = document.body.dataset.person;
  const page = document.body.dataset.page;
  const prefix = "lastgood:draft:";
  const sentKey = "lastgood:sent";
  const named = (key) => `${prefix}${person}:${key}`;
  const read = (store, key) => { try { return JSON.parse(store.getItem(key)); } catch { return null; } };
  const write = (store, key, value) => { try { store.setItem(key, JSON.stringify(value)); } catch { /* a full or closed store keeps nothing */ } };
  const drafts = () => Object.keys(localStorage).filter((key) => key.startsWith(prefix));
  const kept = (form) => [...form.elements].filter((field) => field.name && field.name !== "csrfmiddlewaretoken" && !["password", "file", "hidden", "submit", "button"].includes(field.type) && field.tagName !== "BUTTON" && field.tagName !== "FIELDSET");
  const ticks = (field) => field.type === "checkbox" || field.type === "radio";
  const options = (select) => [...select.options].filter((option) => option.selected).map((option) => option.value);
  const value = (field) => (ticks(field) ? field.checked : field.tagName === "SELECT" ? options(field) : field.value);
  const slot = (field) => (ticks(field) ? `${field.name}=${field.value}` : field.name);

  // A summary of refusals may stand above its form or in it.
  const refused = (form) => form.querySelector("[aria-invalid=true]") || [...document.querySelectorAll("[data-refused]")].some((summary) => [null, form].includes(summary.closest("form")));

  try { localStorage.length; } catch { return; }

  for (const key of drafts()) {
    const draft = read(localStorage, key);
    if (!draft || Date.now() - draft.at > DAY) localStorage.removeItem(key);
  }
  for (const form of document.querySelectorAll("form[data-forget-drafts]")) {
    form.addEventListener("submit", () => drafts().forEach((key) => localStorage.removeItem(key)));
  }
  if (!person) return;

  // Was the last form taken? A page that refuses, fails or asks to sign in says no; another page or a success says yes.
  const sent = read(sessionStorage, sentKey);
  if (sent && page !== "error" && page !== "sign-in") {
    const form = document.querySelector(`form[data-keep="${CSS.escape(sent.key)}"]`);
    const taken = location.pathname !== sent.path || document.querySelector('[data-message="success"]');
    if (taken && !(form && refused(form))) localStorage.removeItem(named(sent.key));
    sessionStorage.removeItem(sentKey);
  }

  const notice = (form, draft, before) => {
    const note = document.createElement("p");
    note.className = "kept";
    note.setAttribute("role", "status");
    note.append(`What you typed at ${new Date(draft.at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })} local time was kept on this device. ${draft.tried ? "Check whether it was taken before you send it again." : "It has not been sent."}`);
    const drop = document.createElement("button");
    drop.type = "button";
    drop.className = "act small";
    drop.textContent = "Discard it";
    drop.addEventListener("click", () => {
      localStorage.removeItem(named(form.dataset.keep));
      for (const [field, was] of before) put(field, was);
      note.remove();
      form.querySelector("input:not([type=hidden]), select, textarea")?.focus();
    });
    note.append(" ", drop);
    form.prepend(note);
  };
  const put = (field, to) => {
    if (ticks(field)) field.checked = to;
    else if (field.tagName === "SELECT") for (const option of field.options) option.selected = to.includes(option.value);
    else field.value = to;
  };

  for (const form of document.querySelectorAll("form[data-keep]")) {
    const key = named(form.dataset.keep);
    const draft = read(localStorage, key);
    // The server already shows what was typed when it refuses: its answer wins over the draft.
    if (draft && !refused(form)) {
      const before = kept(form).filter((field) => slot(field) in draft.fields).map((field) => [field, value(field)]);
      for (const [field] of before) put(field, draft.fields[slot(field)]);
      if (before.some(([field, was]) => String(was) !== String(value(field)))) notice(form, draft, before);
    }
    let timer;
    const keep = (tried = false) => write(localStorage, key, { at: Date.now(), tried, fields: Object.fromEntries(kept(form).map((field) => [slot(field), value(field)])) });
    form.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(() => keep(), 300); });
    form.addEventListener("change", () => keep());
    form.addEventListener("submit", () => { clearTimeout(timer); keep(true); write(sessionStorage, sentKey, { key: form.dataset.keep, path: location.pathname }); });
  }
})();
