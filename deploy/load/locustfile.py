"""People who send one picture after the other, in steps: an independent measure beside `retinue loadtest`.

LOAD_KEY is an API key, LOAD_PICTURE the file to send. Answers come from the model, never from the result cache.
"""

import os
from pathlib import Path

from locust import FastHttpUser, LoadTestShape, constant, task
from locust.exception import StopUser

KEY = os.environ.get("LOAD_KEY", "")
PICTURE = Path(os.environ.get("LOAD_PICTURE", "coffee.jpg"))
STEPS = [int(step) for step in os.environ.get("LOAD_STEPS", "10").split(",")]
SECONDS = float(os.environ.get("LOAD_SECONDS", "30"))
PAUSE_S = float(os.environ.get("LOAD_PAUSE", "0"))


class Person(FastHttpUser):
    """Asks again as soon as the answer is there and the pause is over."""

    wait_time = constant(PAUSE_S)

    def on_start(self) -> None:
        if not KEY or not PICTURE.exists():
            raise StopUser("Set LOAD_KEY and LOAD_PICTURE")
        self.picture = PICTURE.read_bytes()

    @task
    def predict(self) -> None:
        headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "image/jpeg"}
        self.client.post("/api/v1/predict?cache=false", data=self.picture, headers=headers, name="predict")


class Steps(LoadTestShape):
    """So many people at once, each step as long as the others; then the end."""

    def tick(self) -> tuple[int, float] | None:
        step = int(self.get_run_time() // SECONDS)
        return (STEPS[step], STEPS[step]) if step < len(STEPS) else None
