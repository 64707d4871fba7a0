// Lets <button data-passkey="login|authenticate|add"> ask the device for a passkey, and says so in the page when it did not come.
// The ceremony itself is allauth's; the button's form holds the credential, data-options names the script with the server's challenge.
(() => {
  const forms = window.allauth?.webauthn?.forms;
  // A passkey belongs to a host name: there is none for 127.0.0.1.
  const can = forms && window.PublicKeyCredential && !/^[\d.]+$|^\[/.test(location.hostname);
  for (const button of document.querySelectorAll("[data-passkey]")) {
    if (!can) {
      if (button.dataset.passkey === "login") button.form.hidden = true;
      for (const note of document.querySelectorAll("[data-passkey-impossible]")) note.hidden = false;
      continue;
    }
    button.disabled = false;
    const form = button.form;
    const ids = { credential: form.querySelector("[name$=credential]").id, data: button.dataset.options };
    ids.passwordless = form.querySelector("[name=passwordless]")?.id;
    ids[button.dataset.passkey] = button.id;
    forms[`${button.dataset.passkey}Form`]({ ids });
  }
  document.addEventListener("allauth.error", (event) => {
    event.preventDefault();
    for (const note of document.querySelectorAll("[data-passkey-failed]")) note.hidden = false;
  });
})();
