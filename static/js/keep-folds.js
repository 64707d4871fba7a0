// A fold that somebody opened stays open when its part of the page is replaced.
(() => {
  const opened = new Set();

  document.addEventListener("toggle", (event) => {
    const fold = event.target;
    if (!fold.matches?.("details.fold[id]") || !fold.isConnected) return;
    if (fold.open) opened.add(fold.id);
    else opened.delete(fold.id);
  }, true);
  document.addEventListener("htmx:load", (event) => {
    for (const fold of event.target.querySelectorAll?.("details.fold[id]") ?? []) if (opened.has(fold.id)) fold.open = true;
  });
})();
