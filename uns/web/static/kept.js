// What this browser remembers of its user's choices; where it may not remember, nothing is lost but the choice.
export function kept(name) {
  const asked = new URLSearchParams(location.search).get(name);
  if (asked && (name === "language" || name === "theme")) return asked;
  try { return localStorage.getItem(`uns.${name}`); } catch { return null; }
}

export function keep(name, value) {
  try { localStorage.setItem(`uns.${name}`, value); } catch { /* a browser that keeps nothing */ }
}
