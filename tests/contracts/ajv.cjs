// Reads {"schemas": {name: schema}, "cases": [[name, base64], …]} and prints one line a case: 1 if
// ajv in strict mode takes it, 0 if it does not. A schema that strict mode refuses ends this with 1.
const fs = require("node:fs");
const Ajv = require("ajv/dist/2020");
const addFormats = require("ajv-formats");

const { schemas, cases } = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
const ajv = new Ajv({ strict: true, allErrors: false });
addFormats(ajv);
const validators = new Map(
  Object.entries(schemas).map(([name, schema]) => [name, ajv.compile(schema)]),
);
const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function takes(name, raw) {
  let value;
  try {
    value = JSON.parse(text.decode(Buffer.from(raw, "base64")));
  } catch {
    return 0;
  }
  return validators.get(name)(value) ? 1 : 0;
}

console.log(cases.map(([name, raw]) => takes(name, raw)).join("\n"));
