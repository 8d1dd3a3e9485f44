"""The same with Python's `cryptography` and a shared secret, the first argument."""

import json
import sys
import time

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, hmac
from identity_token import Refused, decode


def verify(token, secret, audience):
    signed, signature = token.rsplit(".", 1)
    header, claims = (json.loads(decode(part)) for part in signed.split("."))
    if header != {"alg": "HS256", "typ": "gatepost+jwt"}:
        raise Refused("another kind of token")
    mac = hmac.HMAC(secret, hashes.SHA256())
    mac.update(signed.encode())
    mac.verify(decode(signature))
    if claims["iss"] != "gatepost" or claims["aud"] != audience or time.time() >= claims["exp"]:
        raise Refused("a token for somebody else, or expired")
    return claims


for line in sys.stdin:
    audience, _, token = line.rstrip("\n").partition(" ")
    try:
        print("ok", verify(token, sys.argv[1].encode(), audience)["sub"])
    except (Refused, InvalidSignature, KeyError, ValueError):
        print("refused")
