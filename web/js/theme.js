// Sets the theme before the first paint. A file of its own: the policy of the pages allows no inline script.
(() => {
  let theme = null;
  try {
    theme = localStorage.getItem("mynah.theme");
  } catch {
    // Storage is switched off; the theme is the system's.
  }
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
})();
