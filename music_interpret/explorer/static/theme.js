// Light or dark: as the system says, or as chosen here.

const KEY = "music-interpret-theme";
const system = window.matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set();

function chosen() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function apply() {
  const theme = chosen() ?? (system.matches ? "dark" : "light");
  if (document.documentElement.dataset.theme === theme) return;
  document.documentElement.dataset.theme = theme;
  for (const work of listeners) work(theme);
}

export function startTheme() {
  apply();
  system.addEventListener("change", apply);
}

export function toggleTheme() {
  const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  try {
    localStorage.setItem(KEY, next);
  } catch {
    // Without storage the choice holds for this page.
    document.documentElement.dataset.theme = next;
    for (const work of listeners) work(next);
    return;
  }
  apply();
}

/** Call after the theme changed; returns what to call to stop. */
export function onTheme(work) {
  listeners.add(work);
  return () => listeners.delete(work);
}
