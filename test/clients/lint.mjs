// Lints the document with the rules in redocly.yaml. A warning counts as an error.
import { formatProblems, getTotals, lint, loadConfig } from "@redocly/openapi-core";

const config = await loadConfig({ configPath: "redocly.yaml" });
const problems = await lint({ ref: "generated/openapi.json", config });
formatProblems(problems, { totals: getTotals(problems) });
process.exit(problems.length === 0 ? 0 : 1);
