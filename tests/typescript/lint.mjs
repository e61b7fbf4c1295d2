// Prints what Redocly's strictest rules find in the OpenAPI document that the argument names, one finding a line.
import { readFileSync } from "node:fs";
import { createConfig, lintFromString } from "@redocly/openapi-core";

const config = await createConfig({ extends: ["recommended-strict"] });
const source = readFileSync(process.argv[2], "utf8");
for (const { ruleId, message, location } of await lintFromString({ source, absoluteRef: "openapi.json", config })) {
  console.log(`${ruleId}: ${message} (${location[0]?.pointer})`);
}
