// What the scripts share: calls by name, one line of JSON for what came of each.

export const setup = JSON.parse(process.argv[2]);

const plain = (key, value) => (typeof value === "bigint" ? value.toString() : value);

export const tell = (line) => console.log(JSON.stringify(line, plain));

/** Runs a call and tells its value or its error; the value, or undefined. */
export async function attempt(name, call) {
  try {
    const value = await call();
    tell({ name, value: value === undefined ? null : value });
    return value;
  } catch (error) {
    tell({ name, error: `${error?.message ?? error}` });
    return undefined;
  }
}

/** What of a promise comes first: its value, or an error after so many seconds. */
export function within(seconds, promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${seconds} s: ${what}`)), seconds * 1000);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
