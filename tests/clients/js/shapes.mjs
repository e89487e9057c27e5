// Holds answers against the types that @nktkas/hyperliquid declares for them, formats of numbers included.

import { Ajv } from "ajv";
import { createGenerator } from "ts-json-schema-generator";
import { fileURLToPath } from "node:url";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const generator = createGenerator({
  path: here("./node_modules/@nktkas/hyperliquid/esm/api/{info,subscription,exchange}/_methods/*.d.ts"),
  tsconfig: here("./tsconfig.json"),
  skipTypeCheck: true,
  jsDoc: "extended",
  strictTuples: true,
  additionalProperties: false,
  topRef: true,
  expose: "all",
});
const ajv = new Ajv({ allErrors: true, strict: false, allowUnionTypes: true });
const known = new Map();

/** Where a value is not of a type: paths without numbers, each with what is wrong, every one once. */
export function problems(type, value) {
  if (!known.has(type)) known.set(type, ajv.compile(generator.createSchema(type)));
  const check = known.get(type);
  if (check(value)) return [];
  const found = check.errors.map((e) => `${e.instancePath.replace(/\/\d+/g, "/*")} ${e.message} ${JSON.stringify(e.params)}`);
  return [...new Set(found)];
}
