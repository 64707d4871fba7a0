// Puts the reader's own time beside each <time data-local>, where it differs from UTC.
(() => {
  const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });

  const beside = (root) => {
    for (const time of root.querySelectorAll("time[data-local]:not([data-local=done])")) {
      const moment = new Date(time.dateTime);
      time.dataset.local = "done";
      if (Number.isNaN(moment.getTime()) || moment.getTimezoneOffset() === 0) continue;
      const otherDay = moment.getDate() !== moment.getUTCDate() ? `${day.format(moment)} ` : "";
      const local = document.createElement("span");
      local.className = "local";
      local.textContent = `(${otherDay}${clock.format(moment)} local)`;
      time.append(" ", local);
    }
  };
  // A moment is typed in UTC: say what that is on the reader's own clock.
  const hint = (field) => {
    const moment = new Date(`${field.value}Z`);
    let words = field.parentElement.querySelector(".affix-local");
    if (!words) {
      words = document.createElement("span");
      words.className = "affix-local local";
      words.setAttribute("role", "status");
      field.parentElement.append(words);
    }
    const shown = !Number.isNaN(moment.getTime()) && moment.getTimezoneOffset() !== 0;
    words.textContent = shown ? `${day.format(moment)} ${clock.format(moment)} local` : "";
  };
  document.addEventListener("input", (event) => event.target.matches("input[type=datetime-local]") && hint(event.target));
  document.querySelectorAll(".affixed input[type=datetime-local]").forEach(hint);

  beside(document);
  document.addEventListener("htmx:load", (event) => beside(event.target));
})();
