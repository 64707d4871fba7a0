// A form that is under way is not sent again by a second tap. Off with data-again (downloads).
(() => {
  const release = (form) => {
    delete form.dataset.underWay;
    for (const act of form.querySelectorAll(".is-busy")) {
      act.classList.remove("is-busy");
      act.removeAttribute("aria-disabled");
    }
  };

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || "again" in form.dataset) return;
    if ("underWay" in form.dataset) return event.preventDefault();
    if (event.defaultPrevented) return;
    form.dataset.underWay = "";
    const act = event.submitter;
    // After the browser has read the form: a disabled button would not send its name.
    setTimeout(() => {
      if (!act) return;
      act.classList.add("is-busy");
      act.setAttribute("aria-disabled", "true");
    });
    // The answer never came: let the person try again.
    setTimeout(() => release(form), 20000);
  });

  addEventListener("pageshow", () => document.querySelectorAll("form[data-under-way]").forEach(release));
  document.addEventListener("htmx:afterRequest", (event) => event.target.closest?.("form") && release(event.target.closest("form")));
})();
