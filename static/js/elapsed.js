// Counts on: <time data-since> says how long ago, <time data-until> how long until, then how late.
(() => {
  const words = (milliseconds) => {
    const whole = Math.max(0, Math.floor(milliseconds / 1000));
    const [days, hours, minutes, seconds] = [Math.floor(whole / 86400), Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60, whole % 60];
    if (days) return `${days} d ${hours} h`;
    if (hours) return `${hours} h ${minutes} min`;
    if (minutes >= 10) return `${minutes} min`;
    return minutes ? `${minutes} min ${seconds} s` : `${seconds} s`;
  };
  const write = (time, text) => { if (time.textContent !== text) time.textContent = text; };

  const tick = () => {
    const now = Date.now() + Number(document.documentElement.dataset.skew || 0);
    for (const time of document.querySelectorAll("time[data-since]")) write(time, words(now - Date.parse(time.dateTime)));
    for (const time of document.querySelectorAll("time[data-until]")) {
      const left = Date.parse(time.dateTime) - now;
      time.classList.toggle("late", left < 0);
      write(time, left < 0 ? `${words(-left)} late` : words(left));
    }
  };
  tick();
  setInterval(tick, 1000);
})();
