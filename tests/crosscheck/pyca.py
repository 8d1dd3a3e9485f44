"""Does the task of tests/crosscheck.rs with Python's `cryptography` (pyca).

The library has the primitives alone: how they make a JWS is written here anew, from RFC 7518 §3 and RFC 8037 §3.1.
This file cannot be called cryptography.py, which would be imported in the library's place.
"""

import base64
import json
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, hmac, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}


def main():
    task = json.load(sys.stdin)
    keys = {name: read_key(text) for name, text in task["keys"].items()}
    report = {
        "jwks": {"keys": [{**jwk(key), "kid": name} for name, key in keys.items()]},
        "cases": [do(case, keys[case["key"]], task["claims"]) for case in task["cases"]],
    }
    json.dump(report, sys.stdout)


def read_key(text):
    if text.startswith("-----BEGIN "):
        return serialization.load_pem_private_key(text.encode(), password=None)
    return text.encode()


def do(case, key, claims):
    algorithm = case["algorithm"]
    header = {"alg": algorithm, "kid": case["key"], "typ": "JWT"}
    message = ".".join(encode(json.dumps(part).encode()) for part in (header, claims))
    return {
        "token": f"{message}.{encode(sign(algorithm, key, message.encode()))}",
        "honest": verifies(algorithm, key, case["honest"]),
        "flipped": verifies(algorithm, key, case["flipped"]),
    }


def sign(algorithm, key, message):
    match algorithm[:2]:
        case "HS":
            return mac(algorithm, key, message).finalize()
        case "RS" | "PS":
            return key.sign(message, rsa_padding(algorithm), HASHES[algorithm[2:]])
        case "ES":
            r, s = decode_dss_signature(key.sign(message, ec.ECDSA(HASHES[algorithm[2:]])))
            size = coordinate_size(key)
            return r.to_bytes(size, "big") + s.to_bytes(size, "big")
        case "Ed":
            return key.sign(message)


def verifies(algorithm, key, token):
    message, _, signature = token.rpartition(".")
    try:
        verify(algorithm, key, message.encode(), decode(signature))
        return True
    except InvalidSignature:
        return False


def verify(algorithm, key, message, signature):
    match algorithm[:2]:
        case "HS":
            mac(algorithm, key, message).verify(signature)
        case "RS" | "PS":
            key.public_key().verify(signature, message, rsa_padding(algorithm), HASHES[algorithm[2:]])
        case "ES":
            size = coordinate_size(key)
            assert len(signature) == 2 * size, "RFC 7518 §3.4: r and s, each as long as a coordinate"
            r, s = (int.from_bytes(half, "big") for half in (signature[:size], signature[size:]))
            key.public_key().verify(encode_dss_signature(r, s), message, ec.ECDSA(HASHES[algorithm[2:]]))
        case "Ed":
            key.public_key().verify(signature, message)


def mac(algorithm, secret, message):
    mac = hmac.HMAC(secret, HASHES[algorithm[2:]])
    mac.update(message)
    return mac


def rsa_padding(algorithm):
    if algorithm.startswith("RS"):
        return padding.PKCS1v15()
    digest = HASHES[algorithm[2:]]
    # RFC 7518 §3.5: the salt is as long as the hash.
    return padding.PSS(mgf=padding.MGF1(digest), salt_length=digest.digest_size)


def jwk(key):
    """The public JWK (RFC 7518 §6, RFC 8037 §2)."""
    match key:
        case bytes():
            return {"kty": "oct", "k": encode(key)}
        case rsa.RSAPrivateKey():
            numbers = key.public_key().public_numbers()
            return {"kty": "RSA", "n": encode_integer(numbers.n), "e": encode_integer(numbers.e)}
        case ec.EllipticCurvePrivateKey():
            numbers, size = key.public_key().public_numbers(), coordinate_size(key)
            x, y = (encode(coordinate.to_bytes(size, "big")) for coordinate in (numbers.x, numbers.y))
            return {"kty": "EC", "crv": f"P-{key.curve.key_size}", "x": x, "y": y}
        case ed25519.Ed25519PrivateKey():
            return {"kty": "OKP", "crv": "Ed25519", "x": encode(key.public_key().public_bytes_raw())}


def coordinate_size(key):
    return (key.curve.key_size + 7) // 8


def encode_integer(number):
    return encode(number.to_bytes((number.bit_length() + 7) // 8, "big"))


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


main()
