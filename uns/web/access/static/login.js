// Signs in, says what was wrong, and goes on to the page that was asked for.
const WORDS = {
  en: { title: "Sign in", user: "Name", password: "Password", away: "The page does not answer; try again." },
  de: { title: "Anmelden", user: "Name", password: "Passwort", away: "Die Seite antwortet nicht; noch einmal versuchen." },
};
const language = navigator.language.startsWith("de") ? "de" : "en";
const words = WORDS[language];
const form = document.getElementById("sign-in");
const problem = document.getElementById("problem");
const button = form.querySelector("button");
document.documentElement.lang = language;
form.querySelector('label[for="user"]').textContent = words.user;
form.querySelector('label[for="password"]').textContent = words.password;
button.textContent = words.title;
form.user.focus();

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  button.disabled = true;
  problem.textContent = "";
  try {
    const answer = await fetch("/login", {
      method: "POST",
      headers: { "content-type": "application/json", "x-uns-token": form.dataset.token },
      body: JSON.stringify({ user: form.user.value, password: form.password.value }),
    });
    if (answer.ok) {
      location.assign(form.dataset.to);
      return;
    }
    problem.textContent = (await answer.json()).problem;
  } catch {
    problem.textContent = words.away;
  } finally {
    button.disabled = false;
  }
  form.password.select();
});
