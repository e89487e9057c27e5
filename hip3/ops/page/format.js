// How values are shown. What is not known is a question mark, never a zero.

export const UNKNOWN = "?";

/** A number with `digits` decimals and thin groups, or the question mark. */
export function fixed(value, digits) {
  if (value === null || value === undefined || value === "") return UNKNOWN;
  const number = Number(value);
  if (!Number.isFinite(number)) return UNKNOWN;
  const text = Math.abs(number).toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return (number < 0 && Number(text.replaceAll(",", "")) !== 0 ? "−" : "") + text;
}

/** Dollars: cents, or finer where there are few of them. */
export function usd(value) {
  return fixed(value, Math.abs(Number(value)) >= 100 ? 2 : 3);
}

/** Dollars gained or lost, with their sign. */
export function gain(value) {
  const text = usd(value);
  return Number(value) > 0 && text !== UNKNOWN && /[1-9]/.test(text) ? "+" + text : text;
}

/** Class for a gain or a loss. */
export function tone(value) {
  return value === null || value === undefined || Number(value) === 0 ? "" : Number(value) > 0 ? "good" : "bad";
}

/** A price as the exchange wrote it, of eight digits at most. */
export function price(value) {
  if (value === null || value === undefined) return UNKNOWN;
  const number = Number(value);
  return Number.isFinite(number) ? String(Number(number.toPrecision(8))) : UNKNOWN;
}

/** A duration in at most seven characters. */
export function age(ms) {
  if (ms === null || ms === undefined) return UNKNOWN;
  const s = Math.floor(Math.max(0, ms) / 1000);
  if (ms < 10000) return (Math.max(0, ms) / 1000).toFixed(1) + " s";
  if (s < 60) return s + " s";
  if (s < 3600) return Math.floor(s / 60) + " min " + String(s % 60).padStart(2, "0");
  if (s < 360000) return Math.floor(s / 3600) + " h " + String(Math.floor((s % 3600) / 60)).padStart(2, "0");
  return Math.floor(s / 86400) + " d";
}

/** Microseconds as people say them. */
export function micros(us) {
  if (us === null) return "more";
  return us < 1000 ? us + " µs" : us < 1000000 ? us / 1000 + " ms" : us / 1000000 + " s";
}
