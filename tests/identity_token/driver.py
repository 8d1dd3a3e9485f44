"""Verifies `audience token` lines by the page's program: `ok SUBJECT` or `refused` for each."""

import json
import sys

from identity_token import Refused, Verifier

with open("jwks.json") as file:
    JWKS = json.load(file)
for line in sys.stdin:
    audience, _, token = line.rstrip("\n").partition(" ")
    try:
        print("ok", Verifier(JWKS, audience).verify(token)["sub"])
    except Refused:
        print("refused")
