// The same with jose and a shared secret, the first argument.

import { readFileSync } from "node:fs";
import { jwtVerify } from "jose";

const secret = new TextEncoder().encode(process.argv[2]);
const options = { algorithms: ["HS256"], typ: "gatepost+jwt", issuer: "gatepost", requiredClaims: ["exp"] };
for (const line of readFileSync(0, "utf8").trimEnd().split("\n")) {
    const [audience, token] = line.split(" ");
    try {
        console.log(`ok ${(await jwtVerify(token, secret, { ...options, audience })).payload.sub}`);
    } catch {
        console.log("refused");
    }
}
