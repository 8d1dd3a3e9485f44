// Does the task of tests/crosscheck.rs with npm's `jose`, which stands in the folder of the first argument.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

// A bare `import "jose"` would look beside this file.
const path = createRequire(`${process.argv[2]}/`).resolve("jose");
const { SignJWT, calculateJwkThumbprint, errors, exportJWK, importJWK, importPKCS8, jwtVerify } = await import(pathToFileURL(path));

const task = JSON.parse(readFileSync(0, "utf8"));
const jwks = {};
const cases = [];
for (const { algorithm, key, honest, flipped, proof } of task.cases) {
    const privateKey = await readKey(task.keys[key], algorithm);
    jwks[key] = publicHalf(await exportJWK(privateKey), key);
    const publicKey = await importJWK(jwks[key], algorithm);
    const header = { alg: algorithm, kid: key, typ: "JWT" };
    cases.push({
        token: await new SignJWT(task.claims).setProtectedHeader(header).sign(privateKey),
        honest: await verifies(honest, publicKey, algorithm),
        flipped: await verifies(flipped, publicKey, algorithm),
        proof: proof && (await prove(proof, jwks[key], privateKey, algorithm)),
    });
}
console.log(JSON.stringify({ jwks: { keys: Object.values(jwks) }, cases }));

// A DPoP proof (RFC 9449 §4.2), and the thumbprint of its key (RFC 7638).
async function prove(claims, jwk, privateKey, alg) {
    const signed = await new SignJWT(claims).setProtectedHeader({ typ: "dpop+jwt", alg, jwk }).sign(privateKey);
    return { thumbprint: await calculateJwkThumbprint(jwk), signed };
}

async function readKey(text, algorithm) {
    return algorithm.startsWith("HS")
        ? new TextEncoder().encode(text)
        : await importPKCS8(text, algorithm, { extractable: true });
}

// By the members that may be public, so that none that is private is forgotten; a shared secret has but the one.
function publicHalf({ kty, crv, x, y, n, e, k }, kid) {
    return { kty, crv, x, y, n, e, k, kid };
}

async function verifies(token, key, algorithm) {
    const { iss: issuer, aud: audience } = task.claims;
    const currentDate = new Date(task.now * 1000);
    try {
        await jwtVerify(token, key, { algorithms: [algorithm], issuer, audience, currentDate });
        return true;
    } catch (error) {
        if (error instanceof errors.JWSSignatureVerificationFailed) return false;
        throw error;
    }
}
