// Verifies `audience token` lines by the page's program: `ok SUBJECT` or `refused` for each.

import { readFileSync } from "node:fs";
import { verifier } from "./identity-token.mjs";

const jwks = JSON.parse(readFileSync("jwks.json", "utf8"));
for (const line of readFileSync(0, "utf8").trimEnd().split("\n")) {
    const [audience, token] = line.split(" ");
    try {
        console.log(`ok ${(await verifier(jwks, audience)(token)).sub}`);
    } catch {
        console.log("refused");
    }
}
