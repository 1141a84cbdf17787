"""Forty tokens that are not ours, and forty times 401."""

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from retinue import assembly
from retinue.base.clock import SetClock
from tests.accounts.people import Person, with_key

Forge = Callable[["Workshop"], str]


class Workshop:
    """What a forger has: a real token to look at, and here even the key, to change one thing at a time."""

    def __init__(self, house: assembly.House, person: Person, clock: SetClock) -> None:
        self.real = person.credential
        self.refresh_token = person.refresh_token
        self.key = house.secrets.key("access-tokens")
        self.other_key = house.secrets.key("media-links")
        self.now = int(clock.now().timestamp())
        self.header = {name: value for name, value in jwt.get_unverified_header(self.real).items() if name != "alg"}
        self.claims = jwt.decode(self.real, options={"verify_signature": False})

    def with_claims(self, *, without: str = "", **changes: Any) -> str:
        claims = {name: value for name, value in {**self.claims, **changes}.items() if name != without}
        return jwt.encode(claims, self.key, "HS256", headers=self.header)

    def with_header(self, *, key: Any = None, algorithm: str = "HS256", **changes: Any) -> str:
        return jwt.encode(self.claims, key or self.key, algorithm, headers={**self.header, **changes})

    def unsigned(self, algorithm: str) -> str:
        return f"{_part({**self.header, 'alg': algorithm})}.{_part(self.claims)}."

    def signed_by(self, algorithm: str, key: Any) -> str:
        return jwt.encode(self.claims, key, algorithm, headers={**self.header})

    def parts(self) -> list[str]:
        return self.real.split(".")


def _part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _public(kind: serialization.Encoding) -> bytes:
    return RSA.public_key().public_bytes(kind, serialization.PublicFormat.SubjectPublicKeyInfo)


RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ED = ed25519.Ed25519PrivateKey.generate()
SOMEBODY = "0190b6a4-7c3e-7d1e-8f00-000000000001"
FORGERIES: dict[str, Forge] = {
    "alg none": lambda at: at.unsigned("none"),
    "alg None": lambda at: at.unsigned("None"),
    "alg nOnE": lambda at: at.unsigned("nOnE"),
    "no signature": lambda at: ".".join(at.parts()[:2]) + ".",
    "two parts": lambda at: ".".join(at.parts()[:2]),
    "an extra dot": lambda at: at.real + ".",
    "an extra part": lambda at: at.real + "." + at.parts()[2],
    "a truncated signature": lambda at: at.real[:-6],
    "a signature of zeros": lambda at: ".".join(at.parts()[:2]) + "." + "A" * 43,
    "HS256 with a public key in PEM": lambda at: _hs256(at, _public(serialization.Encoding.PEM)),
    "HS256 with a public key in DER": lambda at: _hs256(at, _public(serialization.Encoding.DER)),
    "HS256 with an empty key": lambda at: _hs256(at, b""),
    "HS256 with the key of another purpose": lambda at: at.with_header(key=at.other_key),
    "HS384": lambda at: at.with_header(key=at.key * 2, algorithm="HS384"),
    "HS512": lambda at: at.with_header(key=at.key * 2, algorithm="HS512"),
    "RS256": lambda at: at.signed_by("RS256", RSA),
    "EdDSA": lambda at: at.signed_by("EdDSA", ED),
    "typ JWT": lambda at: at.with_header(typ="JWT"),
    "typ rt+jwt": lambda at: at.with_header(typ="rt+jwt"),
    "no typ": lambda at: at.with_header(typ=None),
    "kid of a file": lambda at: at.with_header(kid="../../../../dev/null"),
    "kid with SQL": lambda at: at.with_header(kid="1' OR '1'='1"),
    "jku": lambda at: at.with_header(jku="http://127.0.0.1:1/keys"),
    "x5u": lambda at: at.with_header(x5u="http://127.0.0.1:1/cert"),
    "jwk": lambda at: at.with_header(jwk={"kty": "oct", "k": base64.urlsafe_b64encode(at.key).decode()}),
    "crit": lambda at: at.with_header(crit=["exp"]),
    "another audience": lambda at: at.with_claims(aud="somebody-else"),
    "another issuer": lambda at: at.with_claims(iss="https://evil.example"),
    "expired": lambda at: at.with_claims(exp=at.now - 31, iat=at.now - 600),
    "not yet born": lambda at: at.with_claims(iat=at.now + 3600, exp=at.now + 7200),
    "not before tomorrow": lambda at: at.with_claims(nbf=at.now + 86400),
    "no exp": lambda at: at.with_claims(without="exp"),
    "no iat": lambda at: at.with_claims(without="iat"),
    "no sid": lambda at: at.with_claims(without="sid"),
    "no jti": lambda at: at.with_claims(without="jti"),
    "no sub": lambda at: at.with_claims(without="sub"),
    "exp as text": lambda at: at.with_claims(exp="tomorrow"),
    "exp as a list": lambda at: at.with_claims(exp=[at.now + 60]),
    "a session of nobody": lambda at: at.with_claims(sid=SOMEBODY),
    "somebody else's name on my session": lambda at: at.with_claims(sub=SOMEBODY),
    "a refresh token": lambda at: at.refresh_token,
    "a megabyte": lambda at: "A" * (1 << 20),
    "claims nested deeper than a stack": lambda at: _hs256(at, at.key, body=b"[" * 1000),
    "nothing": lambda _at: "",
    "a key that was never made": lambda _at: f"{KEY}_{CHECKSUM}",
}
KEY = f"rtn_{'a' * 8}_{'b' * 43}"
CHECKSUM = "000000"


