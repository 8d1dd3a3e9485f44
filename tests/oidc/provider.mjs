// An OpenID provider for tests/oidc_provider.rs: npm's `oidc-provider`, from the folder of the first argument, with the
// clients and the shared secret of the second: {"clients": [{"id", "secret"}], "shared_secret": ""}.
//
// Standard input is a listening socket; the issuer is its address. What a token is to be is said by the resource it is
// asked for (RFC 8707), `urn:<audience>:<RS256, ... or opaque>:<lifetime in seconds>`. Beside the provider's own paths:
//
//   POST /test/add-keys      new keys sign from now on; the old ones stay published
//   POST /test/remove-keys   only the newest keys stay
//   GET  /test/requests      how often each path was asked for: {"POST /token/introspection": 1}

import { createServer } from "node:http";
import { generateKeyPairSync } from "node:crypto";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

// It warns of what suits a test: a bare HTTP, tokens that are kept in memory.
console.info = console.warn = () => {};
// A bare `import "oidc-provider"` would look beside this file.
const path = createRequire(`${process.argv[2]}/`).resolve("oidc-provider");
const { Provider } = await import(pathToFileURL(path));
const settings = JSON.parse(process.argv[3]);
const SCOPES = ["orders:read", "orders:write"];

const requests = {};
let keys = [generateKeys()];
let provider;

const server = createServer((request, response) => {
    const asked = `${request.method} ${request.url}`;
    switch (asked) {
        case "POST /test/add-keys":
            keys = [generateKeys(), ...keys];
            return restart(response);
        case "POST /test/remove-keys":
            keys = keys.slice(0, 1);
            return restart(response);
        case "GET /test/requests":
            return response.end(JSON.stringify(requests));
        default:
            requests[asked] = (requests[asked] ?? 0) + 1;
            return provider(request, response);
    }
});
// An idle connection must not be closed just when Envoy uses it again.
server.keepAliveTimeout = 0;
server.listen({ fd: 0 }, () => restart());

// Tokens survive it: the provider's own store is one for the whole process.
function restart(response) {
    provider = new Provider(`http://127.0.0.1:${server.address().port}`, configuration()).callback();
    response?.end();
}

// One of each type; the first one that fits signs. The RSA key is for all of RS* and PS*.
function generateKeys() {
    const pairs = [
        generateKeyPairSync("rsa", { modulusLength: 2048 }),
        ...["P-256", "P-384", "P-521"].map((namedCurve) => generateKeyPairSync("ec", { namedCurve })),
        generateKeyPairSync("ed25519"),
    ];
    return pairs.map(({ privateKey }) => privateKey.export({ format: "jwk" }));
}

function configuration() {
    return {
        jwks: { keys: keys.flat() },
        clients: settings.clients.map(({ id, secret }) => ({
            client_id: id,
            client_secret: secret,
            token_endpoint_auth_method: "client_secret_basic",
            grant_types: ["client_credentials"],
            response_types: [],
            redirect_uris: [],
        })),
        scopes: SCOPES,
        extraTokenClaims: () => ({ realm_access: { roles: ["clerk"] } }),
        features: {
            clientCredentials: { enabled: true },
            devInteractions: { enabled: false },
            introspection: { enabled: true, allowedPolicy: () => true },
            revocation: { enabled: true, allowedPolicy: () => true },
            resourceIndicators: { enabled: true, getResourceServerInfo: (_, resource) => resourceServer(resource) },
        },
    };
}

function resourceServer(resource) {
    const [, audience, form, lifetime] = resource.split(":");
    const server = { audience, scope: SCOPES.join(" "), accessTokenTTL: Number(lifetime) };
    if (form === "opaque") return { ...server, accessTokenFormat: "opaque" };
    const key = form.startsWith("HS") ? Buffer.from(settings.shared_secret) : undefined;
    return { ...server, accessTokenFormat: "jwt", jwt: { sign: { alg: form, key } } };
}
