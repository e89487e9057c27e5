// Dark, light, or as the system has it: chosen by the button, and kept by the browser where it may.

import { $, text } from "./dom.js";

const CHOICES = ["auto", "dark", "light"], dark = matchMedia("(prefers-color-scheme: dark)");
const KEPT = "theme";

function kept() {
  try { return localStorage.getItem(KEPT); } catch { return null; }
}

function keep(choice) {
  try { localStorage.setItem(KEPT, choice); } catch { /* it is asked for again */ }
}

/** Paint the page in its theme, now and whenever that changes; `painted` is called after each time. */
export function themed(painted = () => {}) {
  let choice = CHOICES.includes(kept()) ? kept() : "auto";
  const paint = () => {
    document.documentElement.dataset.theme = choice === "auto" ? (dark.matches ? "dark" : "light") : choice;
    text($("theme"), `theme: ${choice}`);
    painted();
  };
  $("theme").onclick = () => {
    choice = CHOICES[(CHOICES.indexOf(choice) + 1) % CHOICES.length];
    keep(choice);
    paint();
  };
  dark.onchange = paint;
  paint();
}