def _hs256(at: Workshop, key: bytes, *, body: bytes | None = None) -> str:
    """By hand: PyJWT refuses to sign with such keys."""
    import hashlib
    import hmac

    claims = base64.urlsafe_b64encode(body).rstrip(b"=").decode() if body else _part(at.claims)
    signed = f"{_part({**at.header, 'alg': 'HS256'})}.{claims}"
    return (
        f"{signed}.{base64.urlsafe_b64encode(hmac.digest(key, signed.encode(), hashlib.sha256)).rstrip(b'=').decode()}"
    )


async def test_none_of_them_signs_anybody_in(house: assembly.House, ada: Person, clock: SetClock) -> None:
    at = Workshop(house, ada, clock)
    assert len(FORGERIES) >= 40
    assert (await ada.get("/api/v1/me")).status_code == 200
    for name, forge in FORGERIES.items():
        refused = await ada.http.get("/api/v1/me", headers={"Authorization": f"Bearer {forge(at)}"})
        assert refused.status_code == 401, name
        assert refused.headers["WWW-Authenticate"].startswith("Bearer"), name
        assert refused.json()["type"].startswith("https://"), name


async def test_the_forger_with_the_key_gets_in_when_nothing_is_changed(
    house: assembly.House, ada: Person, clock: SetClock
) -> None:
    """So that the list above fails for the reasons it names."""
    at = Workshop(house, ada, clock)
    for token in (at.with_claims(), at.with_header(), _hs256(at, at.key)):
        answer = await ada.http.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 200


@pytest.mark.parametrize(
    "header", ["", "Basic YWRhOnB3", "Bearer", "bearer  ", "Token {}", "{}", "Bearer {} {}", "Bearer\u00e9 {}"]
)
async def test_other_ways_to_write_the_header(ada: Person, header: str) -> None:
    value = header.replace("{}", ada.credential).encode("latin-1")
    refused = await ada.http.get("/api/v1/me", headers={b"Authorization": value})  # type: ignore[dict-item]
    assert refused.status_code == 401


async def test_two_headers_are_nobody(ada: Person) -> None:
    twice = [("Authorization", f"Bearer {ada.credential}")] * 2
    assert (await ada.http.get("/api/v1/me", headers=twice)).status_code == 401


async def test_a_token_lives_ten_minutes_and_a_little(ada: Person, clock: SetClock) -> None:
    assert (await ada.get("/api/v1/me")).status_code == 200
    clock.time += timedelta(minutes=10, seconds=29)
    assert (await ada.get("/api/v1/me")).status_code == 200
    clock.time += timedelta(seconds=2)
    assert (await ada.get("/api/v1/me")).status_code == 401


async def test_neither_cookies_nor_the_address_line_sign_anybody_in(house: assembly.House, ada: Person) -> None:
    key = with_key(house, ada).credential
    for token in (ada.credential, key):
        for way in ({"headers": {"Cookie": f"session={token}; __Host-session={token}"}}, {"params": {"key": token}}):
            assert (await ada.http.get("/api/v1/me", **way)).status_code == 401  # type: ignore[arg-type]


async def test_strangers_do_not_use_up_anybodys_rate(http: httpx2.AsyncClient, ada: Person) -> None:
    first = await ada.get("/api/v1/me")
    for _ in range(20):
        await http.get("/api/v1/me", headers={"Authorization": f"Bearer {ada.credential[:-4]}"})
    second = await ada.get("/api/v1/me")
    left = [int(answer.headers["RateLimit"].split("r=")[1].split(";")[0]) for answer in (first, second)]
    assert left == [5999, 5998]
