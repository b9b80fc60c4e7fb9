// Reads an AsyncAPI document with AsyncAPI's own parser. Prints {"problems": […], "channels": …,
// "operations": …, "messages": …}; a problem is an error or a warning, with its place.
const fs = require("node:fs");
const { Parser } = require("@asyncapi/parser");

const ERROR_OR_WARNING = 1;

async function main(file) {
  const read = await new Parser().parse(fs.readFileSync(file, "utf8"), { source: file });
  const problems = read.diagnostics
    .filter((it) => it.severity <= ERROR_OR_WARNING)
    .map((it) => `${it.code} at ${it.path.join(".")}: ${it.message}`);
  const found = read.document;
  const told = {
    problems,
    channels: found ? found.channels().all().map((it) => it.address()) : [],
    operations: found ? found.operations().all().length : 0,
    messages: found ? found.messages().all().map((it) => it.name()) : [],
    fields: found
      ? Object.fromEntries(
          found.messages().all().map((it) => [it.name(), Object.keys(it.payload()?.properties() ?? {})]),
        )
      : {},
  };
  console.log(JSON.stringify(told));
}

main(process.argv[2]);
