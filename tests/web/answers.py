"""What a refusal must look like."""

import httpx2


def assert_problem(answer: httpx2.Response, status: int, *, code: str | None = None) -> None:
    """RFC 9457, with our code, and without a word of what is inside."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert {"type", "title", "status", "detail", "instance", "code"} <= set(told)
    assert told["status"] == status
    assert code is None or told["code"] == code
    assert "Traceback" not in answer.text
    assert "/retinue/" not in told["detail"]
