// Keeps the bar's UTC clock going from the server's time, and sets local time beside it.
(() => {
  const clock = document.querySelector("[data-clock]");
  if (!clock) return;
  const local = document.querySelector("[data-clock-local]");
  const fromHistory = performance.getEntriesByType("navigation")[0]?.type === "back_forward";
  const skew = fromHistory ? 0 : Date.parse(clock.dateTime) - Date.now();
  // Counters go by the server's time too: a laptop that is five minutes wrong must not miss an update.
  document.documentElement.dataset.skew = skew;
  const two = (number) => String(number).padStart(2, "0");

  const tick = () => {
    const now = new Date(Date.now() + skew);
    clock.firstChild.data = `${two(now.getUTCHours())}:${two(now.getUTCMinutes())}`;
    clock.lastElementChild.textContent = `:${two(now.getUTCSeconds())}`;
    if (local && now.getTimezoneOffset() !== 0) local.textContent = `${two(now.getHours())}:${two(now.getMinutes())} local`;
    setTimeout(tick, 1000 - (now.getTime() % 1000));
  };
  tick();
})();
